"""What is known about metrics: their units, their bounds, whose value they are. Written in YAML."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from msgspec import Struct

from dealgraph.stream.connectors.documents import parse_document, read_document
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.interaction import Reason

_LONGEST: Final = 40
_MOST: Final = Decimal(10) ** 30


class Trust(StrEnum):
    """How far a value is trusted: found in public, told by a partner, or from one's own systems."""

    PUBLIC = "public"
    PARTNER = "partner"
    CORE = "core"


class Subject(StrEnum):
    """Whose value it is."""

    CUSTOMER = "customer"
    OPPORTUNITY = "opportunity"
    CONTACT = "contact"


class MetricSchema(Struct, frozen=True, forbid_unknown_fields=True):
    """A metric. `units` are other units, each with its factor to `unit`."""

    meaning: str
    unit: str
    units: Mapping[str, float] = {}
    least: float | None = None
    most: float | None = None
    subject: Subject = Subject.CUSTOMER
    trust: Trust = Trust.PUBLIC

    def value(self, stated: str, unit: str) -> str:
        """Return a number stated in `unit` as text in the metric's own unit. Raises RecordError."""
        if not unit:
            raise RecordError(Reason.MISSING_FIELD, f"the unit is empty; write {self.unit!r}")
        if unit != self.unit and unit not in self.units:
            known = ", ".join([self.unit, *self.units])
            raise RecordError(Reason.UNKNOWN_VALUE, f"{unit[:80]!r} is no unit of it: {known}")
        factor = Decimal(1) if unit == self.unit else Decimal(str(self.units[unit]))
        value = _number(stated) * factor
        self._check_bounds(value)
        return format((value + 0).normalize(), "f")  # no negative zero

    def _check_bounds(self, value: Decimal) -> None:
        least = -_MOST if self.least is None else Decimal(str(self.least))
        most = _MOST if self.most is None else Decimal(str(self.most))
        if not least <= value <= most:
            bounds = f"between {least:f} and {most:f} {self.unit}"
            raise RecordError(Reason.UNKNOWN_VALUE, f"{value:.6g} does not lie {bounds}")


MetricSchemas = Mapping[str, MetricSchema]
"""What is known about metrics, by their names."""


@cache
def known_metrics() -> MetricSchemas:
    """Return the metrics that are shipped."""
    raw = files(__package__).joinpath("metrics.yaml").read_bytes()
    return parse_document(raw, dict[str, MetricSchema], "metrics.yaml")


def load_metrics(path: Path) -> MetricSchemas:
    """Return the metrics that are shipped, and those of a file, which go before them.

    Raises SourceError that says line, field and fix.
    """
    return {**known_metrics(), **read_document(path, dict[str, MetricSchema], "metrics")}


def _number(text: str) -> Decimal:
    if len(text) > _LONGEST or not text.isascii() or "_" in text:
        raise RecordError(Reason.WRONG_TYPE, f"{text[:80]!r} is no number")
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise RecordError(Reason.WRONG_TYPE, f"{text[:80]!r} is no number") from error
    if not value.is_finite() or abs(value) > _MOST or value.adjusted() < -_LONGEST:
        raise RecordError(Reason.UNKNOWN_VALUE, f"{text[:80]!r} is out of range")
    return value
