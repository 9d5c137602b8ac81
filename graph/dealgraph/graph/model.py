"""The nouns of the graph as values.

All times are milliseconds since 1970 UTC. `valid_from`/`valid_to` say when a fact holds in the world,
`recorded_at` says when dealgraph learnt it; `OPEN` as `valid_to` means that it still holds. Values
are immutable and hold no clock, no driver and no protobuf.

The numbers of the enumerations equal those of the contract under proto/; a test guards that.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from msgspec import Struct

OPEN: Final = 0
"""`valid_to` of a fact that still holds."""


class NodeKind(IntEnum):
    """Kinds of nodes."""

    CUSTOMER = 1
    CONTACT = 2
    REP = 3
    OPPORTUNITY = 4
    SESSION = 5
    ACTION = 6
    EMOTION = 7
    DECISION_SIGNAL = 8


class EdgeKind(IntEnum):
    """Kinds of edges; `schema.ENDPOINTS` says which nodes each may join."""

    PERFORMED = 1
    PART_OF = 2
    ABOUT = 3
    EXPRESSES = 4
    CONCERNS = 5
    HAS_OPPORTUNITY = 6
    BELONGS_TO = 7
    WORKS_ON = 8
    TOOK_PART_IN = 9
    SAME_AS = 10
    EVIDENCED_BY = 11
    SIGNALS = 12
    FOUND_IN = 13


class Side(IntEnum):
    """Whose side a person is on; an unknown speaker is never guessed."""

    UNKNOWN = 0
    CUSTOMER = 1
    REP = 2
    SYSTEM = 3


class Channel(IntEnum):
    """The way an interaction took place; consent is given per channel."""

    VOICE = 1
    CHAT = 2
    MAIL = 3
    CRM = 4


class Role(IntEnum):
    """The part a person plays in the decision."""

    UNKNOWN = 0
    TECH_LEAD = 1
    ENGINEER = 2
    ECONOMIC_BUYER = 3
    EXECUTIVE = 4
    CHAMPION = 5
    USER = 6
    LEGAL = 7
    PROCUREMENT = 8
    INFOSEC = 9


class ActionKind(IntEnum):
    """What a person does with an utterance, message or change."""

    STATEMENT = 1
    QUESTION = 2
    ANSWER = 3
    OBJECTION = 4
    COMMITMENT = 5
    PRICE_TALK = 6
    COMPETITOR_MENTION = 7
    DELIVERY_CONCERN = 8
    LEGAL_TOPIC = 9
    NEXT_STEP = 10
    SMALL_TALK = 11
    STAGE_CHANGE = 12
    FIELD_CHANGE = 13
    RECALL = 14
    ACTIVITY = 15


class Topic(IntEnum):
    """What an action is about. A set of topics is an integer with bit `1 << topic` per member."""

    PRICE = 1
    COMPETITOR = 2
    DELIVERY = 3
    LEGAL = 4
    TECHNICAL = 5
    BUDGET = 6
    TIMELINE = 7
    NEXT_STEP = 8
    OWNERSHIP = 9
    OVER_PROMISE = 10
    SENSITIVE = 11


class Stage(IntEnum):
    """How far a deal is, in the order of the standard sequence; `stream.stages` reads names of a CRM."""

    UNKNOWN = 0
    CONTACT = 1
    DISCOVERY = 2
    QUALIFICATION = 3
    DEMO = 4
    VALIDATION = 5
    PROPOSAL = 6
    NEGOTIATION = 7
    LEGAL = 8
    WON = 9
    LOST = 10
    ONBOARDING = 11


class Feeling(IntEnum):
    """What a customer feels, by name; UNKNOWN where nothing says which."""

    UNKNOWN = 0
    NEUTRAL = 1
    CALM = 2
    JOY = 3
    SURPRISE = 4
    ANGER = 5
    DISGUST = 6
    FEAR = 7
    SADNESS = 8


class SignalKind(IntEnum):
    """What a decision signal says."""

    COMPETITOR_RATE = 1
    PRICE_SENSITIVITY = 2
    DELIVERY_CONCERN_RECURRENCE = 3
    DELIVERY_COMMITMENT = 4
    TECH_QUESTION_SURGE = 5
    LEGAL_WINDOW_SHIFT = 6
    STAKEHOLDER_BREADTH_SHIFT = 7
    ECONOMIC_BUYER_SHIFT = 8
    PRICE_EMOTION_DIVERGENCE = 9
    RECIPROCITY_DRIFT = 10
    UNANSWERED_QUESTION = 11
    OVER_PROMISE = 12
    SENSITIVE_TERM = 13


class SignalState(IntEnum):
    """What happened to a decision signal last."""

    RAISED = 1
    UPDATED = 2
    CLEARED = 3
    REVISED = 4
    RETRACTED = 5


class Severity(IntEnum):
    """How much a signal matters."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3


