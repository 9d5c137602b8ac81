"""Working time of a deal: when its customer is at work, learnt from when its people are heard.

No source says which calendar a customer works by. So there are a few candidates as data (calendar, opening
hours, offset from UTC), and the deal has the one that explains best when its customer was heard:

    L_c = Σ over hours heard   ln(s / f_c)              inside the working time of candidate c
                               ln((1 − s) / (1 − f_c))  outside
    f_c the part of all time in which c is open, s = `share_inside`

the log-likelihood ratio of c against people who are heard at any time of the week; f_c keeps a candidate
with long hours from winning by its length. The usual candidate of the tenant begins with `usual_odds` (a
log-odds), and of equal ones the first in the data wins. What is said within an hour of an hour that was
counted says nothing new (a meeting is one habit, not fifty), so it is left out.

Detectors of silence hold a `Habit` in their state and ask `WorkingTimes` for the business time of it:

    times.note(state.habit, action)          # an action of a person; the customer's count
    time = times.of(state.habit)             # a BusinessTime: between, after
    state.due = due_after(time, at, wait)    # a moment later than `at`, or NEVER
"""

from datetime import date
from functools import lru_cache
from math import log
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.calendar import (
    WEEKENDS_ONLY,
    BusinessTime,
    HolidayCalendar,
    WorkingHours,
    china,
)
from dealgraph.stream.signals.detector import NEVER, Detector, Observed, State
from dealgraph.stream.signals.thresholds import (
    Positive,
    Share,
    ThresholdError,
    Thresholds,
    version_of,
)

_SECTION: Final = "working_time"
_FIRST: Final = date(1990, 1, 1)
"""Older times are refused where interactions are checked."""
_LAST: Final = date(2079, 12, 31)
"""After that nobody works, so no silence is ever too long."""
_HOUR_MS: Final = 3_600_000
_DAY_HOURS: Final = 24.0


class Candidate(Struct, frozen=True, forbid_unknown_fields=True):
    """A working time: days of a calendar, opening hours since local midnight, offset from UTC in hours."""

    calendar: str
    hours: tuple[tuple[float, float], ...]
    offset_hours: float


class WorkingTimeThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Which working times there are, by name, and how much it takes to leave the usual one."""

    usual: str
    usual_odds: Positive
    share_inside: Share
    candidates: dict[str, Candidate]


class _Together(Struct, frozen=True):
    own: Struct
    working_time: WorkingTimeThresholds


class Habit(Struct):
    """When the customer was heard: hours counted, and how many of them lie within each candidate's time.

    A part of a detector's state. `chosen` is the place of the candidate that fits best.
    """

    heard_at: int = -_HOUR_MS
    hours: int = 0
    inside: list[int] = field(default_factory=list)
    chosen: int = 0


class WorkingTimes:
    """The candidates of a tenant, the usual one first."""

    def __init__(self, thresholds: WorkingTimeThresholds) -> None:
        """Raise ThresholdError for a candidate that cannot be used, or a usual one that is none."""
        names = list(thresholds.candidates)
        if thresholds.usual not in names:
            raise ThresholdError(
                f"thresholds, section {_SECTION}: usual is {thresholds.usual!r}; "
                f"the candidates are {', '.join(names)}"
            )
        names.sort(key=lambda name: name != thresholds.usual)
        self.names: Final = tuple(names)
        self.times: Final = tuple(_business_time(n, thresholds.candidates[n]) for n in names)
        s = thresholds.share_inside
        open_parts = [_open_part(time) for time in self.times]
        self._inside: Final = tuple(log(s / f) for f in open_parts)
        self._outside: Final = tuple(log((1.0 - s) / (1.0 - f)) for f in open_parts)
        self._usual_odds: Final = thresholds.usual_odds
        self._thresholds: Final = thresholds

    def version_of(self, definition: int, section: Struct) -> str:
        """Return the version of a detector that depends on the working times as well as on its section."""
        return version_of(definition, _Together(section, self._thresholds))

    def of(self, habit: Habit) -> BusinessTime:
        """Return the business time of a deal."""
        return self.times[habit.chosen]

    def note(self, habit: Habit, action: Observed) -> None:
        """Take note of an action: that of a customer by voice, chat or mail tells when they work."""
        at = action.at
        if action.side is not Side.CUSTOMER or action.channel is Channel.CRM:
            return
        if at - habit.heard_at < _HOUR_MS:
            return
        habit.heard_at = at
        habit.hours += 1
        if not habit.inside:
            habit.inside = [0] * len(self.times)
        for place, time in enumerate(self.times):
            habit.inside[place] += time.is_open(at)
        habit.chosen = self._fittest(habit)

    def _fittest(self, habit: Habit) -> int:
        best, best_fit = 0, float("-inf")
        for place, inside in enumerate(habit.inside):
            outside = habit.hours - inside
            fit = inside * self._inside[place] + outside * self._outside[place]
            if place == 0:
                fit += self._usual_odds
            if fit > best_fit:
                best, best_fit = place, fit
        return best


def due_after(time: BusinessTime, at: int, worked_ms: int) -> int:
    """Return the moment `worked_ms` working milliseconds after `at`, later than `at`; else NEVER.

    NEVER where the calendar ends, so that a detector never asks for a moment that has passed.
    """
    moment = max(time.after(at, worked_ms), at + 1)
    return moment if time.between(at, moment) >= worked_ms else NEVER


def working_times(thresholds: Thresholds) -> WorkingTimes:
    """Return the working times of a tenant."""
    return WorkingTimes(thresholds.section(_SECTION, WorkingTimeThresholds))


def detectors(thresholds: Thresholds) -> tuple[Detector[State], ...]:
    """Return none: this module has a section of thresholds that detectors share, and it is checked here."""
    working_times(thresholds)
    return ()


def _calendars() -> dict[str, HolidayCalendar]:
    return {calendar.name: calendar for calendar in (china(), WEEKENDS_ONLY)}


@lru_cache(maxsize=64)
def _business_time(name: str, candidate: Candidate) -> BusinessTime:
    """Return the business time of a candidate; made once, for it takes 40 ms and 2 MB."""
    calendar = _calendars().get(candidate.calendar)
    where = f"thresholds, section {_SECTION}, candidate {name}"
    if calendar is None:
        known = ", ".join(sorted(_calendars()))
        raise ThresholdError(f"{where}: calendar is {candidate.calendar!r}; there are {known}")
    edges = [0.0, *(edge for span in candidate.hours for edge in span), _DAY_HOURS]
    if len(edges) == 2 or edges != sorted(edges) or any(a >= b for a, b in candidate.hours):
        raise ThresholdError(f"{where}: hours are spans like [9, 12] in order, between 0 and 24")
    spans = tuple((round(a * 60), round(b * 60)) for a, b in candidate.hours)
    hours = WorkingHours(spans, round(candidate.offset_hours * 60))
    return BusinessTime(calendar, hours, _FIRST, _LAST)


def _open_part(time: BusinessTime) -> float:
    """Return the part of all time in which a candidate is open, from five days of seven."""
    return time.day_ms / (_DAY_HOURS * _HOUR_MS) * 5.0 / 7.0
