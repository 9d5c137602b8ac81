"""What the running halves of detectors share: the course of their episodes, and words for people."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Level, Polarity, Severity, SignalKind
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
    minimum_effect: float = 0.0


class Form(Struct, frozen=True):
    """What a signal can say, and the least gap between two episodes of it."""

    kind: SignalKind
    gap_ms: int
    name: str = ""
    polarity: Polarity = Polarity.NEUTRAL


class Course(Struct):
    """The episodes of one form in one scope: one after the other, with a least gap between them.

    A part of a detector's state. Severity and level of an open episode only grow.
    """

    number: int = -1
    raised_at: int = 0
    ended_at: int | None = None
    open: bool = False
    severity: Severity = Severity.INFO
    level: Level = Level.RECORDED

    def may_begin(self, form: Form, at: int) -> bool:
        """Say whether an episode may begin: none is open, and the last one is long enough ago."""
        return not self.open and (self.ended_at is None or at - self.ended_at >= form.gap_ms)

    def begin(
        self, form: Form, at: int, severity: Severity, reading: Reading, level: Level = Level.PUSHED
    ) -> Episode:
        """Open the next episode."""
        self.number += 1
        self.raised_at = at
        self.ended_at = None
        self.open = True
        self.severity = severity
        self.level = level
        return self._episode(form, at, reading)

    def go_on(
        self, form: Form, at: int, severity: Severity, reading: Reading, level: Level = Level.PUSHED
    ) -> Episode:
        """Update the open episode."""
        self.severity = max(self.severity, severity)
        self.level = max(self.level, level)
        return self._episode(form, at, reading)

    def end(self, form: Form, at: int, reading: Reading) -> Episode:
        """Close the open episode."""
        self.open = False
        self.ended_at = at
        return self._episode(form, at, reading)

    def _episode(self, form: Form, at: int, reading: Reading) -> Episode:
        return Episode(
            kind=form.kind,
            number=self.number,
            severity=self.severity,
            raised_at=self.raised_at,
            at=at,
            cleared_at=self.ended_at,
            statistic=reading.statistic,
            threshold=reading.threshold,
            baseline=reading.baseline,
            exposure_minutes=reading.exposure_minutes,
            window_ms=reading.window_ms,
            evidence=reading.evidence,
            explanation=reading.explanation,
            form=form.name,
            polarity=form.polarity,
            level=self.level,
            minimum_effect=reading.minimum_effect,
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
