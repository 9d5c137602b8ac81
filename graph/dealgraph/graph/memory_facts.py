"""Every claim that the graph in memory was given, and what they amount to at a recorded time."""

from collections.abc import Mapping, Sequence

from msgspec import structs

from dealgraph.graph.implied import (
    action_edges,
    action_node,
    emotion_node,
    person_facts,
    signal_edges,
    signal_node,
)
from dealgraph.graph.model import (
    OPEN,
    Action,
    DecisionSignal,
    Edge,
    EdgeKind,
    Node,
    NodeKind,
    NodeRef,
)
from dealgraph.graph.store import EventTime, GraphBatch, Retraction, SignalQuery

_Triple = tuple[EdgeKind, NodeRef, NodeRef]


class Facts:
    """Claims, kept one by one and folded whenever somebody asks."""

    def __init__(self) -> None:
        self.position = 0
        self.event_time = EventTime()
        self.timers: dict[str, int] = {}
        self._nodes: dict[NodeRef, list[Node]] = {}
        self._edges: dict[_Triple, list[Edge]] = {}
        self._actions: dict[str, Action] = {}
        self._performed: dict[NodeRef, list[str]] = {}
        self._retractions: dict[str, list[Retraction]] = {}
        self._signals: dict[str, list[DecisionSignal]] = {}

    def add(self, batch: GraphBatch) -> None:
        """Keep all claims of a batch."""
        for node in batch.nodes:
            self._nodes.setdefault(node.ref, []).append(node)
        for edge in batch.edges:
            self._edges.setdefault((edge.kind, edge.source, edge.target), []).append(edge)
        for action in batch.actions:
            self._add_action(action)
        for retraction in batch.retractions:
            self._retractions.setdefault(retraction.action, []).append(retraction)
        for signal in batch.signals:
            versions = self._signals.setdefault(signal.id, [])
            if signal not in versions:
                versions.append(signal)
        self.position = max(self.position, batch.position or 0)
        self.timers.update((timer.key, timer.due) for timer in batch.timers)
        self.event_time = batch.event_time or self.event_time

    def _add_action(self, action: Action) -> None:
        if action.recalled_at != OPEN:
            known = Retraction(action.id, action.recalled_at, action.recall_recorded_at)
            self._retractions.setdefault(action.id, []).append(known)
        plain = structs.replace(action, recalled_at=OPEN, recall_recorded_at=OPEN)
        if action.id not in self._actions and action.actor is not None:
            self._performed.setdefault(action.actor, []).append(action.id)
        self._actions.setdefault(action.id, plain)

    def refs(self) -> list[NodeRef]:
        """Return all nodes that may ever be known, sorted."""
        of_action = (NodeKind.ACTION, NodeKind.EMOTION)
        refs = [
            *self._nodes,
            *(NodeRef(kind, id_) for kind in of_action for id_ in self._actions),
            *(NodeRef(NodeKind.DECISION_SIGNAL, id_) for id_ in self._signals),
        ]
        return sorted(refs)

    def node(self, ref: NodeRef, as_of: int) -> Node | None:
        """Return a node of any kind, or None when it was not known."""
        if ref.kind is NodeKind.DECISION_SIGNAL:
            versions = self.versions(ref.id, as_of)
            return signal_node(versions) if versions else None
        if ref.kind in (NodeKind.ACTION, NodeKind.EMOTION):
            action = self.action(ref.id, as_of)
            if action is None:
                return None
            return action_node(action) if ref.kind is NodeKind.ACTION else emotion_node(action)
        claims = [node for node in self._nodes.get(ref, []) if node.recorded_at <= as_of]
        return _merged_node(claims, self._told_of(ref, as_of)) if claims else None

    def _told_of(self, ref: NodeRef, as_of: int) -> dict[str, str]:
        """Return the facts about a person that the person's actions tell."""
        actions = [self.action(id_, as_of) for id_ in self._performed.get(ref, [])]
        return person_facts([a for a in actions if a is not None and a.recalled_at == OPEN])

    def edges(self, as_of: int) -> list[Edge]:
        """Return all edges."""
        edges: list[Edge] = []
        for claims in self._edges.values():
            known = [edge for edge in claims if edge.recorded_at <= as_of]
            edges.extend(_merged_edge(known) if known else [])
        for action in self.actions(as_of):
            edges.extend(action_edges(action))
        for signal_id in self._signals:
            versions = self.versions(signal_id, as_of)
            edges.extend(signal_edges(versions) if versions else [])
        return edges

    def action(self, action_id: str, as_of: int) -> Action | None:
        """Return an action, or None when it was not known."""
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

    def actions(self, as_of: int) -> list[Action]:
        """Return all actions in order of time."""
        found = [self.action(id_, as_of) for id_ in self._actions]
        return sorted((a for a in found if a is not None), key=lambda a: (a.at, a.id))

    def pending_retractions(self) -> list[Retraction]:
        """Return the retractions whose action has not come yet, by id."""
        return [
            min(retractions, key=lambda r: (r.recorded_at, r.at))
            for id_, retractions in sorted(self._retractions.items())
            if id_ not in self._actions
        ]

    def signals(self, ref: NodeRef, as_of: int) -> list[DecisionSignal]:
        """Return the signals of an opportunity or a session without one, as they were known."""
        by_deal = ref.kind is NodeKind.OPPORTUNITY
        found = []
        for id_ in sorted(self._signals):
            if known := self.versions(id_, as_of):
                signal = known[-1]
                scope = signal.opportunity if by_deal else signal.session
                if scope == ref.id and (by_deal or not signal.opportunity):
                    found.append(signal)
        return found

    def list_signals(self, query: SignalQuery) -> list[DecisionSignal]:
        """Return signals in the version believed last, in the order (recorded_at, id), the newest first."""
        known = [
            versions[-1] for id_ in self._signals if (versions := self.versions(id_, query.as_of))
        ]
        found = [
            signal
            for signal in known
            if query.opportunity in ("", signal.opportunity)
            and (query.before is None or (signal.recorded_at, signal.id) < query.before)
        ]
        found.sort(key=lambda signal: (signal.recorded_at, signal.id), reverse=True)
        return found[: query.limit]

    def versions(self, signal_id: str, as_of: int) -> list[DecisionSignal]:
        """Return the versions of a signal, the one believed last."""
        known = [v for v in self._signals.get(signal_id, []) if v.recorded_at <= as_of]
        return sorted(known, key=lambda version: version.recorded_at)


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


def _statement(claim: Edge) -> tuple[int, bool, float, str]:
    """Sort key: the statement of a pair that is believed comes last."""
    return (claim.valid_from, claim.valid_to != OPEN, claim.confidence, claim.rule)


def _merged_edge(claims: Sequence[Edge]) -> list[Edge]:
    recorded_at = min(claim.recorded_at for claim in claims)
    if claims[0].kind is EdgeKind.SAME_AS:
        newest = max(claims, key=_statement)
        joined = newest.valid_to == OPEN
        return [structs.replace(newest, recorded_at=recorded_at)] if joined else []
    ends = [(claim.recorded_at, claim.valid_to) for claim in claims if claim.valid_to != OPEN]
    first = min(claim.valid_from for claim in claims)
    valid_to = max(ends)[1] if ends else OPEN
    return [
        structs.replace(claims[0], valid_from=first, valid_to=valid_to, recorded_at=recorded_at)
    ]
