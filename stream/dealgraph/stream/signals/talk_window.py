"""A sliding window of the customer's talk: shares, valence and its slope."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

_MAX_SEGMENTS: Final = 1024
_UNIT: Final = float(1 << 40)


class Segment(Struct, frozen=True, gc=False):
    """One stretch of the customer's talk; `confidence` 0 where no emotion was inferred."""

    at: int
    id: str
    talk_ms: int
    price_ms: int
    valence: float
    confidence: float


class TalkWindow:
    """The newest segments and their sums.

    The sums of floats are kept as integers, in units of 2^-40, so that adding and taking away leaves
    no rounding behind and a look costs the same however much was said.
    """

    __slots__ = ("_felt", "_sure", "price_ms", "segments", "talk_ms")

    def __init__(self) -> None:
        self.segments: deque[Segment] = deque()
        self.talk_ms = 0
        self.price_ms = 0
        self._sure = 0
        self._felt = 0

    def add(self, segment: Segment) -> None:
        """Take in a segment; the oldest one goes when there are too many."""
        if len(self.segments) == _MAX_SEGMENTS:
            self._take_away()
        self.segments.append(segment)
        self.talk_ms += segment.talk_ms
        self.price_ms += segment.price_ms
        if segment.confidence:
            self._sure += int(segment.confidence * _UNIT)
            self._felt += int(segment.confidence * segment.valence * _UNIT)

    def forget(self, oldest: int) -> None:
        """Drop segments at or before `oldest`."""
        while self.segments[0].at <= oldest:
            self._take_away()

    def _take_away(self) -> None:
        segment = self.segments.popleft()
        self.talk_ms -= segment.talk_ms
        self.price_ms -= segment.price_ms
        if segment.confidence:
            self._sure -= int(segment.confidence * _UNIT)
            self._felt -= int(segment.confidence * segment.valence * _UNIT)

    def mood(self) -> tuple[float, float]:
        """Return the sum of confidence and the sum of valence weighted by it."""
        return self._sure / _UNIT, self._felt / _UNIT


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
