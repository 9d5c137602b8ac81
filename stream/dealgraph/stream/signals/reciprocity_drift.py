"""S7 RECIPROCITY_DRIFT: the customer answers more slowly or faster than it used to, or not at all.

    wait    from a message of the rep in a chat or mail to the customer's answer there, in working time;
            u is its logarithm on one scale for both channels, m and s the usual of the deal (reply_waits.py)
    z       (u − m) / (s·√(1 + 1/(κ + n))), at most ±`most_z`: no single wait raises anything
    C⁺ = max(0, C⁺ + z − k),   C⁻ = max(0, C⁻ − z − k)      k = `drift` = 0.5, one step per answer

    SLOWING   C⁺ ≥ h at the end of a day; an open wait counts as if it were answered now
    WARMING   C⁻ ≥ h at the end of a day
              h = `recorded`, and pushed at `pushed`; since C was last zero, waits have changed by the factor
              `least_ratio` or more, on `least_days` or more. Off when C ≤ h/2 for a whole window
    GHOST     since the customer was last heard, on any channel, P(wait > now) < `ghost_pushed_probability`
              for at least `ghost_contacts` messages of different days or threads (pushed); or one message
              waits so long that P < `ghost_recorded_probability` (recorded). Off when the customer is heard.

The usual is learnt from every answer after it was judged, but not while SLOWING or WARMING lasts; the
first `warm_up` only teach. So z are recursive residuals: under no change independent and N(0, 1) whatever
the deal's own pace (a self-starting CUSUM, Hawkins 1987). A usual that is learnt with a delay is wrong for
weeks, and a wrong one is a drift.
Beside it: of the contacts in the window, how many the customer began, against Beta-Binomial(n, a, b) of
those before; a share that fits the drift makes it CRITICAL.
Source: signals.md S7 (Page's CUSUM; Gong "ghosted").
"""

from collections.abc import Iterable, Sequence
from math import sqrt
from statistics import NormalDist
from typing import Final

from msgspec.structs import replace

from dealgraph.graph.model import (
    ActionKind,
    Channel,
    Level,
    Severity,
    Side,
    SignalKind,
    Stage,
)
from dealgraph.stream.signals.course import DAY, HOUR, MINUTE, Form, Reading
from dealgraph.stream.signals.detector import (
    NEVER,
    NOTHING,
    Detector,
    Episode,
    Observed,
    Scope,
)
from dealgraph.stream.signals.reciprocity_reading import (
    closed_words,
    drift_reading,
    ghost_reading,
    heard_words,
)
from dealgraph.stream.signals.reciprocity_state import (
    FAST,
    FORMS,
    GHOST,
    SLOW,
    DriftState,
    drift_ratio,
    fits_drift,
    note_contact,
    take_wait,
)
from dealgraph.stream.signals.reply_waits import (
    LETTERS,
    Asked,
    ReciprocityThresholds,
    answered_minutes,
    asks,
    note_asked,
    open_minutes,
    take_answered,
)
from dealgraph.stream.signals.thresholds import Thresholds
from dealgraph.stream.signals.working_time import WorkingTimes, due_after, working_times

_CLOSED: Final = frozenset({Stage.WON, Stage.LOST, Stage.ONBOARDING})
_NORMAL: Final = NormalDist()


