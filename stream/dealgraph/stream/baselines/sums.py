"""What deals showed, added up by segment and stage, and how far a value moves by it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from dealgraph.graph.model import Stage
from dealgraph.stream.baselines.record import Cell

SHRINKAGE: Final = 20.0
"""κ: so many deals move a value half of the way. Source: signals.md B0."""

Place = tuple[str, str]
"""Segment and stage; "" is all of them."""
Seen = Mapping[Place, tuple[float, ...]]
"""What one deal shows."""

_MOST_TIMES: Final = 5.0
_MOST_MINUTES: Final = 300.0


class Sums:
    """Numbers per place, and the number of deals that showed any there."""

    def __init__(self, cells: Iterable[Cell] = ()) -> None:
        self._deals: dict[Place, float] = {}
        self._numbers: dict[Place, list[float]] = {}
        for cell in cells:
            place = (cell.segment, cell.stage)
            self._deals[place] = cell.deals
            self._numbers[place] = list(cell.numbers)

    def __contains__(self, place: Place) -> bool:
        return place in self._deals

    def __iter__(self) -> Iterator[Place]:
        return iter(sorted(self._deals))

    def deals(self, place: Place) -> float:
        """Return how many deals showed something there."""
        return self._deals.get(place, 0.0)

    def numbers(self, place: Place) -> list[float]:
        """Return the numbers of a place that is known."""
        return self._numbers[place]

    def add(self, seen: Seen) -> None:
        """Add what a deal shows."""
        for place, numbers in seen.items():
            known = self._numbers.get(place, [])
            if len(known) != len(numbers):  # new, or a lesson that counts otherwise than it did
                known, self._deals[place] = [0.0] * len(numbers), 0.0
            self._deals[place] += 1.0
            self._numbers[place] = [a + b for a, b in zip(known, numbers, strict=True)]

    def fade(self, factor: float) -> None:
        """Let all that was seen weigh less."""
        for place in self._deals:
            self._deals[place] *= factor
            self._numbers[place] = [factor * number for number in self._numbers[place]]

    def keep(self, segments: int) -> None:
        """Forget all but the segments that most deals show: a CRM may state a segment per deal."""
        named = [place for place in self._deals if place[0] and not place[1]]
        named.sort(key=lambda place: (-self._deals[place], place))
        kept = {"", *(segment for segment, _ in named[:segments])}
        for place in [place for place in self._deals if place[0] not in kept]:
            del self._deals[place], self._numbers[place]

    def cells(self) -> tuple[Cell, ...]:
        """Return the sums as values, in order."""
        return tuple(
            Cell(segment, stage, self._deals[segment, stage], tuple(self._numbers[segment, stage]))
            for segment, stage in self
        )


def shrunk(prior: float, found: float, deals: float) -> float:
    """Return a value between the prior and what `deals` show, with weight n / (n + κ), to four digits."""
    return float(f"{prior + deals / (deals + SHRINKAGE) * (found - prior):.4g}")


def kept_part(count: float, minutes: float, usual_rate: float) -> tuple[float, float]:
    """Return which part of a deal's counts and of its minutes of talk is learnt from.

    No deal counts for more than five times the usual rate, nor for more than five hours of talk: one with a
    signal in it, or one that somebody fills on purpose, moves little.
    """
    heard = min(1.0, _MOST_MINUTES / minutes)
    most = _MOST_TIMES * usual_rate * minutes
    return heard * (min(1.0, most / count) if count else 1.0), heard


def spread_out(
    segment: str, by_stage: Mapping[Stage, tuple[float, ...]]
) -> dict[Place, tuple[float, ...]]:
    """Return what a deal shows by stage for all places it counts in: each stage, and all stages.

    A deal counts in its own segment and in that of all deals.
    """
    total = tuple(map(sum, zip(*by_stage.values(), strict=True)))
    cells = {
        stage.name: numbers for stage, numbers in by_stage.items() if stage is not Stage.UNKNOWN
    }
    cells[""] = total
    return {(place, stage): numbers for place in {"", segment} for stage, numbers in cells.items()}
