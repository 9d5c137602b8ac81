"""DELIVERY_COMMITMENT: the customer's people speak of the delivery as their own.

    raise when at least `people` distinct known customer persons used ownership talk ("our go-live",
    a named owner on their side) within the window; on at h people, off at h/2

Source: signals.md S5, the positive half. One enthusiast is not a commitment, so different persons
count, after merges; speakers whom nobody mapped do not count. It is good news: severity INFO.
"""

from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Severity, Side, SignalKind, Topic, topic_set
from dealgraph.stream.signals.course import DAY, HOUR, MINUTE, Course, Reading, day_of, newest_ids
from dealgraph.stream.signals.detector import Detector, Episode, Observed, Scope
from dealgraph.stream.signals.thresholds import Count, Positive, Thresholds, version_of

_OWNERSHIP: Final = topic_set(Topic.OWNERSHIP)
_MAX_PEOPLE: Final = 64


class DeliveryCommitmentThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of DELIVERY_COMMITMENT."""

    window_days: Positive
    people: Count
    gap_hours: Positive


class DeliveryCommitment:
    """Watches who on the customer's side speaks of the delivery as their own."""

    rule = "S5-COMMITMENT"
    scope = Scope.OPPORTUNITY
    topics = _OWNERSHIP

    def __init__(self, thresholds: DeliveryCommitmentThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(1, thresholds)
        self.window_ms = round(thresholds.window_days * DAY)

    def watch(self) -> "DeliveryCommitmentWatch":
        """Start watching an opportunity."""
        return DeliveryCommitmentWatch(self)


class DeliveryCommitmentWatch:
    """The state of one opportunity: the newest ownership talk of each person."""

    __slots__ = ("_course", "_definition", "_talk")

    def __init__(self, definition: DeliveryCommitment) -> None:
        self._definition = definition
        gap_ms = round(definition.thresholds.gap_hours * HOUR)
        self._course = Course(SignalKind.DELIVERY_COMMITMENT, gap_ms)
        self._talk: dict[str, tuple[int, str, int]] = {}

    def observe(self, action: Observed) -> Episode | None:
        """Take the next action of the opportunity."""
        if not action.topics & _OWNERSHIP:
            return None
        if action.side is not Side.CUSTOMER or not action.person:
            return None
        at, talk, course = action.at, self._talk, self._course
        self._forget(at - self._definition.window_ms)
        needed = self._definition.thresholds.people
        # What had faded before this action ends first; the action itself counts from now on.
        faded = course.open and len(talk) <= needed / 2.0
        last = self._reading() if faded else None
        joined = action.person not in talk
        talk.pop(action.person, None)
        talk[action.person] = (at, action.id, action.exposure_ms)
        if last is not None:
            return course.end(at, last)
        if course.open:
            return course.go_on(at, Severity.INFO, self._reading()) if joined else None
        if len(talk) >= needed and course.may_begin(at):
            return course.begin(at, Severity.INFO, self._reading())
        return None

    def _forget(self, oldest: int) -> None:
        """Drop what left the window; the order of the dictionary is that of the newest talk."""
        talk = self._talk
        while talk:
            person = next(iter(talk))
            if talk[person][0] > oldest and len(talk) < _MAX_PEOPLE:
                return
            del talk[person]

    def _reading(self) -> Reading:
        definition, talk = self._definition, self._talk
        since = min((at for at, _, _ in talk.values()), default=None)
        when = f" since {day_of(since)}" if since is not None else ""
        people = "1 person" if len(talk) == 1 else f"{len(talk)} people"
        return Reading(
            statistic=float(len(talk)),
            threshold=float(definition.thresholds.people),
            baseline=0.0,
            exposure_minutes=sum(exposure for _, _, exposure in talk.values()) / MINUTE,
            window_ms=definition.window_ms,
            evidence=newest_ids(name for _, name, _ in reversed(talk.values())),
            explanation=f"{people} at the customer spoke of the delivery as their own{when}.",
        )


def detectors(thresholds: Thresholds) -> tuple[Detector, ...]:
    """Return the detector of this module."""
    section = thresholds.section("delivery_commitment", DeliveryCommitmentThresholds)
    return (DeliveryCommitment(section),)
