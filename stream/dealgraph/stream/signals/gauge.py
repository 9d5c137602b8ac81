"""What a detector may offer besides: its statistic, read at any time, to be shown to people."""

from typing import Any, Protocol, runtime_checkable

from msgspec import Struct


class Gauge(Struct, frozen=True):
    """A statistic and the threshold it is compared with, in the unit of the rule."""

    statistic: float
    threshold: float


@runtime_checkable
class Gauged(Protocol):
    """A detector whose statistic can be read at any time."""

    def gauge(self, state: Any, form: str, at: int) -> Gauge | None:
        """Return the statistic of a form at event time `at`, just after it, None when there is none."""
        ...
