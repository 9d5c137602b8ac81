"""A sliding window of the customer's talk: shares, valence and its slope."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

_MAX_SEGMENTS: Final = 256
_UNIT: Final = float(1 << 40)


class Segment(Struct, frozen=True, gc=False):
    """One stretch of the customer's talk; `confidence` 0 where no emotion was inferred."""

    at: int
    id: str
    talk_ms: int
    price_ms: int
    valence: float
    confidence: float


class TalkWindow(Struct):
    """The newest segments and their sums.

    The sums of floats are kept as integers, in units of 2^-40, so that adding and taking away leaves
    no rounding behind and a look costs the same however much was said.
    """

    segments: list[Segment] = field(default_factory=list)
    talk_ms: int = 0
    price_ms: int = 0
    sure: int = 0
    felt: int = 0

    def add(self, segment: Segment) -> None:
        """Take in a segment; the oldest one goes when there are too many."""
        if len(self.segments) == _MAX_SEGMENTS:
            self._take_away()
        self.segments.append(segment)
        self.talk_ms += segment.talk_ms
        self.price_ms += segment.price_ms
        if segment.confidence:
            self.sure += int(segment.confidence * _UNIT)
            self.felt += int(segment.confidence * segment.valence * _UNIT)

    def forget(self, oldest: int) -> None:
        """Drop segments at or before `oldest`."""
        while self.segments[0].at <= oldest:
            self._take_away()

    def _take_away(self) -> None:
        segment = self.segments.pop(0)
        self.talk_ms -= segment.talk_ms
        self.price_ms -= segment.price_ms
        if segment.confidence:
            self.sure -= int(segment.confidence * _UNIT)
            self.felt -= int(segment.confidence * segment.valence * _UNIT)

    def mood(self) -> tuple[float, float]:
        """Return the sum of confidence and the sum of valence weighted by it."""
        return self.sure / _UNIT, self.felt / _UNIT


def valence_slope(segments: Iterable[Segment]) -> float:
    """Return the slope of valence over time (per ms), weighted by confidence; 0 when it is unknown.

    Least squares over the segments with an emotion; fewer than three have no slope.
    """
    felt = [segment for segment in segments if segment.confidence > 0.0]
    if len(felt) < 3:
        return 0.0
    total = sum(segment.confidence for segment in felt)
    start = felt[0].at
    middle = sum(segment.confidence * (segment.at - start) for segment in felt) / total
    mean = sum(segment.confidence * segment.valence for segment in felt) / total
    square = sum(segment.confidence * (segment.at - start - middle) ** 2 for segment in felt)
    if square <= 0.0:
        return 0.0
    product = sum(
        segment.confidence * (segment.at - start - middle) * (segment.valence - mean)
        for segment in felt
    )
    return product / square
