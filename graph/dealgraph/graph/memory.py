"""The graph in plain memory: obvious, slow and right. Other adapters are judged by it.

It keeps every claim it was given (`memory_facts`) and answers each question by going through all of them.
"""

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from dealgraph.graph.implied import (
    STAGE,
    edge_order,
    holds_within,
)
from dealgraph.graph.memory_facts import Facts
from dealgraph.graph.model import (
    OPEN,
    Action,
    ActionKind,
    DecisionSignal,
    Edge,
    EdgeKind,
    Node,
    NodeKind,
    NodeRef,
)
from dealgraph.graph.people import Tally, committee_of, components
from dealgraph.graph.schema import check_batch
from dealgraph.graph.storage import StorageClosedError
from dealgraph.graph.store import (
    NOW,
    CommitteeMember,
    Counts,
    EdgeQuery,
    EventTime,
    GraphBatch,
    Lifespan,
    Retraction,
    SignalQuery,
    TimelineQuery,
    Timer,
    check_timeline,
)


class MemoryGraph:
    """A `GraphStore` for tests and small tools; nothing outlives the process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._closed = False
        self._facts = Facts()

    def apply(self, batch: GraphBatch) -> None:
        """Add a batch, whole or not at all."""
        check_batch(batch)
        with self._open() as facts:
            facts.add(batch)

    def clear(self) -> None:
        """Forget everything, to be made anew."""
        with self._open():
            self._facts = Facts()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep other threads out; nothing is taken back when it fails."""
        with self._open():
            yield

    def position(self) -> int:
        """Return the highest `position` applied."""
        with self._open() as facts:
            return facts.position

    @contextmanager
    def reading(self) -> Iterator["MemoryGraph"]:
        """Keep other threads out while questions are asked inside."""
        with self._open():
            yield self

    def event_time(self) -> EventTime:
        """Return how far event time had come at the position."""
        with self._open() as facts:
            return facts.event_time

    def timers(self) -> list[Timer]:
        """Return the timers that stand, by key."""
        with self._open() as facts:
            return [Timer(key, due) for key, due in sorted(facts.timers.items()) if due]

    def node(self, ref: NodeRef, as_of: int = NOW) -> Node | None:
        """Return a node of any kind, or None when it was not known."""
        with self._open() as facts:
            return facts.node(ref, as_of)

    def nodes(self, refs: Sequence[NodeRef], as_of: int = NOW) -> dict[NodeRef, Node]:
        """Return those of `refs` that were known."""
        found = {ref: self.node(ref, as_of) for ref in refs}
        return {ref: node for ref, node in found.items() if node is not None}

    def edges(self, refs: Sequence[NodeRef], query: EdgeQuery) -> list[Edge]:
        """Return the edges that start or end at any of `refs`, newest first."""
        matching = sorted(self._matching(query), key=edge_order)
        chosen: set[Edge] = set()
        for ref in refs:
            mine = _to_kinds(matching, ref, query.node_kinds)
            chosen.update(mine[: query.limit_per_node])
            if query.besides is not None:
                chosen.update(_to_kinds(matching, ref, query.besides)[: query.limit_per_node])
        return sorted(chosen, key=edge_order)

    def _matching(self, query: EdgeQuery) -> Iterator[Edge]:
        for edge in self._all_edges(query.as_of):
            kind_fits = query.edge_kinds is None or edge.kind in query.edge_kinds
            if kind_fits and holds_within(edge, query.since, query.before):
                yield edge

    def edges_between(self, refs: Sequence[NodeRef], as_of: int = NOW) -> list[Edge]:
        """Return the edges that start and end at `refs`, newest first."""
        wanted = set(refs)
        edges = [e for e in self._all_edges(as_of) if e.source in wanted and e.target in wanted]
        return sorted(edges, key=edge_order)

    def actions(self, ids: Sequence[str], as_of: int = NOW) -> dict[str, Action]:
        """Return those of the actions that were known."""
        with self._open() as facts:
            found = {id_: facts.action(id_, as_of) for id_ in ids}
        return {id_: action for id_, action in found.items() if action is not None}

    def timeline(self, ref: NodeRef, query: TimelineQuery) -> list[Action]:
        """Return actions of an opportunity or session, in order."""
        check_timeline(ref)
        actions = [
            action
            for action in self._known_actions(query.as_of)
            if ref.id == (action.session if ref.kind is NodeKind.SESSION else action.opportunity)
            and query.since <= action.at
            and (not query.before or action.at < query.before)
        ]
        if query.newest_first:
            actions.reverse()
        if query.after is not None:
            last = query.after
            actions = [
                a
                for a in actions
                if ((a.at, a.id) < last if query.newest_first else (a.at, a.id) > last)
            ]
        return actions[: query.limit]

    def stages(self, opportunity: str, as_of: int = NOW) -> list[tuple[int, str]]:
        """Return (event time, stage) of the opportunity's stage changes, in order."""
        return [
            (action.at, action.attributes[STAGE])
            for action in self._known_actions(as_of)
            if action.opportunity == opportunity
            and action.kind is ActionKind.STAGE_CHANGE
            and action.recalled_at == OPEN
            and STAGE in action.attributes
        ]

    def committee(self, opportunity: str, as_of: int = NOW) -> list[CommitteeMember]:
        """Return the customer's people in an opportunity, most active first."""
        deal = NodeRef(NodeKind.OPPORTUNITY, opportunity)
        merged = {ref.id for ref in self.same_as([deal], as_of)}
        tallies = [
            _tally(action, action.actor)
            for action in self._known_actions(as_of)
            if action.opportunity in merged
            and action.recalled_at == OPEN
            and action.actor is not None
            and action.actor.kind is NodeKind.CONTACT
        ]
        canonical = self.same_as({tally.contact for tally in tallies}, as_of)
        return committee_of(tallies, canonical, self.nodes(list(canonical), as_of))

    def same_as(self, refs: Iterable[NodeRef], as_of: int = NOW) -> dict[NodeRef, NodeRef]:
        """Return for each of `refs`, and for all other ids of the same person, the first id."""
        asked = set(refs)
        joined = components(
            (edge.source, edge.target)
            for edge in self._all_edges(as_of)
            if edge.kind is EdgeKind.SAME_AS and edge.valid_to == OPEN
        )
        people = {joined.get(ref, ref) for ref in asked}
        same = {ref: first for ref, first in joined.items() if first in people}
        return same | {ref: joined.get(ref, ref) for ref in asked}

    def opportunities_of(self, people: Sequence[NodeRef]) -> list[str]:
        """Return the opportunities in which any of `people` performed an action."""
        actions = self._known_actions(NOW)
        return sorted({a.opportunity for a in actions if a.actor in people and a.opportunity})

    def pending_retractions(self) -> list[Retraction]:
        """Return the retractions whose action has not come yet, by id."""
        with self._open() as facts:
            return facts.pending_retractions()

    def signal(self, signal_id: str, as_of: int = NOW) -> DecisionSignal | None:
        """Return a decision signal as it was known."""
        versions = self.signal_versions(signal_id, as_of)
        return versions[-1] if versions else None

    def signals(self, ref: NodeRef, as_of: int = NOW) -> list[DecisionSignal]:
        """Return the signals of an opportunity, or of a session that has none, as they were known."""
        check_timeline(ref)
        with self._open() as facts:
            return facts.signals(ref, as_of)

    def signal_versions(self, signal_id: str, as_of: int = NOW) -> list[DecisionSignal]:
        """Return all known versions of a signal, the one believed last."""
        with self._open() as facts:
            return facts.versions(signal_id, as_of)

    def list_signals(self, query: SignalQuery) -> list[DecisionSignal]:
        """Return signals in the order (recorded_at, id), the newest first."""
        with self._open() as facts:
            return facts.list_signals(query)

    def lifespans(self, as_of: int = NOW) -> list[Lifespan]:
        """Return the lifespan of every opportunity with an action, by id."""
        times: dict[str, list[int]] = {}
        for action in self._known_actions(as_of):
            if action.opportunity:
                times.setdefault(action.opportunity, []).append(action.at)
        return [Lifespan(id_, min(at), max(at)) for id_, at in sorted(times.items())]

    def stage_changed(self, since: int, before: int) -> list[str]:
        """Return the opportunities with a stage change in [since, before), by id."""
        changes = (a for a in self._known_actions(NOW) if a.kind is ActionKind.STAGE_CHANGE)
        return sorted({a.opportunity for a in changes if a.opportunity and since <= a.at < before})

    def last_heard(self, since: int, before: int) -> list[str]:
        """Return the opportunities whose last action lies in [since, before), by id."""
        return [life.opportunity for life in self.lifespans() if since <= life.last < before]

    def counts(self) -> Counts:
        """Return the number of nodes and edges per kind, as known now."""
        return Counts(
            Counter(node.ref.kind for node in self.scan_nodes()),
            Counter(edge.kind for edge in self._all_edges(NOW)),
        )

    def scan_nodes(self, as_of: int = NOW) -> Iterator[Node]:
        """Yield all nodes, sorted by (kind, id)."""
        with self._open() as facts:
            found = self.nodes(facts.refs(), as_of)
        yield from found.values()

    def scan_edges(self, as_of: int = NOW) -> Iterator[Edge]:
        """Yield all edges, sorted by (kind, source, target)."""
        yield from sorted(self._all_edges(as_of), key=lambda e: (e.kind, e.source, e.target))

    def close(self) -> None:
        """Forget everything; a closed store answers no more."""
        with self._lock:
            self._closed = True
            self._facts = Facts()

    def _all_edges(self, as_of: int) -> list[Edge]:
        with self._open() as facts:
            return facts.edges(as_of)

    def _known_actions(self, as_of: int) -> list[Action]:
        with self._open() as facts:
            return facts.actions(as_of)

    @contextmanager
    def _open(self) -> Iterator[Facts]:
        with self._lock:
            if self._closed:
                raise StorageClosedError("The graph in memory was closed; make another to go on.")
            yield self._facts


def _to_kinds(
    edges: Iterable[Edge], ref: NodeRef, kinds: Collection[NodeKind] | None
) -> list[Edge]:
    """Return the edges between a node and those of some kinds."""
    return [
        edge
        for edge in edges
        if (edge.source == ref and (kinds is None or edge.target.kind in kinds))
        or (edge.target == ref and (kinds is None or edge.source.kind in kinds))
    ]


def _tally(action: Action, contact: NodeRef) -> Tally:
    weight = action.emotion.confidence if action.emotion else 0.0
    valence = action.emotion.valence * weight if action.emotion else 0.0
    return Tally(contact, action.kind, action.role, 1, action.at, action.at, valence, weight)
