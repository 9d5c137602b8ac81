"""DELIVERY_COMMITMENT: the customer's people speak of the delivery as their own.

    raise when at least `people` distinct known customer persons used ownership talk ("our go-live",
    a named owner on their side) within the window; on at h people, off at h/2

Source: signals.md S5, the positive half. One enthusiast is not a commitment, so different persons
count, after merges; speakers whom nobody mapped do not count. It is good news: severity INFO.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import Polarity, Severity, Side, SignalKind, Topic, topic_set
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
from dealgraph.stream.signals.thresholds import Count, Positive, Thresholds, version_of

_OWNERSHIP: Final = topic_set(Topic.OWNERSHIP)
_MAX_PEOPLE: Final = 64


class DeliveryCommitmentThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of DELIVERY_COMMITMENT."""

    window_days: Positive
    people: Count
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
    course: Course = field(default_factory=Course)


class DeliveryCommitment:
    """Watches who on the customer's side speaks of the delivery as their own."""

    rule = "S5-COMMITMENT"
    scope = Scope.OPPORTUNITY
    topics = _OWNERSHIP

    def __init__(self, thresholds: DeliveryCommitmentThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(2, thresholds)
        self.window_ms = round(thresholds.window_days * DAY)
        gap_ms = round(thresholds.gap_hours * HOUR)
        self.form = Form(SignalKind.DELIVERY_COMMITMENT, gap_ms, polarity=Polarity.POSITIVE)

    def begin(self) -> OwnershipState:
        """Start watching an opportunity."""
        return OwnershipState()

    def observe(self, state: OwnershipState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the opportunity."""
        if not action.topics & _OWNERSHIP:
            return NOTHING
        if action.side is not Side.CUSTOMER or not action.person:
            return NOTHING
        at, course, form = action.at, state.course, self.form
        oldest = at - self.window_ms
        talk = [said for said in state.talk if said.at > oldest][-_MAX_PEOPLE + 1 :]
        needed = self.thresholds.people
        # What had faded before this action ends first; the action itself counts from now on.
        faded = course.open and len(talk) <= needed / 2.0
        last = self._reading(talk) if faded else None
        others = [said for said in talk if said.person != action.person]
        joined = len(others) == len(talk)
        state.talk = talk = [*others, Talk(action.person, at, action.id, action.exposure_ms)]
        if last is not None:
            return (course.end(form, at, last),)
        if course.open:
            grown = course.go_on(form, at, Severity.INFO, self._reading(talk)) if joined else None
            return NOTHING if grown is None else (grown,)
        if len(talk) >= needed and course.may_begin(form, at):
            return (course.begin(form, at, Severity.INFO, self._reading(talk)),)
        return NOTHING

    def wake(self, state: OwnershipState, at: int) -> Sequence[Episode]:
        """Nothing happens with time alone."""
        state.due = NEVER
        return NOTHING

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
        )


def detectors(thresholds: Thresholds) -> tuple[Detector[OwnershipState], ...]:
    """Return the detector of this module."""
    section = thresholds.section("delivery_commitment", DeliveryCommitmentThresholds)
    return (DeliveryCommitment(section),)
