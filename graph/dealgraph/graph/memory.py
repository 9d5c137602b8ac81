"""The graph in plain memory: obvious, slow and right. Other adapters are judged by it.

It keeps every claim it was given and answers each question by going through all of them.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import structs

from dealgraph.graph.implied import (
    STAGE,
    action_edges,
    action_node,
    edge_order,
    emotion_node,
    holds_within,
    person_facts,
    signal_edges,
    signal_node,
)
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
    GraphBatch,
    Retraction,
    TimelineQuery,
    check_timeline,
)

_Triple = tuple[EdgeKind, NodeRef, NodeRef]


class MemoryGraph:
    """A `GraphStore` for tests and small tools; nothing outlives the process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._closed = False
        self._position = 0
        self._nodes: dict[NodeRef, list[Node]] = {}
        self._edges: dict[_Triple, list[Edge]] = {}
        self._actions: dict[str, Action] = {}
        self._performed: dict[NodeRef, list[str]] = {}
        self._retractions: dict[str, list[Retraction]] = {}
        self._signals: dict[str, list[DecisionSignal]] = {}

    def apply(self, batch: GraphBatch) -> None:
        """Add a batch, whole or not at all."""
        check_batch(batch)
        with self._open():
            for node in batch.nodes:
                self._nodes.setdefault(node.ref, []).append(node)
            for edge in batch.edges:
                triple = (edge.kind, edge.source, edge.target)
                self._edges.setdefault(triple, []).append(edge)
            for action in batch.actions:
                self._add_action(action)
            for retraction in batch.retractions:
                self._retractions.setdefault(retraction.action, []).append(retraction)
            for signal in batch.signals:
                versions = self._signals.setdefault(signal.id, [])
                if signal not in versions:
                    versions.append(signal)
            self._position = max(self._position, batch.position or 0)

    def _add_action(self, action: Action) -> None:
        if action.recalled_at != OPEN:
            known = Retraction(action.id, action.recalled_at, action.recall_recorded_at)
            self._retractions.setdefault(action.id, []).append(known)
        plain = structs.replace(action, recalled_at=OPEN, recall_recorded_at=OPEN)
        if action.id not in self._actions and action.actor is not None:
            self._performed.setdefault(action.actor, []).append(action.id)
        self._actions.setdefault(action.id, plain)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep other threads out; nothing is taken back when it fails."""
        with self._open():
            yield

    def position(self) -> int:
        """Return the highest `position` applied."""
        with self._open():
            return self._position

    def node(self, ref: NodeRef, as_of: int = NOW) -> Node | None:
        """Return a node of any kind, or None when it was not known."""
        with self._open():
            if ref.kind is NodeKind.DECISION_SIGNAL:
                versions = self._versions(ref.id, as_of)
                return signal_node(versions) if versions else None
            if ref.kind in (NodeKind.ACTION, NodeKind.EMOTION):
                action = self._action(ref.id, as_of)
                if action is None:
                    return None
                return action_node(action) if ref.kind is NodeKind.ACTION else emotion_node(action)
            claims = [node for node in self._nodes.get(ref, []) if node.recorded_at <= as_of]
            return _merged_node(claims, self._told_of(ref, as_of)) if claims else None

    def _told_of(self, ref: NodeRef, as_of: int) -> dict[str, str]:
        """Return the facts about a person that the person's actions tell."""
        actions = [self._action(id_, as_of) for id_ in self._performed.get(ref, [])]
        stand = [a for a in actions if a is not None and a.recalled_at == OPEN]
        return person_facts(stand)

    def nodes(self, refs: Sequence[NodeRef], as_of: int = NOW) -> dict[NodeRef, Node]:
        """Return those of `refs` that were known."""
        found = {ref: self.node(ref, as_of) for ref in refs}
        return {ref: node for ref, node in found.items() if node is not None}

    def edges(self, refs: Sequence[NodeRef], query: EdgeQuery) -> list[Edge]:
        """Return the edges that start or end at any of `refs`, newest first."""
        matching = sorted(self._matching(query), key=edge_order)
        chosen: set[Edge] = set()
        for ref in refs:
            mine = [
                edge
                for edge in matching
                if (edge.source == ref and _fits(edge.target, query))
                or (edge.target == ref and _fits(edge.source, query))
            ]
            chosen.update(mine[: query.limit_per_node])
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

    def _all_edges(self, as_of: int) -> list[Edge]:
        with self._open():
            edges: list[Edge] = []
            for claims in self._edges.values():
                known = [edge for edge in claims if edge.recorded_at <= as_of]
                edges.extend([_merged_edge(known)] if known else [])
            for action in self._known_actions(as_of):
                edges.extend(action_edges(action))
            for signal_id in self._signals:
                versions = self._versions(signal_id, as_of)
                edges.extend(signal_edges(versions) if versions else [])
            return edges

    def actions(self, ids: Sequence[str], as_of: int = NOW) -> dict[str, Action]:
        """Return those of the actions that were known."""
        with self._open():
            found = {id_: self._action(id_, as_of) for id_ in ids}
        return {id_: action for id_, action in found.items() if action is not None}

    def _action(self, action_id: str, as_of: int) -> Action | None:
        action = self._actions.get(action_id)
        if action is None or action.recorded_at > as_of:
            return None
        known = [
            (retraction.recorded_at, retraction.at)
            for retraction in self._retractions.get(action_id, [])
            if retraction.recorded_at <= as_of
        ]
        if not known:
            return action
        recorded_at, at = min(known)
        return structs.replace(action, recalled_at=at, recall_recorded_at=recorded_at)

    def _known_actions(self, as_of: int) -> list[Action]:
        """Return all known actions in order of time."""
        with self._open():
            found = [self._action(id_, as_of) for id_ in self._actions]
        return sorted((a for a in found if a is not None), key=lambda a: (a.at, a.id))

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
        tallies = [
            _tally(action, action.actor)
            for action in self._known_actions(as_of)
            if action.opportunity == opportunity
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
        with self._open():
            return [
                min(retractions, key=lambda r: (r.recorded_at, r.at))
                for id_, retractions in sorted(self._retractions.items())
                if id_ not in self._actions
            ]

    def signal(self, signal_id: str, as_of: int = NOW) -> DecisionSignal | None:
        """Return a decision signal as it was known."""
        with self._open():
            versions = self._versions(signal_id, as_of)
        return versions[-1] if versions else None

    def _versions(self, signal_id: str, as_of: int) -> list[DecisionSignal]:
        known = [v for v in self._signals.get(signal_id, []) if v.recorded_at <= as_of]
        return sorted(known, key=lambda version: version.recorded_at)

    def counts(self) -> Counts:
        """Return the number of nodes and edges per kind, as known now."""
        return Counts(
            Counter(node.ref.kind for node in self.scan_nodes()),
            Counter(edge.kind for edge in self._all_edges(NOW)),
        )

    def scan_nodes(self, as_of: int = NOW) -> Iterator[Node]:
        """Yield all nodes, sorted by (kind, id)."""
        with self._open():
            refs = [
                *self._nodes,
                *(NodeRef(kind, id_) for kind in _OF_ACTION for id_ in self._actions),
                *(NodeRef(NodeKind.DECISION_SIGNAL, id_) for id_ in self._signals),
            ]
            yield from self.nodes(sorted(refs), as_of).values()

    def scan_edges(self, as_of: int = NOW) -> Iterator[Edge]:
        """Yield all edges, sorted by (kind, source, target)."""
        yield from sorted(self._all_edges(as_of), key=lambda e: (e.kind, e.source, e.target))

    def close(self) -> None:
        """Forget everything; a closed store answers no more."""
        with self._lock:
            self._closed = True

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise StorageClosedError("The graph in memory was closed; make another to go on.")
            yield


_OF_ACTION = (NodeKind.ACTION, NodeKind.EMOTION)


def _merged_node(claims: Sequence[Node], told: Mapping[str, str]) -> Node:
    attributes: dict[str, tuple[int, str]] = {}
    for claim in claims:
        for name, value in claim.attributes.items():
            stated = (claim.valid_from, value)
            attributes[name] = max(stated, attributes.get(name, stated))
    return Node(
        claims[0].ref,
        {**told, **{name: value for name, (_, value) in attributes.items()}},
        min(claim.valid_from for claim in claims),
        min(claim.recorded_at for claim in claims),
    )


def _merged_edge(claims: Sequence[Edge]) -> Edge:
    ends = [(claim.recorded_at, claim.valid_to) for claim in claims if claim.valid_to != OPEN]
    return structs.replace(
        claims[0],
        valid_from=min(claim.valid_from for claim in claims),
        valid_to=max(ends)[1] if ends else OPEN,
        recorded_at=min(claim.recorded_at for claim in claims),
    )


def _fits(other: NodeRef, query: EdgeQuery) -> bool:
    return query.node_kinds is None or other.kind in query.node_kinds


def _tally(action: Action, contact: NodeRef) -> Tally:
    weight = action.emotion.confidence if action.emotion else 0.0
    valence = action.emotion.valence * weight if action.emotion else 0.0
    return Tally(contact, action.kind, action.role, 1, action.at, action.at, valence, weight)