class Level(IntEnum):
    """Which of its two thresholds a signal crossed."""

    RECORDED = 1
    """Kept in the graph: for drill-down, and as a feature."""
    PUSHED = 2
    """Sure enough to tell people."""


class Polarity(IntEnum):
    """What a signal means for the deal."""

    POSITIVE = 1
    NEGATIVE = 2
    NEUTRAL = 3


class NodeRef(Struct, frozen=True, order=True, array_like=True, gc=False):
    """Names a node: its kind and its id."""

    kind: NodeKind
    id: str


class Node(Struct, frozen=True, gc=False):
    """A node with its facts by name, as known at the time asked for."""

    ref: NodeRef
    attributes: Mapping[str, str]
    valid_from: int
    recorded_at: int


class Edge(Struct, frozen=True, gc=False):
    """A typed edge. `valid_to` is `OPEN` while it holds.

    `rule` and `confidence`, in (0, 1], say on what a SAME_AS edge rests; confidence 0 means that the two ids
    are one as a fact.
    """

    kind: EdgeKind
    source: NodeRef
    target: NodeRef
    valid_from: int
    valid_to: int
    recorded_at: int
    confidence: float = 0.0
    rule: str = ""


class Emotion(Struct, frozen=True, gc=False, array_like=True):
    """How the customer feels: valence in [-1, 1], arousal in [0, 1], confidence in [0, 1]."""

    valence: float
    arousal: float
    confidence: float
    feeling: Feeling = Feeling.UNKNOWN


class Action(Struct, frozen=True, array_like=True, gc=False):
    """Something somebody did, with what was understood of it.

    `actor` is the person as the source names them (a Contact or Rep), or None when the speaker is
    unknown; `speaker` keeps the label. `topics` is a set as in `Topic`. `opportunity` may be empty.
    `recalled_at` is the event time at which it was taken back, `OPEN` while it stands, and
    `recall_recorded_at` is when that became known. `target` is the id of the action that a
    RECALL takes back. `attributes` holds facts such as the new stage.
    """

    id: str
    at: int
    recorded_at: int
    kind: ActionKind
    channel: Channel
    side: Side
    session: str
    opportunity: str
    actor: NodeRef | None
    speaker: str = ""
    rep: str = ""
    source: str = ""
    native_id: str = ""
    text: str = ""
    language: str = ""
    topics: int = 0
    confidence: float = 0.0
    emotion: Emotion | None = None
    duration_ms: int = 0
    role: Role = Role.UNKNOWN
    tagger: str = ""
    target: str = ""
    attributes: Mapping[str, str] = {}
    recalled_at: int = OPEN
    recall_recorded_at: int = OPEN

    @property
    def stands(self) -> bool:
        """Whether it counts: it was not taken back, and is not itself a taking back."""
        return self.recalled_at == OPEN and self.kind is not ActionKind.RECALL


class DecisionSignal(Struct, frozen=True, array_like=True, gc=False):
    """One version of a decision signal; a later version with the same id replaces it.

    `episode` counts from 0 within (kind, scope). `session` is empty for signals of a whole
    opportunity. `evidence` holds at most ten action ids, in order of time. `statistic`,
    `threshold` and `baseline` are in the unit of the rule, `exposure_minutes` is the
    observed customer talk, `window_ms` the length of the window (0: all of the scope). `form` tells
    apart what one kind can say ("EARLY", "OVERDUE"); `cleared_at` is `OPEN` while it lasts.
    `minimum_effect` is the least change that the rule can find here, in words of the rule's README.
    `baselines` is the version of the learnt baselines that it was judged with, 0 for the shipped ones.
    """

    id: str
    kind: SignalKind
    state: SignalState
    severity: Severity
    rule: str
    rule_version: str
    episode: int
    opportunity: str
    session: str
    customer: str
    rep: str
    at: int
    recorded_at: int
    statistic: float
    threshold: float
    baseline: float
    exposure_minutes: float
    window_ms: int
    evidence: tuple[str, ...]
    explanation: str
    suggestion: str
    form: str = ""
    polarity: Polarity = Polarity.NEUTRAL
    level: Level = Level.PUSHED
    raised_at: int = 0
    cleared_at: int = OPEN
    minimum_effect: float = 0.0
    baselines: int = 0

    @property
    def strength(self) -> float:
        """How far the statistic is beyond its threshold, in [0, 1): x / (1 + x) with x their ratio."""
        ratio = abs(self.statistic / self.threshold) if self.threshold else 0.0
        return ratio / (1.0 + ratio)


def topic_set(*topics: Topic) -> int:
    """Return the set of `topics` as an integer."""
    bits = 0
    for topic in topics:
        bits |= 1 << topic
    return bits


def topics_of(bits: int) -> tuple[Topic, ...]:
    """Return the members of the set `bits` in order."""
    return tuple(topic for topic in Topic if bits >> topic & 1)
