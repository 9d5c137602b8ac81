"""Clocks of sources: how far one is off, from events that two sources saw.

Two interactions of different sources with the same attribute `event_key` are one event seen twice (a call in
the telephone system and in the meeting tool, a mail in two archives). The median of the differences of
their times is the offset: half of the pairs may be wrong and it still holds. Its interval is that of
order statistics, which asks nothing of how the differences are spread: of n sorted differences the
true median lies between those ranked n/2 ± 1.96·√n/2 with 95 %.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, floor, sqrt
from typing import Final

from msgspec import Struct

EVENT_KEY: Final = "event_key"
"""Attribute that names an event in the same way in every source that saw it."""

_Z: Final = 1.96


class Trust(Struct, frozen=True):
    """When an offset is sure enough to correct by: so many pairs, and an interval so narrow, in ms."""

    pairs: int = 8
    margin_ms: int = 2_000
    least_ms: int = 500


class Skew(Struct, frozen=True):
    """The clock of `source` is `offset_ms` ahead of that of `reference`, give or take `margin_ms`."""

    source: str
    reference: str
    offset_ms: int
    margin_ms: int
    pairs: int

    def is_sure(self, trust: Trust) -> bool:
        """Say whether the offset is there, and sure enough to correct times by it."""
        narrow = self.margin_ms <= trust.margin_ms and self.pairs >= trust.pairs
        return narrow and abs(self.offset_ms) >= max(trust.least_ms, self.margin_ms)


class Sightings:
    """When each source saw each event; the earliest of several times counts."""

    def __init__(self) -> None:
        self._seen: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def add(self, source: str, event: str, at: int) -> None:
        """Note that a source saw an event at time `at` of its own clock."""
        times = self._seen[event]
        times[source] = min(at, times.get(source, at))

    def skews(self, reference: str = "") -> list[Skew]:
        """Return the skew of each source against `reference`, or against its most frequent companion.

        Sources without a common event are left out.
        """
        apart: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for source, other, difference in self._differences():
            apart[source, other].append(difference)
        best: dict[str, str] = {}
        for source, other in sorted(apart):
            if reference and (other != reference or source == reference):
                continue
            if source not in best or len(apart[source, other]) > len(apart[source, best[source]]):
                best[source] = other
        return [_estimate(source, other, apart) for source, other in sorted(best.items())]

    def _differences(self) -> Iterator[tuple[str, str, int]]:
        for times in self._seen.values():
            for source, at in times.items():
                for other, other_at in times.items():
                    if source != other:
                        yield source, other, at - other_at


def _estimate(source: str, other: str, apart: Mapping[tuple[str, str], Sequence[int]]) -> Skew:
    differences = sorted(apart[source, other])
    n = len(differences)
    middle = (differences[(n - 1) // 2] + differences[n // 2]) // 2
    half = _Z * sqrt(n) / 2
    low, high = floor(n / 2 - half), ceil(n / 2 + half)
    if low < 0 or high > n:
        # Too few for an interval: all that was seen.
        low, high = 0, n
    margin = ceil((differences[high - 1] - differences[low]) / 2)
    return Skew(source, other, middle, margin, n)
