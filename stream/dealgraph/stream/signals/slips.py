"""What R4 and R5 share: one slip of the tongue is enough for a hint, and calm talk ends it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

from msgspec import Struct, field

from dealgraph.graph.model import ActionKind, Polarity, Severity, Side, SignalKind, Topic, topic_set
from dealgraph.stream.signals.course import MINUTE, Course, Form, Reading, newest_ids
from dealgraph.stream.signals.detector import NEVER, NOTHING, Episode, Observed, Scope
from dealgraph.stream.signals.teams import HintState
from dealgraph.stream.signals.thresholds import Count, Positive, version_of

_MAX_SLIPS: Final = 64


class SlipThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of a rule about slips."""

    critical_mentions: Count
    calm_minutes: Positive
    cool_down_minutes: Positive


class Slip(Struct, frozen=True, gc=False):
    """A turn that should not have been."""

    id: str
    exposure_ms: int
    by_rep: bool


class SlipState(HintState):
    """The slips since the talk was last calm, the newest last."""

    slips: list[Slip] = field(default_factory=list)
    course: Course = field(default_factory=Course)


class Slips(ABC):
    """Watches a session for turns on a `topic` that should not come up; with `of_all`, not of reps alone."""

    rule: ClassVar[str]
    kind: ClassVar[SignalKind]
    topic: ClassVar[Topic]
    of_all: ClassVar[bool]
    definition: ClassVar[int]
    scope = Scope.SESSION

    def __init__(self, thresholds: SlipThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(self.definition, thresholds)
        self.topics = topic_set(self.topic)
        self.calm_ms = round(thresholds.calm_minutes * MINUTE)
        gap_ms = round(thresholds.cool_down_minutes * MINUTE)
        self.form = Form(self.kind, gap_ms, polarity=Polarity.NEGATIVE)

    @abstractmethod
    def explained(self, by_rep: int, by_others: int) -> str:
        """Return the sentence for people, given how many slips there were from whom."""

    def begin(self) -> SlipState:
        """Start watching a session."""
        return SlipState()

    def observe(self, state: SlipState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the session."""
        side, at, course = action.side, action.at, state.course
        by_rep = side is Side.REP
        if not action.topics & self.topics or action.kind is ActionKind.QUESTION:
            return NOTHING
        if side is Side.SYSTEM or not (by_rep or self.of_all):
            return NOTHING
        slip = Slip(action.id, action.exposure_ms, by_rep)
        state.slips = [*state.slips[1 - _MAX_SLIPS :], slip]
        state.due = at + self.calm_ms
        many = len(state.slips) >= self.thresholds.critical_mentions
        severity = Severity.CRITICAL if many else Severity.WARNING
        if course.open:
            return (course.go_on(self.form, at, severity, self._reading(state)),)
        if not course.may_begin(self.form, at):
            return NOTHING
        return (course.begin(self.form, at, severity, self._reading(state)),)

    def wake(self, state: SlipState, at: int) -> Sequence[Episode]:
        """Note that the talk has been calm for long enough."""
        state.due = NEVER
        reading = self._reading(state)
        state.slips = []
        return (state.course.end(self.form, at, reading),) if state.course.open else NOTHING

    def _reading(self, state: SlipState) -> Reading:
        slips = state.slips
        by_rep = sum(1 for slip in slips if slip.by_rep)
        return Reading(
            statistic=float(len(slips)),
            threshold=1.0,
            baseline=0.0,
            exposure_minutes=sum(slip.exposure_ms for slip in slips) / MINUTE,
            window_ms=self.calm_ms,
            evidence=newest_ids(slip.id for slip in reversed(slips)),
            explanation=self.explained(by_rep, len(slips) - by_rep),
        )
