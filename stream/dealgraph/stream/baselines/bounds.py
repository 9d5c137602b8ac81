"""How baselines are learnt, and how far they may go: data in `learning.yaml`."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from dealgraph.stream.signals.thresholds import Count, Positive, Share

Values = Mapping[str, object]


class Bound(Struct, frozen=True, forbid_unknown_fields=True):
    """The range of a value, and how far it may move in one step: by a factor, or by an amount."""

    least: float
    most: float
    times: Annotated[float, Meta(gt=1)] | None = None
    by: Positive | None = None

    def __post_init__(self) -> None:
        if (self.times is None) == (self.by is None) or not self.least < self.most:
            raise ValueError("a bound has `least` below `most`, and `times` or `by`")

    def hold(self, before: float, found: float) -> float:
        """Return the value next to `found` that may be reached from `before`."""
        if self.times is not None:
            low, high = sorted((before / self.times, before * self.times))
        else:
            low, high = before - (self.by or 0.0), before + (self.by or 0.0)
        return float(f"{min(max(found, low, self.least), high, self.most):.4g}")


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """When and from how much is learnt; `learning.yaml` says what each value means."""

    step_days: Positive
    silent_days: Positive
    half_life_weeks: Positive
    read_share: Share
    least_actions: Count
    most_segments: Count
    bounds: Mapping[str, Mapping[str, Bound]]


@cache
def limits() -> Limits:
    """Return the shipped limits of learning."""
    raw = resources.files(__package__).joinpath("learning.yaml").read_bytes()
    return msgspec.yaml.decode(raw, type=Limits)


def held(bounds: Mapping[str, Bound], before: Values, found: Values) -> dict[str, object]:
    """Return what was found for a section, no further from what held before than is allowed.

    Both have one shape. A value within others has the bound of its own name, else of what it is within.
    """
    return {
        name: _held(bounds, bounds.get(name), before.get(name), value)
        for name, value in found.items()
    }


def _held(
    bounds: Mapping[str, Bound], bound: Bound | None, before: object, found: object
) -> object:
    if isinstance(found, Mapping) and isinstance(before, Mapping):
        return {
            name: _held(bounds, bounds.get(name, bound), before.get(name), value)
            for name, value in found.items()
        }
    if bound is None or not isinstance(found, float) or not isinstance(before, int | float):
        return found
    return bound.hold(before, found)
