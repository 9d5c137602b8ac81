"""DELIVERY_COMMITMENT: the customer's people speak of the delivery as their own.

    on:  at least `people` distinct known customer persons used ownership talk ("our go-live", a named
         owner on their side) within the window; pushed from pushed_people on
    off: no more than people/2 of them within the window, seen by a timer

Source: signals.md S5, the positive half. One enthusiast is not a commitment, so different persons
count, after merges; speakers whom nobody mapped do not count.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import (
    ActionKind,
    Level,
    Polarity,
    Side,
    SignalKind,
    Stage,
    Topic,
    topic_set,
)
from dealgraph.stream.signals.course import (
    DAY,
    HOUR,
    MINUTE,
    Course,
    Form,
    Reading,
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
from dealgraph.stream.signals.hysteresis import SEVERITY
from dealgraph.stream.signals.thresholds import Count, Positive, Thresholds, version_of
from dealgraph.stream.stages import CLOSED

_OWNERSHIP: Final = topic_set(Topic.OWNERSHIP)
_MAX_PEOPLE: Final = 64


class DeliveryCommitmentThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of DELIVERY_COMMITMENT."""

    window_days: Positive
    people: Count
    pushed_people: Count
    gap_hours: Positive


class Talk(Struct, frozen=True, gc=False):
    """The newest ownership talk of a person."""

    person: str
    at: int
    id: str
    exposure_ms: int


class OwnershipState(State):
    """Who spoke of the delivery as their own, the newest last."""

    talk: list[Talk] = field(default_factory=list)
    stage: Stage = Stage.UNKNOWN
    course: Course = field(default_factory=Course)


class DeliveryCommitment:
    """Watches who on the customer's side speaks of the delivery as their own."""

    rule = "S5-COMMITMENT"
    scope = Scope.OPPORTUNITY
    topics = _OWNERSHIP

    def __init__(self, thresholds: DeliveryCommitmentThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(3, thresholds)
        self.window_ms = round(thresholds.window_days * DAY)
        gap_ms = round(thresholds.gap_hours * HOUR)
        self.form = Form(SignalKind.DELIVERY_COMMITMENT, gap_ms, polarity=Polarity.POSITIVE)

    def begin(self) -> OwnershipState:
        """Start watching an opportunity."""
        return OwnershipState()

    def observe(self, state: OwnershipState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the opportunity."""
        if action.kind is ActionKind.STAGE_CHANGE:
            return self._move(state, action)
        if not action.topics & _OWNERSHIP or state.stage in CLOSED:
            return NOTHING
        if action.side is not Side.CUSTOMER or not action.person:
            return NOTHING
        at = action.at
        self._forget(state, at)
        others = [said for said in state.talk if said.person != action.person]
        joined = len(others) == len(state.talk)
        said = Talk(action.person, at, action.id, action.exposure_ms)
        state.talk = [*others, said][-_MAX_PEOPLE:]
        found = self._judge(state, at, joined=joined)
        self._ask_for_end(state)
        return found

    def wake(self, state: OwnershipState, at: int) -> Sequence[Episode]:
        """End the episode: too few spoke so within the window."""
        state.due = NEVER
        self._forget(state, at)
        return (state.course.end(self.form, at, self._reading(state.talk)),)

    def _move(self, state: OwnershipState, action: Observed) -> Sequence[Episode]:
        """Take note of the stage; the episode ends when the deal is closed."""
        state.stage = action.stage
        if action.stage not in CLOSED or not state.course.open:
            return NOTHING
        return self.wake(state, action.at)

    def _forget(self, state: OwnershipState, at: int) -> None:
        state.talk = [said for said in state.talk if said.at > at - self.window_ms]

    def _ask_for_end(self, state: OwnershipState) -> None:
        """Ask to be woken when no more than half of the people that raise are left in the window."""
        if not state.course.open:
            return
        last = max(0, len(state.talk) - 1 - self.thresholds.people // 2)
        state.due = state.talk[last].at + self.window_ms

    def _judge(self, state: OwnershipState, at: int, *, joined: bool) -> Sequence[Episode]:
        limits, course, form = self.thresholds, state.course, self.form
        pushed = len(state.talk) >= limits.pushed_people
        level = Level.PUSHED if pushed else Level.RECORDED
        if course.open:
            if not joined:
                return NOTHING
            return (course.go_on(form, at, SEVERITY[level], self._reading(state.talk), level),)
        if len(state.talk) < limits.people or not course.may_begin(form, at):
            return NOTHING
        return (course.begin(form, at, SEVERITY[level], self._reading(state.talk), level),)

    def _reading(self, talk: Sequence[Talk]) -> Reading:
        since = min((said.at for said in talk), default=None)
        when = f" since {day_of(since)}" if since is not None else ""
        people = "1 person" if len(talk) == 1 else f"{len(talk)} people"
        return Reading(
            statistic=float(len(talk)),
            threshold=float(self.thresholds.people),
            baseline=0.0,
            exposure_minutes=sum(said.exposure_ms for said in talk) / MINUTE,
            window_ms=self.window_ms,
            evidence=newest_ids(said.id for said in reversed(talk)),
            explanation=f"{people} at the customer spoke of the delivery as their own{when}.",
            minimum_effect=self.thresholds.people / self.thresholds.window_days,
        )


def detectors(thresholds: Thresholds) -> tuple[Detector[OwnershipState], ...]:
    """Return the detector of this module."""
    section = thresholds.section("delivery_commitment", DeliveryCommitmentThresholds)
    return (DeliveryCommitment(section),)
