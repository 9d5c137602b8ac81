"""How soon a signal should speak after its plant begins, and how soon it did, in the unit of its detector.

`delays.yaml` holds what the formulas give; between its strengths it is interpolated. What is counted is
what the detector was shown since the plant began, up to the signal: so nothing depends on how often
people of a world talk, or how much of it was recorded.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct

from dealgraph.graph.model import Channel, Level, Side, Topic, topic_set
from dealgraph.stream.calendar import DAY_MS
from dealgraph.stream.signals.delivery_concern import ASKS
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.reply_waits import LETTERS, asks
from dealgraph.stream.signals.stakeholder_breadth_shift import BreadthThresholds
from dealgraph.stream.signals.tech_question_surge import (
    TechQuestionSurgeThresholds,
    is_technical_question,
)
from dealgraph.stream.signals.thresholds import load_thresholds
from dealgraph.stream.signals.working_time import Habit, working_times
from dealgraph.stream.world.people import PAPER
from dealgraph.stream.world.scenario import Plant

Interval = tuple[float, float]
LEAST_RATIO: Final = 0.8
MOST_RATIO: Final = 1.2
"""Between these a measured delay counts as that of the table."""

_DELIVERY: Final = topic_set(Topic.DELIVERY)
_OWNERSHIP: Final = topic_set(Topic.OWNERSHIP)
_RESAMPLES: Final = 2000


class Unit(StrEnum):
    """What a detector counts; all but `days` of what was observed, and up to the signal, it included."""

    QUESTIONS = "questions"
    MEETINGS = "meetings"
    ANSWERS = "answers"
    ASKS = "asks"
    REMARKS = "remarks"
    CLOCK_DAYS = "days of the clock"
    TALK_DAYS = "days of talk"
    LEGAL_DAYS = "days with legal"
    WORKING_DAYS = "working days"
    DAYS = "days"


class Since(StrEnum):
    """What a delay begins with: the plant, or the proposal, where the signal is reckoned from that."""

    START = "start"
    PROPOSAL = "proposal"


class Expected(Struct, frozen=True, forbid_unknown_fields=True):
    """Mean delays of a signal by strength of its plant (0: it has none), in rising order of strength."""

    unit: Unit
    strengths: tuple[float, ...]
    recorded: tuple[float, ...]
    pushed: tuple[float, ...]
    by: str
    since: Since = Since.START

    def __post_init__(self) -> None:
        if not len(self.strengths) == len(self.recorded) == len(self.pushed):
            raise ValueError("a delay per strength and level")

    def at(self, strength: float, level: Level) -> float:
        """Return the mean delay at a strength; beyond the table that of its nearest strength."""
        delays = self.pushed if level is Level.PUSHED else self.recorded
        return float(np.interp(strength, self.strengths, delays))


@cache
def expected_delays() -> Mapping[Plant, Expected]:
    """Return the table, from `delays.yaml`."""
    raw = resources.files(__package__).joinpath("delays.yaml").read_bytes()
    return msgspec.yaml.decode(raw, type=dict[Plant, Expected])


def counted(unit: Unit, actions: Sequence[Observed], start: int, at: int) -> float:
    """Return how much of a unit a history has from `start` up to `at` (ms)."""
    return _COUNTS[unit](actions, start, at)


def _between(actions: Sequence[Observed], start: int, at: int) -> Iterator[Observed]:
    """Yield what the customer said or wrote."""
    for action in actions:
        if start <= action.at <= at and action.side is Side.CUSTOMER:
            if action.channel is not Channel.CRM:
                yield action


def _questions(actions: Sequence[Observed], start: int, at: int) -> float:
    least = load_thresholds().section("tech_question_surge", TechQuestionSurgeThresholds).confidence
    return sum(is_technical_question(one, least) for one in _between(actions, start, at))


def _meetings(actions: Sequence[Observed], start: int, at: int) -> float:
    found = _between(actions, start, at)
    return len({one.session for one in found if one.channel is Channel.VOICE})


def _answers(actions: Sequence[Observed], start: int, at: int) -> float:
    """Count messages of the customer that something of the rep waited for, whenever that was written."""
    waiting, count = set[tuple[str, Channel]](), 0
    for one in actions:
        place = (one.session, one.channel)
        if asks(one):
            waiting.add(place)
        elif one.side is Side.CUSTOMER and one.channel in LETTERS and place in waiting:
            waiting.discard(place)
            count += start <= one.at <= at
    return count


def _asked(actions: Sequence[Observed], start: int, at: int) -> float:
    found = _between(actions, start, at)
    return sum(bool(one.topics & _DELIVERY) and one.kind in ASKS for one in found)


def _remarks(actions: Sequence[Observed], start: int, at: int) -> float:
    found = _between(actions, start, at)
    return sum(bool(one.topics & _OWNERSHIP) and bool(one.person) for one in found)


def _clock_days(actions: Sequence[Observed], start: int, at: int) -> float:
    """By the clock of `signals/circle.py`: a gap between appearances counts two days at most."""
    limits = load_thresholds().section("stakeholder_breadth_shift", BreadthThresholds)
    longest = limits.longest_gap_days * DAY_MS
    moments = [start, *(one.at for one in _between(actions, start, at))]
    gaps = (min(b - a, longest) for a, b in pairwise(moments))
    return sum(gaps) / DAY_MS


def _talk_days(actions: Sequence[Observed], start: int, at: int) -> float:
    return len({one.at // DAY_MS for one in _between(actions, start, at)})


def _legal_days(actions: Sequence[Observed], start: int, at: int) -> float:
    found = _between(actions, start, at)
    return len({one.at // DAY_MS for one in found if one.role in PAPER})


def _working_days(actions: Sequence[Observed], start: int, at: int) -> float:
    """By the calendar that fits the customer's habits best."""
    times, habit = working_times(load_thresholds()), Habit()
    for one in actions:
        times.note(habit, one)
    time = times.of(habit)
    return time.between(start, at) / time.day_ms