class ReciprocityDrift:
    """Watches how long the customer takes to answer, and whether it answers at all."""

    rule = "S7"
    scope = Scope.OPPORTUNITY
    topics = 0

    def __init__(self, thresholds: ReciprocityThresholds, times: WorkingTimes) -> None:
        self.thresholds = thresholds
        self.times = times
        self.version = times.version_of(1, thresholds)
        self.window_ms = round(thresholds.window_days * DAY)
        gap_ms = round(thresholds.gap_hours * HOUR)
        self.forms = [
            Form(SignalKind.RECIPROCITY_DRIFT, gap_ms, name, polarity) for name, polarity in FORMS
        ]
        self.ghost_z = (
            -_NORMAL.inv_cdf(thresholds.ghost_recorded_probability),
            -_NORMAL.inv_cdf(thresholds.ghost_pushed_probability),
        )

    def begin(self) -> DriftState:
        """Start watching an opportunity."""
        return DriftState(known=self.thresholds.prior_weight)

    def observe(self, state: DriftState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the opportunity."""
        if action.kind is ActionKind.STAGE_CHANGE:
            return self._turn(state, action)
        if state.closed or action.channel is Channel.CRM:
            return NOTHING
        if action.side is Side.CUSTOMER:
            return self._hear(state, action)
        if not asks(action):
            return NOTHING
        time = self.times.of(state.habit)
        note_contact(state, action, time, self.thresholds)
        if note_asked(state.asked, action, time):
            state.due = min(state.due, self._first_look(state, action))
        return NOTHING

    def wake(self, state: DriftState, at: int) -> Sequence[Episode]:
        """Judge open waits, and whether a drift is over."""
        if state.closed:
            state.due = NEVER
            return NOTHING
        found = self._judge(state, at)
        state.due = self._next_look(state, at)
        return found

    def _turn(self, state: DriftState, action: Observed) -> Sequence[Episode]:
        state.closed = action.stage in _CLOSED
        if not state.closed:
            return NOTHING
        state.due = NEVER
        ended = self._end(state, range(len(FORMS)), action.at, closed_words(action.at))
        state.asked.clear()
        return ended

    def _hear(self, state: DriftState, action: Observed) -> Sequence[Episode]:
        """Take an action of the customer: it answers what was open, and it is no ghost."""
        self.times.note(state.habit, action)
        ended: Sequence[Episode] = NOTHING
        if state.courses[GHOST].open:
            ended = self._end(state, (GHOST,), action.at, heard_words(action.at))
        state.heard_at = action.at
        if action.channel not in LETTERS:
            return ended
        time = self.times.of(state.habit)
        state.talk_ms += action.exposure_ms
        note_contact(state, action, time, self.thresholds)
        one = take_answered(state.asked, action)
        if one is None:
            return ended
        minutes = answered_minutes(time, one.at, action.at)
        u = self.thresholds.on_scale(action.channel, minutes)
        take_wait(state, u, action.at, time.worked(action.at) // time.day_ms, self.thresholds)
        state.note_answer(action)
        state.due = self._next_look(state, action.at)
        return ended

    def _judge(self, state: DriftState, at: int) -> Sequence[Episode]:
        """Say what the day that ends and open waits amount to."""
        found: list[Episode] = []
        if at % DAY == 0:
            for which in (SLOW, FAST):
                value = self._drift(state, which, at)
                found += self._raise(
                    state, which, at, value, self._drift_level(state, which, value)
                )
                found += self._settle(state, which, at, value)
        recorded, pushed = self.ghost_z
        waits = sorted((self._open_z(state, one, at) for one in state.open_asked()), reverse=True)
        contacts = self.thresholds.ghost_contacts
        if len(waits) >= contacts and waits[contacts - 1] >= pushed:
            found += self._raise(state, GHOST, at, waits[contacts - 1], Level.PUSHED)
        elif waits and waits[0] >= recorded:
            found += self._raise(state, GHOST, at, waits[0], Level.RECORDED)
        return found

    def _drift(self, state: DriftState, which: int, at: int) -> float:
        """Return C⁺ or C⁻; for C⁺ as if the longest open wait were answered now."""
        value = state.sums[which].level
        if which == SLOW:
            z = max((self._open_z(state, one, at) for one in state.open_asked()), default=0.0)
            value = max(value, value + min(z, self.thresholds.most_z) - self.thresholds.drift)
        return value

    def _drift_level(self, state: DriftState, which: int, value: float) -> Level | None:
        """Return the level of a drift: high enough, large enough, and on enough days."""
        limits, ratio = self.thresholds, drift_ratio(state, which, self.thresholds)
        small = max(ratio, 1.0 / ratio) < limits.least_ratio
        if value < limits.recorded or small or state.sums[which].days < limits.least_days:
            return None
        return Level.PUSHED if value >= limits.pushed else Level.RECORDED

    def _open_z(self, state: DriftState, one: Asked, at: int) -> float:
        """Return how many spreads above the usual an open wait is by now."""
        minutes = open_minutes(self.times.of(state.habit), one.at, at)
        return state.z_of(self.thresholds.on_scale(one.channel, minutes))

    def _first_look(self, state: DriftState, asked: Observed) -> int:
        """Return a moment up to which a message that was just asked changes nothing.

        Most are answered at once, so the calendar is left out: working time never runs faster than time.
        """
        midnight = (asked.at // DAY + 1) * DAY
        zs = self._limits_of_ghost(state)
        return (
            min(midnight, asked.at + self._worked_until(state, asked.channel, zs[0]))
            if zs
            else midnight
        )

    def _next_look(self, state: DriftState, at: int) -> int:
        """Return the next moment at which time alone could change what is found."""
        unanswered, looks = state.open_asked(), [NEVER]
        if unanswered or state.newest_at // DAY == at // DAY:
            looks.append((at // DAY + 1) * DAY)
        for one in unanswered:
            for z in self._limits_of_ghost(state):
                worked_ms = self._worked_until(state, one.channel, z)
                looks.append(due_after(self.times.of(state.habit), one.at, worked_ms))
        for one_sum in state.sums:
            if one_sum.quiet_since is not None:
                looks.append(one_sum.quiet_since + self.window_ms)
        return min(look for look in looks if look > at)

    def _worked_until(self, state: DriftState, channel: Channel, z: float) -> int:
        """Return after how many working milliseconds a wait is z spreads above the usual."""
        u = state.m + z * state.s * sqrt(1.0 + 1.0 / state.known)
        return int(self.thresholds.minutes(channel, u) * MINUTE) + 1

    def _limits_of_ghost(self, state: DriftState) -> Sequence[float]:
        """Return at which z an open wait would raise GHOST, or raise it higher."""
        ghost = state.courses[GHOST]
        if not ghost.open:
            return self.ghost_z
        return self.ghost_z[1:] if ghost.level is Level.RECORDED else ()

    def _settle(self, state: DriftState, which: int, at: int, value: float) -> Sequence[Episode]:
        """End a drift that has been low for a whole window."""
        one = state.sums[which]
        if not state.courses[which].open or value > self.thresholds.recorded / 2.0:
            one.quiet_since = None
            return NOTHING
        if one.quiet_since is None:
            one.quiet_since = at
        if at - one.quiet_since < self.window_ms:
            return NOTHING
        one.quiet_since = None
        return self._end(state, (which,), at)

    def _raise(
        self, state: DriftState, which: int, at: int, value: float, reached: Level | None
    ) -> Sequence[Episode]:
        """Raise, or raise higher, what says something new."""
        state.statistics[which] = value
        if reached is None:
            return NOTHING
        course, form = state.courses[which], self.forms[which]
        if not course.may_begin(form, at) and not (course.open and reached > course.level):
            return NOTHING
        severity = Severity.INFO
        if reached is Level.PUSHED:
            chance = 0.0 if which == GHOST else fits_drift(state, which, self.thresholds)
            fits = chance < self.thresholds.initiative_probability
            severity = Severity.CRITICAL if fits else Severity.WARNING
        reading = self._reading(state, which, at, reached)
        change = course.go_on if course.open else course.begin
        return (change(form, at, severity, reading, reached),)

    def _end(
        self, state: DriftState, forms: Iterable[int], at: int, words: str = ""
    ) -> Sequence[Episode]:
        found = []
        for which in forms:
            course = state.courses[which]
            if course.open:
                reading = self._reading(state, which, at, course.level)
                reading = replace(reading, explanation=words) if words else reading
                found.append(course.end(self.forms[which], at, reading))
        return found

    def _reading(self, state: DriftState, which: int, at: int, reached: Level) -> Reading:
        pushed = reached is Level.PUSHED
        if which == GHOST:
            time = self.times.of(state.habit)
            return ghost_reading(state, at, time, self.thresholds, self.ghost_z[pushed])
        threshold = self.thresholds.pushed if pushed else self.thresholds.recorded
        return drift_reading(state, which, self.thresholds, threshold)


def detectors(thresholds: Thresholds) -> tuple[Detector[DriftState], ...]:
    """Return the detector of this module."""
    section = thresholds.section("reciprocity_drift", ReciprocityThresholds)
    return (ReciprocityDrift(section, working_times(thresholds)),)
