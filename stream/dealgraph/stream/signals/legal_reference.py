"""When legal usually comes into a deal: the reference of S2, shipped as a prior and learnt from won deals.

    x = asinh(days from the anchor to legal)     about normal: near zero linear, far away logarithmic
    median, spread = 1.4826 · MAD                of won deals, drawn towards the prior by n / (n + κ)

A segment with fewer than `least_deals` won deals keeps the prior. The prior's spread is that of deals of one
tenant (0.28) and of what differs between tenants (0.15).
"""

from collections.abc import Sequence
from math import asinh, erfc, sqrt
from typing import Annotated, Final

from msgspec import Meta, Struct

from dealgraph.stream.signals.thresholds import Count, Positive, Share

_MAD_TO_SPREAD: Final = 1.4826
_CALENDAR_DAYS: Final = 7.0 / 5.0
_SHRINKAGE: Final = 20.0
_LEAST_SPREAD: Final = 0.05
WEEKEND_DAYS: Final = 2.0


class Reference(Struct, frozen=True, forbid_unknown_fields=True):
    """Where x lies in won deals, and from how many deals that is known (0: a prior)."""

    median: float
    spread: Positive
    deals: Annotated[int, Meta(ge=0)] = 0

    def z(self, days: float) -> float:
        """Return how many spreads a delay is from the usual one."""
        return (asinh(days) - self.median) / self.spread

    def reached(self, days: float) -> float:
        """Return the share of usual deals in which legal is there after so many days."""
        return normal_below(self.z(days))


class Window(Struct, frozen=True, forbid_unknown_fields=True):
    """The references of a segment."""

    proposal: Reference
    qualification: Reference


class LegalWindowThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of S2: `usual` for segments that are not named, `presence` is q and its weight."""

    recorded_z: Positive
    pushed_z: Positive
    recorded_probability: Share
    pushed_probability: Share
    topic_actions: Count
    topic_share: Share
    silent_days: Count
    presence: Share
    presence_weight: Positive
    gap_hours: Positive
    least_deals: Count
    usual: Window
    segments: dict[str, Window]

    def window(self, segment: str) -> Window:
        """Return the references of a segment."""
        return self.segments.get(segment, self.usual)


class Delays(Struct, frozen=True):
    """Days from proposal and from qualification to legal in one deal; None where one is not known."""

    proposal: float | None
    qualification: float | None


def days_of(worked_ms: int, day_ms: int) -> float:
    """Return working time as the calendar days that it takes without holidays."""
    return worked_ms / day_ms * _CALENDAR_DAYS


def working_days(days: float) -> float:
    """Return the working days among calendar days."""
    return days / _CALENDAR_DAYS


def normal_below(z: float) -> float:
    """Return the share of a standard normal below z."""
    return 0.5 * erfc(-z / sqrt(2.0))


def reference_of(
    values: Sequence[tuple[float, float]], prior: Reference, least_deals: int
) -> Reference:
    """Return the reference of won deals, shrunk towards the prior; the prior when they are too few.

    `values` are x and how much each weighs, in deals.
    """
    count = sum(weight for _, weight in values)
    if count < least_deals:
        return prior
    middle = weighted_median(values)
    spread = _MAD_TO_SPREAD * weighted_median([(abs(x - middle), w) for x, w in values])
    weight = count / (count + _SHRINKAGE)
    return Reference(
        median=prior.median + weight * (middle - prior.median),
        spread=max(_LEAST_SPREAD, prior.spread + weight * (spread - prior.spread)),
        deals=round(count),
    )


def weighted_median(values: Sequence[tuple[float, float]]) -> float:
    """Return the value with half of the weight on either side, the mean of two where both have that."""
    half, below = sum(weight for _, weight in values) / 2.0, 0.0
    ordered = sorted(values)
    for place, (value, weight) in enumerate(ordered):
        below += weight
        if below > half:
            return value
        if below == half and place + 1 < len(ordered):
            return (value + ordered[place + 1][0]) / 2.0
    return ordered[-1][0]
