"""What S2 remembers of a deal, and how likely it is that nobody of legal is heard."""

from math import exp, lgamma
from statistics import NormalDist
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import Polarity, Role, Stage, Topic, topic_set
from dealgraph.stream.signals.course import Course
from dealgraph.stream.signals.detector import NEVER, Observed, State
from dealgraph.stream.signals.legal_reference import LegalWindowThresholds
from dealgraph.stream.signals.working_time import Habit

_PAPER: Final = frozenset({Role.LEGAL, Role.PROCUREMENT, Role.INFOSEC})
_CONTRACT: Final = topic_set(Topic.LEGAL)
_NORMAL: Final = NormalDist()
_LEAST_CHANCE: Final = 1e-12

CLOSED: Final = frozenset({Stage.WON, Stage.LOST, Stage.ONBOARDING})
EARLY, LATE, OVERDUE, WITHDRAWN = range(4)
FORMS: Final = (
    ("EARLY", Polarity.POSITIVE),
    ("LATE", Polarity.NEGATIVE),
    ("OVERDUE", Polarity.NEGATIVE),
    ("WITHDRAWN", Polarity.NEGATIVE),
)


class Mark(Struct, frozen=True, order=True):
    """A moment that matters, and the action that shows it."""

    at: int
    id: str


class LegalState(State):
    """When proposal and legal came, how surprising it is that they did not, and what today brought.

    `proposed` is the newest moment at which the proposal can have come, `proposed_since` the oldest (NEVER
    when nothing says so). `missed` is A and `reached` F of the newest day that is over. `legal_days`,
    `other_days` and `silent_days` count days on which the customer was heard after that of the entry:
    with legal, without, and without since legal was `last` heard. Lists have one item per form.
    """

    habit: Habit = field(default_factory=Habit)
    segment: str = ""
    closed: bool = False
    qualified: Mark | None = None
    proposed: Mark | None = None
    proposed_since: int = NEVER
    changed_at: int = NEVER
    entered: Mark | None = None
    entered_as: Role = Role.UNKNOWN
    last: Mark | None = None
    day: int = -1
    spoken: int = 0
    on_contract: int = 0
    legal_today: bool = False
    missed: float = 0.0
    reached: float = 0.0
    unheard_days: int = 0
    legal_days: int = 0
    other_days: int = 0
    silent_days: int = 0
    exposure_ms: int = 0
    z: list[float] = field(default_factory=lambda: [0.0] * len(FORMS))
    courses: list[Course] = field(default_factory=lambda: [Course() for _ in FORMS])


def is_legal(state: LegalState, action: Observed, limits: LegalWindowThresholds) -> bool:
    """Say whether legal is heard in an action of the customer; counts what is on the contract today."""
    if action.role in _PAPER:
        return True
    if not action.topics & _CONTRACT:
        return False
    state.on_contract += 1
    enough = state.on_contract >= limits.topic_share * state.spoken
    return enough and state.on_contract >= limits.topic_actions


def unheard(state: LegalState) -> float:
    """Return the chance that nobody of legal was heard by the end of the newest day that is over."""
    return state.missed + 1.0 - state.reached


def silence(state: LegalState, limits: LegalWindowThresholds) -> float:
    """Return the chance that legal is silent on so many days: B(a, b + k) / B(a, b)."""
    a = limits.presence_weight * limits.presence + state.legal_days
    b = limits.presence_weight * (1.0 - limits.presence) + state.other_days
    k = state.silent_days
    return exp(lgamma(b + k) - lgamma(b) + lgamma(a + b) - lgamma(a + b + k))


def z_of(chance: float) -> float:
    """Return how many spreads above the usual something of this chance is."""
    return -_NORMAL.inv_cdf(min(max(chance, _LEAST_CHANCE), 1.0 - _LEAST_CHANCE))
