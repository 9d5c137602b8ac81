"""The circle of a deal: which people of the customer take part, by when they were last heard.

Person i appears with the first thing said in a session, or in it again after a pause. Between two
appearances the clock τ of the circle goes on by their distance in days, but at most by a longest gap: so
while nothing is recorded nobody has left. With Δτ_i since the last appearance of i

    B = Σ_i min(1, 2^(−Δτ_i / half-life))          about how many take part

`Mark`s remember B, people of the paper process left out: they come when there is a contract, in every deal.
"""

from collections.abc import Iterable
from math import exp2
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import Channel, Role, Side
from dealgraph.stream.signals.course import DAY, MAX_EVIDENCE
from dealgraph.stream.signals.detector import Observed

_MOST_PEOPLE: Final = 64
_MOST_MARKS: Final = 64
_MARK_DAYS: Final = 0.5
_PAPER: Final = frozenset({Role.LEGAL, Role.PROCUREMENT, Role.INFOSEC})


class Person(Struct):
    """Who was heard: newest appearance, first one on the clock, newest action."""

    at: int
    id: str
    clock: float
    first: float
    role: Role
    session: str
    last_at: int


class Mark(Struct, frozen=True, gc=False):
    """How many took part at a time of the clock, after so many appearances and so much talk."""

    clock: float
    at: int
    breadth: float
    appearances: int
    talk_ms: int


class Circle(Struct):
    """Who was heard when, the newest last, and how many took part within the lag; a part of a state."""

    people: dict[str, Person] = field(default_factory=dict)
    clock: float = 0.0
    heard_at: int = 0
    appearances: int = 0
    talk_ms: int = 0
    marks: list[Mark] = field(default_factory=list)

    def breadth(self, half_life: float, *, paper: bool) -> float:
        """Return B, with or without the people of the paper process."""
        return sum(
            exp2((person.clock - self.clock) / half_life)
            for person in self.people.values()
            if paper or person.role not in _PAPER
        )


class Watcher:
    """Follows a circle; times in days."""

    def __init__(self, pause_ms: int, longest_gap: float, half_life: float, lag: float) -> None:
        self._pause_ms = pause_ms
        self._longest_gap = longest_gap
        self._half_life = half_life
        self._lag = lag

    def take(self, circle: Circle, action: Observed) -> bool:
        """Take the next action; say whether somebody appeared with it."""
        if action.side is not Side.CUSTOMER or not action.person or action.channel is Channel.CRM:
            return False
        circle.talk_ms += action.exposure_ms
        known = circle.people.get(action.person)
        if known is not None:
            last_at, known.last_at = known.last_at, action.at
            if known.session == action.session and action.at - last_at < self._pause_ms:
                return False
        self._appear(circle, action, known)
        return True

    def before(self, circle: Circle) -> Mark | None:
        """Return how it was a lag ago, None while that is not known."""
        marks = circle.marks
        return marks[0] if marks and marks[0].clock <= circle.clock - self._lag else None

    def _appear(self, circle: Circle, action: Observed, known: Person | None) -> None:
        if circle.people:
            circle.clock += min((action.at - circle.heard_at) / DAY, self._longest_gap)
        circle.heard_at, clock = action.at, circle.clock
        first = clock if known is None else known.first
        circle.people.pop(action.person, None)
        if len(circle.people) == _MOST_PEOPLE:
            del circle.people[next(iter(circle.people))]
        circle.people[action.person] = Person(
            action.at, action.id, clock, first, action.role, action.session, action.at
        )
        if action.role not in _PAPER:
            circle.appearances += 1
            self._mark(circle, action.at)

    def _mark(self, circle: Circle, at: int) -> None:
        """Remember how it is now; of the marks before the lag only the newest is needed."""
        breadth = circle.breadth(self._half_life, paper=False)
        marks = circle.marks
        # Half a day is fine enough, so the newest mark moves on until it is that far from the one before.
        if len(marks) > 1 and circle.clock - marks[-2].clock < _MARK_DAYS:
            marks.pop()
        marks.append(Mark(circle.clock, at, breadth, circle.appearances, circle.talk_ms))
        while len(marks) > 1 and marks[1].clock <= circle.clock - self._lag:
            marks.pop(0)
        del marks[:-_MOST_MARKS]


def word(role: Role) -> str:
    """Return the name of a role for people."""
    return "somebody" if role is Role.UNKNOWN else role.name.lower().replace("_", " ")


def words(people: Iterable[Person]) -> str:
    """Return the roles of people for people, "" for none."""
    return ", ".join(sorted({word(person.role) for person in people}))


def newest(people: Iterable[Person]) -> tuple[str, ...]:
    """Return the newest appearance of each of the ten heard last, in order of time."""
    places = sorted((person.at, person.id) for person in people)
    return tuple(id_ for _, id_ in places[-MAX_EVIDENCE:])
