"""S5 DELIVERY_CONCERN_RECURRENCE: the customer keeps asking about delivery and gets no answer.

    ask     a question, worry or objection of the customer about delivery
    answer  a statement, answer or commitment of a rep about delivery
    k       asks since the last answer, within the window
    λ(t) = μ + Σ α·2^(−Δt/T)   over all asks, T the half-life: the self-exciting intensity, reported
                               as the statistic, because asks that follow each other weigh more

    on:  k ≥ asks, in at least `sessions` conversations; pushed from pushed_asks on
    off: an answer and no further ask for the settling time, or k ≤ asks/2 as asks leave the window; both
         are seen by a timer. Then silent for the gap.

The threshold reported is the least λ that `asks` asks within the window can leave,
μ + α·(1 + (asks − 1)·2^(−W/T)), so a raised signal never shows a statistic below its threshold.
The least rate that can be found within a window is `asks` per window, if none of them is answered.
Source: signals.md S5 (SPIN: continuation instead of advance; Hawkes win-propensity, Yan 2015).
A conversation is a session within a UTC day: the chat room of a deal is one session for months.
"""

from collections.abc import Sequence
from math import exp2
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import (
    ActionKind,
    Level,
    Polarity,
    Severity,
    Side,
    SignalKind,
    Stage,
    Topic,
    topic_set,
)
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
from dealgraph.stream.stages import CLOSED

_DELIVERY: Final = topic_set(Topic.DELIVERY)
_MAX_ASKS: Final = 64
ASKS: Final = frozenset({ActionKind.DELIVERY_CONCERN, ActionKind.QUESTION, ActionKind.OBJECTION})
"""What of a customer's words on delivery is an ask."""
_ANSWERS: Final = frozenset({ActionKind.STATEMENT, ActionKind.ANSWER, ActionKind.COMMITMENT})


class DeliveryConcernThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of S5; intensities in asks per day."""

    window_days: Positive
    asks: Count
    pushed_asks: Count
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
    """The asks since the last answer, the newest asks and answers, and the excitement asks left."""

    asks: list[Ask] = field(default_factory=list)
    chain: list[str] = field(default_factory=list)
    answered_at: int | None = None
    quiet_since: int | None = None
    excitement: float = 0.0
    excited_at: int = 0
    stage: Stage = Stage.UNKNOWN
    course: Course = field(default_factory=Course)


class DeliveryConcern:
    """Watches the customer's asks about delivery and the answers to them."""

    rule = "S5"
    scope = Scope.OPPORTUNITY
    topics = _DELIVERY

    def __init__(self, thresholds: DeliveryConcernThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(3, thresholds)
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
        if action.kind is ActionKind.STAGE_CHANGE:
            return self._move(state, action)
        if not action.topics & _DELIVERY or state.stage in CLOSED:
            return NOTHING
        found: Sequence[Episode] = NOTHING
        if action.side is Side.REP and action.kind in _ANSWERS:
            self._note_answer(state, action)
        elif action.side is Side.CUSTOMER and action.kind in ASKS:
            self._note_ask(state, action)
            found = self._judge(state, action.at)
        self._ask_for_end(state)
        return found

    def wake(self, state: ConcernState, at: int) -> Sequence[Episode]:
        """End the episode: the concern has settled, or its asks are long ago."""
        state.due = NEVER
        self._forget(state, at)
        return (state.course.end(self.form, at, self._reading(state, at)),)

    def gauge(self, state: ConcernState, form: str, at: int) -> Gauge:
        """Return the intensity."""
        intensity = self.thresholds.base_intensity + self._excitement_at(state, at)
        return Gauge(intensity, self.least_intensity)

    def _move(self, state: ConcernState, action: Observed) -> Sequence[Episode]:
        """Take note of the stage; the episode ends when the deal is closed."""
        state.stage = action.stage
        if action.stage not in CLOSED or not state.course.open:
            return NOTHING
        return self.wake(state, action.at)

    def _note_answer(self, state: ConcernState, action: Observed) -> None:
        if state.quiet_since is None:
            state.quiet_since = action.at
        state.asks.clear()
        state.answered_at = action.at
        state.chain = [*state.chain, action.id][-MAX_EVIDENCE:]

    def _note_ask(self, state: ConcernState, action: Observed) -> None:
        self._forget(state, action.at)
        session = f"{action.session}/{action.at // DAY}"
        state.quiet_since = None
        state.asks.append(Ask(action.at, action.id, session, action.exposure_ms))
        del state.asks[:-_MAX_ASKS]
        state.chain = [*state.chain, action.id][-MAX_EVIDENCE:]
        state.excitement = self._excitement_at(state, action.at) + self.thresholds.excitation
        state.excited_at = action.at

    def _forget(self, state: ConcernState, at: int) -> None:
        """Drop the asks that have left the window."""
        while state.asks and state.asks[0].at <= at - self.window_ms:
            state.asks.pop(0)

    def _ask_for_end(self, state: ConcernState) -> None:
        """Ask to be woken when the open episode ends if nothing more is said."""
        state.due = NEVER
        if not state.course.open:
            return
        if state.quiet_since is not None:
            state.due = state.quiet_since + self.settle_ms
        if state.asks:
            # After that one has left, no more than half of the asks that raise are there.
            last = max(0, len(state.asks) - 1 - self.thresholds.asks // 2)
            state.due = min(state.due, state.asks[last].at + self.window_ms)

    def _judge(self, state: ConcernState, at: int) -> Sequence[Episode]:
        limits, asks, course = self.thresholds, state.asks, state.course
        level, severity = Level.RECORDED, Severity.INFO
        if len(asks) >= limits.pushed_asks:
            level = Level.PUSHED
            critical = len(asks) >= limits.critical_asks
            severity = Severity.CRITICAL if critical else Severity.WARNING
        if course.open:
            return (course.go_on(self.form, at, severity, self._reading(state, at), level),)
        if len(asks) < limits.asks or not course.may_begin(self.form, at):
            return NOTHING
        if len({ask.session for ask in asks}) < limits.sessions:
            return NOTHING
        return (course.begin(self.form, at, severity, self._reading(state, at), level),)

    def _excitement_at(self, state: ConcernState, at: int) -> float:
        return state.excitement * exp2((state.excited_at - at) / self.half_life_ms)

    def _reading(self, state: ConcernState, at: int) -> Reading:
        limits = self.thresholds
        return Reading(
            statistic=limits.base_intensity + self._excitement_at(state, at),
            threshold=self.least_intensity,
            baseline=limits.base_intensity,
            exposure_minutes=sum(ask.exposure_ms for ask in state.asks) / MINUTE,
            window_ms=self.window_ms,
            evidence=tuple(state.chain),
            explanation=_explain(state),
            minimum_effect=limits.asks / limits.window_days,
        )


def _explain(state: ConcernState) -> str:
    asks = state.asks
    times = count_of(len(asks), "time", "times")
    sessions = count_of(len({ask.session for ask in asks}), "conversation", "conversations")
    if state.answered_at is None and not asks:
        return "The customer has not asked about delivery for a while, although nobody answered."
    if state.answered_at is None:
        return f"The customer asked about delivery {times} in {sessions} and got no answer yet."
    day = day_of(state.answered_at)
    if not asks:
        return f"Delivery was answered on {day}, and the customer has not asked again."
    return (
        f"The customer asked about delivery {times} in {sessions} since the last answer on {day}."
    )


def detectors(thresholds: Thresholds) -> tuple[Detector[ConcernState], ...]:
    """Return the detector of this module."""
    return (DeliveryConcern(thresholds.section("delivery_concern", DeliveryConcernThresholds)),)