def _days(actions: Sequence[Observed], start: int, at: int) -> float:
    return (at - start) / DAY_MS


_COUNTS: Final[Mapping[Unit, Callable[[Sequence[Observed], int, int], float]]] = {
    Unit.QUESTIONS: _questions,
    Unit.MEETINGS: _meetings,
    Unit.ANSWERS: _answers,
    Unit.ASKS: _asked,
    Unit.REMARKS: _remarks,
    Unit.CLOCK_DAYS: _clock_days,
    Unit.TALK_DAYS: _talk_days,
    Unit.LEGAL_DAYS: _legal_days,
    Unit.WORKING_DAYS: _working_days,
    Unit.DAYS: _days,
}


class Compared(Struct, frozen=True):
    """Measured delays beside those of the table, with 95 % bootstrap intervals over the plants.

    `ratio` is the measured mean divided by the mean of the table for the same strengths; None where the
    table says at once.
    """

    plants: int
    measured: float
    measured_interval: Interval
    expected: float
    ratio: float | None
    ratio_interval: Interval | None

    @property
    def falls_short(self) -> bool:
        """Whether the ratio is certainly not that of the table: its whole interval lies outside."""
        if self.ratio_interval is None:
            return False
        low, high = self.ratio_interval
        return high < LEAST_RATIO or low > MOST_RATIO

    @property
    def is_near(self) -> bool:
        """Whether the ratio itself is near enough to 1."""
        return self.ratio is None or LEAST_RATIO <= self.ratio <= MOST_RATIO


def compare_delays(pairs: Sequence[tuple[float, float]]) -> Compared | None:
    """Return what (measured, expected) delays of plants amount to, None for no plants."""
    if not pairs:
        return None
    both = np.array(pairs)
    draws = np.random.default_rng(1)
    again = both[draws.integers(len(both), size=(_RESAMPLES, len(both)))].mean(axis=1)
    measured, expected = both.mean(axis=0)
    known = expected > 0.0
    return Compared(
        plants=len(both),
        measured=float(measured),
        measured_interval=_middle(again[:, 0]),
        expected=float(expected),
        ratio=float(measured / expected) if known else None,
        ratio_interval=_middle(again[:, 0] / again[:, 1]) if known else None,
    )


def _middle(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Interval:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
