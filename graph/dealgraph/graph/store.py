"""The port to the graph: what a store takes in and which questions it answers.

Every adapter is held to the contract suite in tests/graph. Writes are idempotent: applying the same
batch twice changes nothing. Reads answer what was known at `as_of` (a recorded time; `NOW` means all
that is known), and see only whole batches.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from msgspec import Struct

from dealgraph.graph.model import (
    Action,
    ActionKind,
    DecisionSignal,
    Edge,
    EdgeKind,
    Emotion,
    Node,
    NodeKind,
    NodeRef,
    Role,
)

NOW: Final = 1 << 62
"""`as_of` that sees all that is known."""


class Retraction(Struct, frozen=True):
    """An action was taken back at event time `at`, which became known at `recorded_at`."""

    action: str
    at: int
    recorded_at: int


class Timer(Struct, frozen=True, gc=False):
    """The dataflow wants to look at the state `key` again at event time `due`, in ms; 0 takes it back."""

    key: str
    due: int


class EventTime(Struct, frozen=True, gc=False):
    """How far event time has come, in ms.

    `reached` is the watermark; timers up to `swept` have been seen to, which was decided at the record at
    `offset` of the log, taken in at `ingested_at`.
    """

    reached: int = 0
    swept: int = 0
    offset: int = 0
    ingested_at: int = 0


class GraphBatch(Struct, frozen=True):
    """What one step of the dataflow adds to the graph.

    `nodes` are long-lived nodes (customers, people, opportunities, sessions), each as one observation
    at event time `valid_from`: per attribute name the observation with the latest event time is
    believed, on a tie the greater value, whatever the order of arrival; the node holds since its
    earliest observation. `as_of` looks at the observations recorded until then.
    What no observation says of a contact or rep, their actions do: "name" is the speaker and "role" the
    role of the newest action by (at, id) that has one and was not recalled.
    `edges` exclude those that an action or signal implies (schema.IMPLIED_BY_*); the same edge seen again
    keeps the earliest `valid_from`; a `valid_to` closes it for good, and the end recorded last is
    believed. SAME_AS is believed as stated with the latest `valid_from`: a statement with a `valid_to`
    parts the two, also against one of the same time, and then there is no edge; of two that join at the
    same time the surer is believed, then the rule that sorts last. An action is taken in
    once; of several `retractions` the one recorded first counts, and they may come before their action.
    Of versions of a signal with equal `recorded_at` the one applied last is believed. `position` is the
    offset of the last log record that the batch covers. `timers` replace earlier ones of their keys, and
    `event_time` the one before; both are of the dataflow, and no part of the graph.

    Nodes and edges that come out have the `recorded_at` at which they first became known. `as_of` is
    exact for facts applied in the order of `recorded_at`, as a log holds them; present belief is exact
    for any order.
    """

    nodes: Sequence[Node] = ()
    edges: Sequence[Edge] = ()
    actions: Sequence[Action] = ()
    signals: Sequence[DecisionSignal] = ()
    retractions: Sequence[Retraction] = ()
    position: int | None = None
    timers: Sequence[Timer] = ()
    event_time: EventTime | None = None


class EdgeQuery(Struct, frozen=True):
    """Which edges: of these kinds, to nodes of these kinds (None: all), valid in [since, before).

    `before` 0 means no bound. An edge that an action implies happens at the event time of the
    action; other edges hold from `valid_from` to `valid_to`. At most `limit_per_node` edges are
    returned for each node asked for, the newest `valid_from` first. A node with more has, besides, its
    newest `limit_per_node` to nodes of the kinds `besides`, which is for queries of all `node_kinds`.
    """

    edge_kinds: frozenset[EdgeKind] | None = None
    node_kinds: frozenset[NodeKind] | None = None
    since: int = 0
    before: int = 0
    limit_per_node: int = 1000
    besides: frozenset[NodeKind] | None = None
    as_of: int = NOW

    def __post_init__(self) -> None:
        if self.besides is not None and self.node_kinds is not None:
            raise ValueError("a query of some node_kinds has no besides; leave one of them out")


class TimelineQuery(Struct, frozen=True):
    """Actions of an opportunity or session with event time in [since, before), in order (at, id).

    `after` is the (at, id) of the last action of the page before. `newest_first` turns the order
    round. Recalled actions are included and say so.
    """

    since: int = 0
    before: int = 0
    after: tuple[int, str] | None = None
    newest_first: bool = False
    limit: int = 50
    as_of: int = NOW


class SignalQuery(Struct, frozen=True):
    """Decision signals, each in the version believed at `as_of`: the one that became known last comes first.

    `before` is the (recorded_at, id) of the last signal of the page before. `opportunity` "" means all.
    """

    opportunity: str = ""
    before: tuple[int, str] | None = None
    limit: int = 50
    as_of: int = NOW


class Lifespan(Struct, frozen=True, gc=False):
    """Event times of the first and the last action of an opportunity, in ms."""

    opportunity: str
    first: int
    last: int


class CommitteeMember(Struct, frozen=True):
    """A contact of an opportunity under all ids of that person, with what the person did.

    `sentiment` is the mean valence weighted by confidence, None when no emotion was inferred.
    """

    contact: NodeRef
    same_as: tuple[NodeRef, ...]
    name: str
    roles: tuple[Role, ...]
    action_counts: Mapping[ActionKind, int]
    first_seen: int
    last_seen: int
    sentiment: float | None


class Counts(Struct, frozen=True):
    """Number of nodes and of edges per kind; kinds without any are left out."""

    nodes: Mapping[NodeKind, int]
    edges: Mapping[EdgeKind, int]


class GraphReading(Protocol):
    """What a walk through the graph asks."""

    def nodes(self, refs: Sequence[NodeRef], as_of: int = NOW) -> dict[NodeRef, Node]:
        """Return those of `refs` that were known."""
        ...

    def edges(self, refs: Sequence[NodeRef], query: EdgeQuery) -> list[Edge]:
        """Return the edges that start or end at any of `refs`, newest first."""
        ...

    def edges_between(self, refs: Sequence[NodeRef], as_of: int = NOW) -> list[Edge]:
        """Return the edges that start and end at `refs`, newest first."""
        ...

    def actions(self, ids: Sequence[str], as_of: int = NOW) -> dict[str, Action]:
        """Return those of the actions that were known."""
        ...

    def same_as(self, refs: Iterable[NodeRef], as_of: int = NOW) -> dict[NodeRef, NodeRef]:
        """Return for each of `refs`, and for all other ids of the same person, the person's first id.

        The same holds for customers and opportunities.
        """
        ...


class GraphStore(GraphReading, Protocol):
    """A graph with two times that only grows: facts are superseded, never overwritten."""

    def reading(self) -> AbstractContextManager[GraphReading]:
        """Answer all that is asked inside from one state of the graph, for a walk of many steps."""
        ...

    def apply(self, batch: GraphBatch) -> None:
        """Add a batch, whole or not at all. Raises StorageError, and SchemaError for a wrong edge."""
        ...

    def clear(self) -> None:
        """Forget everything, the position too: the graph is to be made anew. Raises StorageError."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Join what is written inside into one commit, where the adapter can; else do nothing."""
        ...

    def position(self) -> int:
        """Return the highest `position` applied, 0 when there was none."""
        ...

    def event_time(self) -> EventTime:
        """Return how far event time had come at the position."""
        ...

    def timers(self) -> list[Timer]:
        """Return the timers that stand, by key."""
        ...

    def node(self, ref: NodeRef, as_of: int = NOW) -> Node | None:
        """Return a node of any kind, or None when it was not known."""
        ...

    def timeline(self, ref: NodeRef, query: TimelineQuery) -> list[Action]:
        """Return actions of an opportunity or session, in order; ValueError for other kinds."""
        ...

    def stages(self, opportunity: str, as_of: int = NOW) -> list[tuple[int, str]]:
        """Return (event time, stage) of the opportunity's stage changes that stand, in order."""
        ...

    def committee(self, opportunity: str, as_of: int = NOW) -> list[CommitteeMember]:
        """Return the customer's people in an opportunity under all its ids, most active first."""
        ...

    def opportunities_of(self, people: Sequence[NodeRef]) -> list[str]:
        """Return the opportunities in which any of `people` performed an action."""
        ...

    def pending_retractions(self) -> list[Retraction]:
        """Return the retractions whose action has not come yet."""
        ...

    def signal(self, signal_id: str, as_of: int = NOW) -> DecisionSignal | None:
        """Return a decision signal as it was known."""
        ...

    def signals(self, ref: NodeRef, as_of: int = NOW) -> list[DecisionSignal]:
        """Return the signals of an opportunity, or those of a session that has none, by id.

        Each in the version believed at `as_of`, retracted ones too. Raises ValueError for other kinds.
        """
        ...

    def signal_versions(self, signal_id: str, as_of: int = NOW) -> list[DecisionSignal]:
        """Return all known versions of a signal, the one believed last; none when it was not known."""
        ...

    def list_signals(self, query: SignalQuery) -> list[DecisionSignal]:
        """Return signals, retracted ones too, in the order (recorded_at, id), the newest first."""
        ...

    def lifespans(self, as_of: int = NOW) -> list[Lifespan]:
        """Return the lifespan of every opportunity with an action, recalled ones included, by id."""
        ...

    def stage_changed(self, since: int, before: int) -> list[str]:
        """Return the opportunities with a stage change in [since, before) of event time, by id."""
        ...

    def last_heard(self, since: int, before: int) -> list[str]:
        """Return the opportunities whose last action lies in [since, before) of event time, by id.

        This goes through all opportunities.
        """
        ...

    def counts(self) -> Counts:
        """Return the number of nodes and edges per kind, as known now."""
        ...

    def scan_nodes(self, as_of: int = NOW) -> Iterator[Node]:
        """Yield all nodes, sorted by (kind, id)."""
        ...

    def scan_edges(self, as_of: int = NOW) -> Iterator[Edge]:
        """Yield all edges, sorted by (kind, source, target)."""
        ...

    def close(self) -> None:
        """Release all resources; a closed store answers no more."""
        ...


def check_timeline(ref: NodeRef) -> None:
    """Raise ValueError unless `ref` has a timeline."""
    if ref.kind not in (NodeKind.OPPORTUNITY, NodeKind.SESSION):
        raise ValueError(f"{ref.kind.name} has no timeline; an OPPORTUNITY or a SESSION has")


def emotion_id(action_id: str) -> str:
    """Return the id of the emotion node of an action."""
    return action_id


def emotion_attributes(emotion: Emotion) -> dict[str, str]:
    """Return the attributes of an emotion node."""
    return {
        "valence": f"{emotion.valence:.4f}",
        "arousal": f"{emotion.arousal:.4f}",
        "confidence": f"{emotion.confidence:.4f}",
        "feeling": emotion.feeling.name.lower(),
    }
