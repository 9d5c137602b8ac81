"""R3 UNANSWERED_QUESTION: the customer asked, and the rep talks on without an answer.

    T    the rep's talk since the question, off its topics, without a turn of anybody else
    an answer: a turn that says that it answers, the first turn after the question when it is on one of
               its topics, or `answer_seconds` of talk on them

    on:  a question is open and T ≥ limit        off: it is answered, or somebody else takes the floor,
                                                      or the talk is over (silence of `silence_minutes`)

Source: signals.md R3 (more than 90 s of monologue after a question). WARNING; several open questions
are CRITICAL. Turns shorter than a `backchannel` ("mm-hm") neither take the floor nor answer. A speaker
whom nobody mapped takes the floor but asks nothing: it may be a colleague. A question that the customer
lets go by talking of something else is no longer open: the hint is for what is still wanted.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import ActionKind, Polarity, Severity, Side, SignalKind
from dealgraph.stream.signals.course import MAX_EVIDENCE, MINUTE, Course, Form, Reading, count_of
from dealgraph.stream.signals.detector import NEVER, NOTHING, Detector, Episode, Observed, Scope
from dealgraph.stream.signals.teams import HintState, by_team
from dealgraph.stream.signals.thresholds import Count, Positive, Share, Thresholds, version_of

_MAX_QUESTIONS: Final = MAX_EVIDENCE // 2
_ASKS: Final = frozenset({ActionKind.QUESTION, ActionKind.DELIVERY_CONCERN})
"""A question or worry about delivery is of a kind of its own."""


class UnansweredQuestionThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of R3."""

    talk_seconds: Positive
    answer_seconds: Positive
    backchannel_seconds: Positive
    minimum_confidence: Share
    critical_questions: Count
    silence_minutes: Positive
    cool_down_minutes: Positive


class Question(Struct, frozen=True, gc=False):
    """A question of the customer that is open, and how long the rep talked on its `topics` so far."""

    id: str
    topics: int
    touched_ms: int = 0


class FloorState(HintState):
    """Who has the floor: the open questions, and the rep's newest turns and talk since them."""

    questions: list[Question] = field(default_factory=list)
    talk_ms: int = 0
    turns: list[str] = field(default_factory=list)
    course: Course = field(default_factory=Course)


class UnansweredQuestion:
    """Watches whether the customer's questions are answered."""

    rule = "R3"
    scope = Scope.SESSION
    topics = 0

    def __init__(self, thresholds: UnansweredQuestionThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(1, thresholds)
        self.limit_ms = round(thresholds.talk_seconds * 1000)
        self.answer_ms = round(thresholds.answer_seconds * 1000)
        self.backchannel_ms = round(thresholds.backchannel_seconds * 1000)
        self.silence_ms = round(thresholds.silence_minutes * MINUTE)
        cool_down_ms = round(thresholds.cool_down_minutes * MINUTE)
        self.form = Form(SignalKind.UNANSWERED_QUESTION, cool_down_ms, polarity=Polarity.NEGATIVE)

    def begin(self) -> FloorState:
        """Start watching a session."""
        return FloorState()

    def observe(self, state: FloorState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the session."""
        side = action.side
        if side is Side.REP:
            return self._hear_rep(state, action) if state.questions else NOTHING
        if side is Side.SYSTEM:
            return NOTHING
        asks = side is Side.CUSTOMER and self._asks(action)
        if not asks and action.exposure_ms < self.backchannel_ms:
            return NOTHING
        ended = self._end(state, action.at) if state.turns else NOTHING
        if state.turns or not asks:
            state.questions, state.talk_ms, state.turns = [], 0, []
        if asks:
            state.questions = [*state.questions, Question(action.id, action.topics)]
            del state.questions[:-_MAX_QUESTIONS]
        return ended

    def wake(self, state: FloorState, at: int) -> Sequence[Episode]:
        """Note that the talk is over: what was open is open no more."""
        ended = self._end(state, at)
        state.questions, state.talk_ms, state.turns = [], 0, []
        return ended

    def _asks(self, action: Observed) -> bool:
        return action.kind in _ASKS and action.confidence >= self.thresholds.minimum_confidence

    def _hear_rep(self, state: FloorState, action: Observed) -> Sequence[Episode]:
        left = self._still_open(state, action)
        if not left:
            ended = self._end(state, action.at, action.id)
            state.questions, state.talk_ms, state.turns = [], 0, []
            return ended
        state.questions = left
        if all(question.topics & action.topics == 0 for question in left):
            state.talk_ms += action.exposure_ms
        state.turns = [*state.turns[1 - _MAX_QUESTIONS :], action.id]
        at, course = action.at, state.course
        if course.open:
            state.due = at + self.silence_ms
            return NOTHING
        if state.talk_ms < self.limit_ms or not course.may_begin(self.form, at):
            return NOTHING
        state.due = at + self.silence_ms
        many = len(left) >= self.thresholds.critical_questions
        severity = Severity.CRITICAL if many else Severity.WARNING
        return (course.begin(self.form, at, severity, self._reading(state)),)

    def _still_open(self, state: FloorState, turn: Observed) -> list[Question]:
        """Return the questions that a turn of the rep leaves open."""
        if turn.kind is ActionKind.ANSWER and turn.exposure_ms >= self.backchannel_ms:
            return []
        left = []
        for question in state.questions:
            if question.topics & turn.topics:
                touched_ms = question.touched_ms + turn.exposure_ms
                if not state.turns or touched_ms >= self.answer_ms:
                    continue
                question = Question(question.id, question.topics, touched_ms)
            left.append(question)
        return left

    def _end(self, state: FloorState, at: int, answer: str = "") -> Sequence[Episode]:
        state.due = NEVER
        if not state.course.open:
            return NOTHING
        return (state.course.end(self.form, at, self._reading(state, answer)),)

    def _reading(self, state: FloorState, answer: str = "") -> Reading:
        asked = count_of(len(state.questions), "question", "questions")
        seconds, limit = state.talk_ms / 1000.0, self.thresholds.talk_seconds
        return Reading(
            statistic=seconds,
            threshold=limit,
            baseline=0.0,
            exposure_minutes=state.talk_ms / MINUTE,
            window_ms=0,
            evidence=(
                *(question.id for question in state.questions),
                *state.turns[1 if answer else 0 :],
                *((answer,) if answer else ()),
            ),
            explanation=(
                f"The customer asked {asked}, and the rep talked for {seconds:.0f} seconds since then, "
                f"where {limit:.0f} are the limit, and nothing in it answers."
            ),
        )


def detectors(thresholds: Thresholds) -> tuple[Detector[FloorState], ...]:
    """Return the detector of this module."""
    form = UnansweredQuestionThresholds
    return (by_team(thresholds, "unanswered_question", form, UnansweredQuestion),)
