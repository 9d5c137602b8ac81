"""S2 LEGAL_WINDOW_SHIFT: legal comes into a deal early or late, not when it should, or goes silent.

    legal    an action of the customer's legal, procurement or infosec people; or talk about the contract
             by anybody there: at least `topic_actions` actions on it, `topic_share` of what they say that day
    anchor   the first proposal (else qualification, for legal that comes before any proposal)
    x        asinh(days from anchor to legal), days = working days · 7/5, so that no holiday counts
    z        (x − median) / spread of won deals of the segment (spread = 1.4826 · MAD); prior below 20 deals

    EARLY      z ≤ −2, when legal is first heard; days of the calendar less a weekend, where they are more
    LATE       z ≥ +2, when legal is first heard, and P < 0.05 just before (it was not there unheard)
    OVERDUE    P(nobody of legal heard yet) < 0.05, at the end of a day on which the customer was heard
    WITHDRAWN  P(legal silent on so many days) < 0.05 since it was last heard, and at least `silent_days`

Silence counts only where somebody could have been heard. With F the distribution of x and q the chance that
legal is heard on a day on which its customer is, once it is there, after day n of observed talk

    P_n = A_n + 1 − F(t_n),   A_n = (A_{n−1} + F(t_n) − F(t_{n−1})) · (1 − q)

is the chance that all was as usual and yet nobody of legal was heard. It is never below the survival
P(T > t), and equals it where everything is recorded. For WITHDRAWN, q ~ Beta learns from the deal, and
P = Π (b + i) / (a + b + i) over the k silent days. A proposal that no CRM change shows may have come any
time since the change before: EARLY reckons with the first moment, LATE and OVERDUE with the last.

Source: signals.md S2 (pm4py's temporal profile; MEDDPICC's paper process).
"""

from collections.abc import Iterable, Sequence

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
from dealgraph.stream.signals.legal_reference import (
    WEEKEND_DAYS,
    Delays,
    LegalWindowThresholds,
    Reference,
    days_of,
)
from dealgraph.stream.signals.legal_state import (
    CLOSED,
    EARLY,
    FORMS,
    LATE,
    OVERDUE,
    WITHDRAWN,
    LegalState,
    Mark,
    is_legal,
    silence,
    unheard,
    z_of,
)
from dealgraph.stream.signals.legal_words import closed_words, delay_words, silence_words
from dealgraph.stream.signals.replay import shows, wake_until
from dealgraph.stream.signals.thresholds import Thresholds
from dealgraph.stream.signals.working_time import WorkingTimes, working_times


