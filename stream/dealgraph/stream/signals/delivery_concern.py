"""S5 DELIVERY_CONCERN_RECURRENCE: the customer keeps asking about delivery and gets no answer.

    ask     a question, worry or objection of the customer about delivery
    answer  a statement, answer or commitment of a rep about delivery
    k       asks since the last answer, within the window
    λ(t) = μ + Σ α·2^(−Δt/T)   over all asks, T the half-life: the self-exciting intensity, reported
                               as the statistic, because asks that follow each other weigh more

    on:  k ≥ asks, in at least `sessions` conversations
    off: an answer and no further ask for the settling time, or k ≤ asks/2 as the window passes on;
         both are seen at the next action about delivery. Then silent for the gap.

The threshold reported is the least λ that `asks` asks within the window can leave,
μ + α·(1 + (asks − 1)·2^(−W/T)), so a raised signal never shows a statistic below its threshold.
Source: signals.md S5 (SPIN: continuation instead of advance; Hawkes win-propensity, Yan 2015).
An action without a session counts as a conversation of its UTC day.
"""

from collections.abc import Sequence
from math import exp2
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import ActionKind, Polarity, Severity, Side, SignalKind, Topic, topic_set
from dealgraph.stream.signals.course import (
    DAY,
    HOUR,
    MAX_EVIDENCE,
    MINUTE,
    Course,
    Form,
    Reading,
    count_of,
    day_of,
    newest_ids,
)
from dealgraph.stream.signals.detector import (
    NEVER,
    NOTHING,
    Detector,
    Episode,
    Observed,
    Scope,
    State,
)
from dealgraph.stream.signals.gauge import Gauge
from dealgraph.stream.signals.thresholds import Count, Positive, Thresholds, version_of

_DELIVERY: Final = topic_set(Topic.DELIVERY)
_MAX_ASKS: Final = 64
_ASKS: Final = frozenset({ActionKind.DELIVERY_CONCERN, ActionKind.QUESTION, ActionKind.OBJECTION})
_ANSWERS: Final = frozenset({ActionKind.STATEMENT, ActionKind.ANSWER, ActionKind.COMMITMENT})


class DeliveryConcernThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of S5; intensities in asks per day."""

    window_days: Positive
    asks: Count
    critical_asks: Count
    sessions: Count
    settle_hours: Positive
    gap_hours: Positive
    base_intensity: Positive
    excitation: Positive
    half_life_days: Positive


class Ask(Struct, frozen=True, gc=False):
    """One ask about delivery."""

    at: int
    id: str
    session: str
    exposure_ms: int


class ConcernState(State):
    """The asks since the last answer, and the excitement they left."""

    asks: list[Ask] = field(default_factory=list)
    answer: tuple[int, str] | None = None
    quiet_since: int | None = None
    excitement: float = 0.0
    excited_at: int = 0
    course: Course = field(default_factory=Course)


class DeliveryConcern:
    """Watches the customer's asks about delivery and the answers to them."""

    rule = "S5"
    scope = Scope.OPPORTUNITY
    topics = _DELIVERY

    def __init__(self, thresholds: DeliveryConcernThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(2, thresholds)
        self.window_ms = round(thresholds.window_days * DAY)
        self.settle_ms = round(thresholds.settle_hours * HOUR)
        self.half_life_ms = thresholds.half_life_days * DAY
        gap_ms = round(thresholds.gap_hours * HOUR)
        self.form = Form(SignalKind.DELIVERY_CONCERN_RECURRENCE, gap_ms, polarity=Polarity.NEGATIVE)
        remains = exp2(-self.window_ms / self.half_life_ms)
        least = 1.0 + (thresholds.asks - 1) * remains
        self.least_intensity = thresholds.base_intensity + thresholds.excitation * least

    def begin(self) -> ConcernState:
        """Start watching an opportunity."""
        return ConcernState()

    def observe(self, state: ConcernState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the opportunity."""
        if not action.topics & _DELIVERY:
            return NOTHING
        asked = action.side is Side.CUSTOMER and action.kind in _ASKS
        answered = action.side is Side.REP and action.kind in _ANSWERS
        ended = self._settle(state, action.at)
        if answered:
            state.asks.clear()
            state.answer = (action.at, action.id)
            if state.quiet_since is None:
                state.quiet_since = action.at
        elif asked:
            state.quiet_since = None
            self._note(state, action)
            return ended or self._judge(state, action.at)
        return ended

    def wake(self, state: ConcernState, at: int) -> Sequence[Episode]:
        """Nothing happens with time alone."""
        state.due = NEVER
        return NOTHING

    def gauge(self, state: ConcernState, form: str, at: int) -> Gauge:
        """Return the intensity."""
        intensity = self.thresholds.base_intensity + self._excitement_at(state, at)
        return Gauge(intensity, self.least_intensity)

    def _settle(self, state: ConcernState, at: int) -> Sequence[Episode]:
        """Drop what left the window; end the episode when the concern had settled before `at`."""
        asks, quiet, faded = state.asks, state.quiet_since, False
        while asks and asks[0].at <= at - self.window_ms:
            asks.pop(0)
            faded = len(asks) <= self.thresholds.asks / 2.0
        settled = quiet is not None and at - quiet >= self.settle_ms
        if state.course.open and (settled or faded):
            return (state.course.end(self.form, at, self._reading(state, at)),)
        return NOTHING

    def _note(self, state: ConcernState, action: Observed) -> None:
        session = action.session or f"day {action.at // DAY}"
        state.asks.append(Ask(action.at, action.id, session, action.exposure_ms))
        del state.asks[:-_MAX_ASKS]
        state.excitement = self._excitement_at(state, action.at) + self.thresholds.excitation
        state.excited_at = action.at

    def _judge(self, state: ConcernState, at: int) -> Sequence[Episode]:
        limits, asks, course = self.thresholds, state.asks, state.course
        severity = Severity.CRITICAL if len(asks) >= limits.critical_asks else Severity.WARNING
        if course.open:
            return (course.go_on(self.form, at, severity, self._reading(state, at)),)
        if len(asks) < limits.asks or not course.may_begin(self.form, at):
            return NOTHING
        if len({ask.session for ask in asks}) < limits.sessions:
            return NOTHING
        return (course.begin(self.form, at, severity, self._reading(state, at)),)

    def _excitement_at(self, state: ConcernState, at: int) -> float:
        return state.excitement * exp2((state.excited_at - at) / self.half_life_ms)

    def _reading(self, state: ConcernState, at: int) -> Reading:
        base = self.thresholds.base_intensity
        chain = newest_ids(ask.id for ask in reversed(state.asks))
        if state.answer is not None:
            chain = (state.answer[1], *chain[-(MAX_EVIDENCE - 1) :])
        return Reading(
            statistic=base + self._excitement_at(state, at),
            threshold=self.least_intensity,
            baseline=base,
            exposure_minutes=sum(ask.exposure_ms for ask in state.asks) / MINUTE,
            window_ms=self.window_ms,
            evidence=chain,
            explanation=_explain(state),
        )


def _explain(state: ConcernState) -> str:
    asks = state.asks
    times = count_of(len(asks), "time", "times")
    sessions = count_of(len({ask.session for ask in asks}), "conversation", "conversations")
    if state.answer is None and not asks:
        return "The customer has not asked about delivery for a while, although nobody answered."
    if state.answer is None:
        return f"The customer asked about delivery {times} in {sessions} and got no answer yet."
    day = day_of(state.answer[0])
    if not asks:
        return f"Delivery was answered on {day}, and the customer has not asked again."
    return (
        f"The customer asked about delivery {times} in {sessions} since the last answer on {day}."
    )


def detectors(thresholds: Thresholds) -> tuple[Detector[ConcernState], ...]:
    """Return the detector of this module."""
    return (DeliveryConcern(thresholds.section("delivery_concern", DeliveryConcernThresholds)),)
