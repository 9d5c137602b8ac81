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

from collections import deque
from math import exp2
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import ActionKind, Severity, Side, SignalKind, Topic, topic_set
from dealgraph.stream.signals.course import (
    DAY,
    HOUR,
    MAX_EVIDENCE,
    MINUTE,
    Course,
    Reading,
    count_of,
    day_of,
    newest_ids,
)
from dealgraph.stream.signals.detector import Detector, Episode, Observed, Scope
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


class DeliveryConcern:
    """Watches the customer's asks about delivery and the answers to them."""

    rule = "S5"
    scope = Scope.OPPORTUNITY
    topics = _DELIVERY

    def __init__(self, thresholds: DeliveryConcernThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(1, thresholds)
        self.window_ms = round(thresholds.window_days * DAY)
        self.settle_ms = round(thresholds.settle_hours * HOUR)
        self.half_life_ms = thresholds.half_life_days * DAY
        remains = exp2(-self.window_ms / self.half_life_ms)
        least = 1.0 + (thresholds.asks - 1) * remains
        self.least_intensity = thresholds.base_intensity + thresholds.excitation * least

    def watch(self) -> "DeliveryConcernWatch":
        """Start watching an opportunity."""
        return DeliveryConcernWatch(self)


class DeliveryConcernWatch:
    """The state of one opportunity: the asks since the last answer, and the excitement they left."""

    __slots__ = (
        "_answer",
        "_asks",
        "_course",
        "_definition",
        "_excited_at",
        "_excitement",
        "_quiet_since",
    )

    def __init__(self, definition: DeliveryConcern) -> None:
        self._definition = definition
        gap_ms = round(definition.thresholds.gap_hours * HOUR)
        self._course = Course(SignalKind.DELIVERY_CONCERN_RECURRENCE, gap_ms)
        self._asks: deque[Ask] = deque(maxlen=_MAX_ASKS)
        self._answer: tuple[int, str] | None = None
        self._quiet_since: int | None = None
        self._excitement = 0.0
        self._excited_at = 0

    def observe(self, action: Observed) -> Episode | None:
        """Take the next action of the opportunity."""
        if not action.topics & _DELIVERY:
            return None
        asked = action.side is Side.CUSTOMER and action.kind in _ASKS
        answered = action.side is Side.REP and action.kind in _ANSWERS
        ended = self._settle(action.at)
        if answered:
            self._asks.clear()
            self._answer = (action.at, action.id)
            if self._quiet_since is None:
                self._quiet_since = action.at
        elif asked:
            self._quiet_since = None
            self._note(action)
            return ended or self._judge(action.at)
        return ended

    def _settle(self, at: int) -> Episode | None:
        """Drop what left the window; end the episode when the concern had settled before `at`."""
        definition, asks = self._definition, self._asks
        quiet, faded = self._quiet_since, False
        while asks and asks[0].at <= at - definition.window_ms:
            asks.popleft()
            faded = len(asks) <= definition.thresholds.asks / 2.0
        settled = quiet is not None and at - quiet >= definition.settle_ms
        if self._course.open and (settled or faded):
            return self._course.end(at, self._reading(at))
        return None

    def _note(self, action: Observed) -> None:
        session = action.session or f"day {action.at // DAY}"
        self._asks.append(Ask(action.at, action.id, session, action.exposure_ms))
        self._excitement = self._excitement_at(action.at) + self._definition.thresholds.excitation
        self._excited_at = action.at

    def _judge(self, at: int) -> Episode | None:
        limits, asks, course = self._definition.thresholds, self._asks, self._course
        severity = Severity.CRITICAL if len(asks) >= limits.critical_asks else Severity.WARNING
        if course.open:
            return course.go_on(at, severity, self._reading(at))
        if len(asks) < limits.asks or not course.may_begin(at):
            return None
        if len({ask.session for ask in asks}) < limits.sessions:
            return None
        return course.begin(at, severity, self._reading(at))

    def _excitement_at(self, at: int) -> float:
        return self._excitement * exp2((self._excited_at - at) / self._definition.half_life_ms)

    def _reading(self, at: int) -> Reading:
        definition, asks = self._definition, self._asks
        base = definition.thresholds.base_intensity
        chain = newest_ids(ask.id for ask in reversed(asks))
        if self._answer is not None:
            chain = (self._answer[1], *chain[-(MAX_EVIDENCE - 1) :])
        return Reading(
            statistic=base + self._excitement_at(at),
            threshold=definition.least_intensity,
            baseline=base,
            exposure_minutes=sum(ask.exposure_ms for ask in asks) / MINUTE,
            window_ms=definition.window_ms,
            evidence=chain,
            explanation=self._explain(),
        )

    def _explain(self) -> str:
        asks = self._asks
        times = count_of(len(asks), "time", "times")
        sessions = count_of(len({ask.session for ask in asks}), "conversation", "conversations")
        if self._answer is None and not asks:
            return (
                "The customer has not asked about delivery for a while, although nobody answered."
            )
        if self._answer is None:
            return f"The customer asked about delivery {times} in {sessions} and got no answer yet."
        day = day_of(self._answer[0])
        if not asks:
            return f"Delivery was answered on {day}, and the customer has not asked again."
        return f"The customer asked about delivery {times} in {sessions} since the last answer on {day}."


def detectors(thresholds: Thresholds) -> tuple[Detector, ...]:
    """Return the detector of this module."""
    return (DeliveryConcern(thresholds.section("delivery_concern", DeliveryConcernThresholds)),)
