"""What the running halves of detectors share: the course of their episodes, and words for people."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Severity, SignalKind
from dealgraph.stream.signals.detector import Episode

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
MAX_EVIDENCE: Final = 10

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS: Final = (
    "January February March April May June July August September October November December".split()
)


class Reading(Struct, frozen=True):
    """What a detector measured at one moment; the fields are those of `Episode`."""

    statistic: float
    threshold: float
    baseline: float
    exposure_minutes: float
    window_ms: int
    evidence: tuple[str, ...]
    explanation: str


class Course:
    """The episodes of one kind in one scope: one after the other, with a least gap between them."""

    __slots__ = ("_ended_at", "_gap_ms", "_kind", "_number", "_raised_at", "open", "severity")

    def __init__(self, kind: SignalKind, gap_ms: int) -> None:
        self._kind = kind
        self._gap_ms = gap_ms
        self._number = -1
        self._raised_at = 0
        self._ended_at: int | None = None
        self.open = False
        self.severity = Severity.INFO

    def may_begin(self, at: int) -> bool:
        """Say whether an episode may begin: none is open, and the last one is long enough ago."""
        return not self.open and (self._ended_at is None or at - self._ended_at >= self._gap_ms)

    def begin(self, at: int, severity: Severity, reading: Reading) -> Episode:
        """Open the next episode."""
        self._number += 1
        self._raised_at = at
        self._ended_at = None
        self.open = True
        self.severity = severity
        return self._episode(at, reading)

    def go_on(self, at: int, severity: Severity, reading: Reading) -> Episode:
        """Update the open episode; its severity only grows."""
        self.severity = max(self.severity, severity)
        return self._episode(at, reading)

    def end(self, at: int, reading: Reading) -> Episode:
        """Close the open episode."""
        self.open = False
        self._ended_at = at
        return self._episode(at, reading)

    def _episode(self, at: int, reading: Reading) -> Episode:
        return Episode(
            kind=self._kind,
            number=self._number,
            severity=self.severity,
            raised_at=self._raised_at,
            at=at,
            cleared_at=self._ended_at,
            statistic=reading.statistic,
            threshold=reading.threshold,
            baseline=reading.baseline,
            exposure_minutes=reading.exposure_minutes,
            window_ms=reading.window_ms,
            evidence=reading.evidence,
            explanation=reading.explanation,
        )


def newest_ids(newest_first: Iterable[str]) -> tuple[str, ...]:
    """Return the first ten of ids that come newest first, turned to the order of time."""
    return tuple(islice(newest_first, MAX_EVIDENCE))[::-1]


def count_of(number: int, one: str, many: str) -> str:
    """Return a number with its noun: "1 time", "4 times"."""
    return f"{number} {one if number == 1 else many}"


def day_of(at: int) -> str:
    """Return the UTC date of `at` in words, for example "3 March 2026"."""
    moment = _EPOCH + timedelta(milliseconds=at)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"