class LegalWindowShift:
    """Watches when legal comes into a deal, and whether it stays."""

    rule = "S2"
    scope = Scope.OPPORTUNITY
    topics = 0

    def __init__(self, thresholds: LegalWindowThresholds, times: WorkingTimes) -> None:
        self.thresholds = thresholds
        self.times = times
        self.version = times.version_of(1, thresholds)
        gap_ms = round(thresholds.gap_hours * HOUR)
        self.forms = [
            Form(SignalKind.LEGAL_WINDOW_SHIFT, gap_ms, name, polarity) for name, polarity in FORMS
        ]
        by_z = (thresholds.recorded_z, thresholds.pushed_z)
        by_chance = (z_of(thresholds.recorded_probability), z_of(thresholds.pushed_probability))
        self.limits = (by_z, by_z, by_chance, by_chance)

    def begin(self) -> LegalState:
        """Start watching an opportunity."""
        return LegalState()

    def observe(self, state: LegalState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the opportunity."""
        if action.kind is ActionKind.STAGE_CHANGE:
            return self._turn(state, action)
        if state.closed or action.side is not Side.CUSTOMER or action.channel is Channel.CRM:
            return NOTHING
        self.times.note(state.habit, action)
        state.exposure_ms += action.exposure_ms
        day = action.at // DAY
        if day != state.day:
            state.day, state.due = day, (day + 1) * DAY
            state.spoken = state.on_contract = 0
            state.legal_today = False
        state.spoken += 1
        if state.legal_today or not is_legal(state, action, self.thresholds):
            return NOTHING
        state.legal_today = True
        return self._hear(state, action)

    def wake(self, state: LegalState, at: int) -> Sequence[Episode]:
        """Judge the silence of legal at the end of a day on which the customer was heard."""
        state.due = NEVER
        if state.closed:
            return NOTHING
        if state.entered is None:
            return NOTHING if state.proposed is None else self._wait(state, state.proposed, at)
        if state.entered.at // DAY == state.day:
            return NOTHING
        if state.legal_today:
            state.legal_days += 1
            return NOTHING
        state.silent_days += 1
        if state.silent_days < self.thresholds.silent_days:
            return NOTHING
        return self._judge(state, WITHDRAWN, at, z_of(silence(state, self.thresholds)))

    def _turn(self, state: LegalState, action: Observed) -> Sequence[Episode]:
        """Take a change of stage: it may be an anchor, or the end."""
        at, stage, mark = action.at, action.stage, Mark(action.at, action.id)
        state.segment = action.segment or state.segment
        state.closed = stage in CLOSED
        if state.closed:
            state.due = NEVER
            return self._end(state, range(len(FORMS)), at, closed_words(at))
        before, state.changed_at = state.changed_at, at
        if stage is Stage.QUALIFICATION and state.qualified is None:
            state.qualified = mark
        if state.proposed is not None or stage < Stage.PROPOSAL:
            return NOTHING
        state.proposed = mark
        state.proposed_since = at if stage is Stage.PROPOSAL else before
        return NOTHING if state.entered is None else self._judge_entry(state, state.entered, at)

    def _hear(self, state: LegalState, action: Observed) -> Sequence[Episode]:
        """Take the first word of legal on a day."""
        at, mark = action.at, Mark(action.at, action.id)
        state.last = mark
        state.other_days += state.silent_days
        state.silent_days = 0
        if state.entered is not None:
            return self._end(state, (WITHDRAWN,), at)
        state.entered, state.entered_as = mark, action.role
        ended = self._end(state, (OVERDUE,), at)
        return [*ended, *self._judge_entry(state, mark, at)]

    def _judge_entry(self, state: LegalState, entered: Mark, at: int) -> Sequence[Episode]:
        """Say whether legal came early or late, now that it and an anchor are known."""
        reference, first, last = self._anchor(state)
        if first != NEVER:
            # A holiday after the proposal makes nobody early; of the calendar a weekend is forgiven.
            passed = (entered.at - first) / DAY - WEEKEND_DAYS
            days = max(self._days(state, first, entered.at), passed)
            if (z := reference.z(days)) <= -self.thresholds.recorded_z:
                return self._judge(state, EARLY, at, z)
        chance = unheard(state)
        if last == NEVER or chance >= self.thresholds.recorded_probability:
            return NOTHING
        return self._judge(state, LATE, at, reference.z(self._days(state, last, entered.at)))

    def _anchor(self, state: LegalState) -> tuple[Reference, int, int]:
        """Return the reference and the first and last moment at which its anchor can have been."""
        window = self.thresholds.window(state.segment)
        if state.proposed is not None:
            return window.proposal, state.proposed_since, state.proposed.at
        first = NEVER if state.qualified is None else state.qualified.at
        return window.qualification, first, NEVER

    def _wait(self, state: LegalState, proposed: Mark, at: int) -> Sequence[Episode]:
        """Take note of a day of talk without legal, after the proposal."""
        reference = self.thresholds.window(state.segment).proposal
        reached = max(state.reached, reference.reached(self._days(state, proposed.at, at)))
        missed = state.missed + reached - state.reached
        state.missed = missed * (1.0 - self.thresholds.presence)
        state.reached = reached
        state.unheard_days += 1
        return self._judge(state, OVERDUE, at, z_of(unheard(state)))

    def _days(self, state: LegalState, since: int, at: int) -> float:
        time = self.times.of(state.habit)
        return days_of(time.between(since, at), time.day_ms)

    def _judge(self, state: LegalState, which: int, at: int, z: float) -> Sequence[Episode]:
        """Raise or raise higher what z says, if it says anything new."""
        state.z[which] = z
        recorded, pushed = self.limits[which]
        beyond = -z if which == EARLY else z
        if beyond < recorded:
            return NOTHING
        level = Level.PUSHED if beyond >= pushed else Level.RECORDED
        severity = Severity.WARNING if level is Level.PUSHED else Severity.INFO
        course, form = state.courses[which], self.forms[which]
        if course.open and level > course.level:
            reading = self._reading(state, which, level, self._words(state, which, at))
            return (course.go_on(form, at, severity, reading, level),)
        if course.may_begin(form, at):
            reading = self._reading(state, which, level, self._words(state, which, at))
            return (course.begin(form, at, severity, reading, level),)
        return NOTHING

    def _end(
        self, state: LegalState, forms: Iterable[int], at: int, words: str = ""
    ) -> Sequence[Episode]:
        found = []
        for which in forms:
            course = state.courses[which]
            if course.open:
                said = words or self._words(state, which, at)
                reading = self._reading(state, which, course.level, said)
                found.append(course.end(self.forms[which], at, reading))
        return found

    def _words(self, state: LegalState, which: int, at: int) -> str:
        """Return the sentence for people."""
        if which == WITHDRAWN:
            last = at if state.last is None else state.last.at
            return silence_words(last, state.silent_days, silence(state, self.thresholds))
        reference, first, last = self._anchor(state)
        since = first if which == EARLY else last
        till = at if state.entered is None else state.entered.at
        who = None if state.entered is None else state.entered_as
        days = self._days(state, since, till)
        proposed = state.proposed is not None
        return delay_words(who, days, since, reference, proposed=proposed)

    def _reading(self, state: LegalState, which: int, level: Level, words: str) -> Reading:
        limit = self.limits[which][level is Level.PUSHED]
        reference, *_ = self._anchor(state)
        anchor = state.proposed or state.qualified
        evidence = {mark for mark in (anchor, state.entered, state.last) if mark is not None}
        return Reading(
            statistic=state.z[which],
            threshold=-limit if which == EARLY else limit,
            baseline=reference.median,
            exposure_minutes=state.exposure_ms / MINUTE,
            window_ms=0,
            evidence=tuple(mark.id for mark in sorted(evidence)),
            explanation=words,
            minimum_effect=limit,
        )


def delays(
    actions: Iterable[Observed], times: WorkingTimes, limits: LegalWindowThresholds
) -> Delays:
    """Return when legal came in a deal, for learning; `actions` are all of it in the order (at, id)."""
    detector = LegalWindowShift(limits, times)
    state = detector.begin()
    for action in actions:
        if shows(detector, action):
            list(wake_until(detector, state, action.at))
            detector.observe(state, action)
    entered, time = state.entered, times.of(state.habit)

    def since(anchor: Mark | None) -> float | None:
        if entered is None or anchor is None:
            return None
        return days_of(time.between(anchor.at, entered.at), time.day_ms)

    exact = state.proposed is not None and state.proposed_since == state.proposed.at
    return Delays(since(state.proposed) if exact else None, since(state.qualified))


def detectors(thresholds: Thresholds) -> tuple[Detector[LegalState], ...]:
    """Return the detector of this module."""
    section = thresholds.section("legal_window_shift", LegalWindowThresholds)
    return (LegalWindowShift(section, working_times(thresholds)),)
