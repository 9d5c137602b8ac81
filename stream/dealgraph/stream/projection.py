"""What the graph holds of an outcome: nodes, edges, actions, signals, retractions."""

from typing import Final

from dealgraph.graph.model import (
    OPEN,
    Action,
    ActionKind,
    Edge,
    EdgeKind,
    Node,
    NodeKind,
    NodeRef,
    Side,
)
from dealgraph.graph.store import EventTime, GraphBatch, Retraction
from dealgraph.stream.identity import pair_of, person_ref
from dealgraph.stream.interaction import Interaction, InteractionKind, Merge, Split
from dealgraph.stream.steps import Outcome

_OBSERVED: Final = frozenset({ActionKind.STAGE_CHANGE, ActionKind.FIELD_CHANGE})
_KNOWN_LIMIT: Final = 20_000

_Around = tuple[str, str, str, str, str, NodeRef | None, tuple[NodeRef, ...]]


class Projection:
    """Gathers outcomes into batches for the graph.

    What surrounds an action (who, in which session, for which customer) repeats with nearly every action;
    it is written once, and again only when an earlier event time shows that it held before.
    """

    def __init__(self) -> None:
        self._known: dict[_Around, int] = {}
        self._start()

    def _start(self) -> None:
        self._nodes: list[Node] = []
        self._edges: list[Edge] = []
        self._actions: list[Action] = []
        self._retractions: list[Retraction] = []

    def add(self, outcome: Outcome) -> None:
        """Take the next outcome."""
        interaction = outcome.interaction
        if interaction is None:
            return
        action = outcome.action
        if action is None:
            self._merge(interaction, outcome.place.recorded_at)
            return
        self._actions.append(action)
        if action.target:
            self._retractions.append(Retraction(action.target, action.at, action.recorded_at))
        elif action.kind in _OBSERVED or interaction.kind is InteractionKind.METRIC:
            self._observe(interaction, action)
        recipients = _recipients(interaction) if interaction.recipients else ()
        around: _Around = (
            action.session,
            action.opportunity,
            interaction.customer,
            action.rep,
            interaction.contact,
            action.actor,
            recipients,
        )
        first = self._known.get(around)
        if first is None or action.at < first:
            if len(self._known) >= _KNOWN_LIMIT:
                self._known.clear()
            self._known[around] = action.at
            self._surround(interaction, action, recipients)

    def take(self, outcomes: list[Outcome], position: int, event_time: EventTime) -> GraphBatch:
        """Return the batch of what was added since the last call, with signals and timers of `outcomes`."""
        batch = GraphBatch(
            nodes=self._nodes,
            edges=self._edges,
            actions=self._actions,
            signals=[signal for outcome in outcomes for signal in outcome.signals],
            retractions=self._retractions,
            position=position,
            timers=[timer for outcome in outcomes for timer in outcome.timers],
            event_time=event_time,
        )
        self._start()
        return batch

    def _surround(
        self, interaction: Interaction, action: Action, recipients: tuple[NodeRef, ...]
    ) -> None:
        """Write the nodes around an action and the lasting edges between them."""
        session = _ref(NodeKind.SESSION, action.session)
        opportunity = _ref(NodeKind.OPPORTUNITY, action.opportunity)
        customer = _ref(NodeKind.CUSTOMER, interaction.customer)
        rep = _ref(NodeKind.REP, action.rep)
        contact = person_ref(Side.CUSTOMER, interaction.source, interaction.contact)
        people = {action.actor, rep, contact, *recipients} - {None}
        for ref in (session, opportunity, customer, *sorted(p for p in people if p is not None)):
            if ref is not None:
                self._nodes.append(Node(ref, {}, action.at, action.recorded_at))
        self._join(EdgeKind.CONCERNS, session, opportunity, action)
        self._join(EdgeKind.HAS_OPPORTUNITY, customer, opportunity, action)
        self._join(EdgeKind.WORKS_ON, rep, opportunity, action)
        for person in sorted(p for p in people if p is not None):
            self._join(EdgeKind.TOOK_PART_IN, person, session, action)
            if person.kind is NodeKind.CONTACT:
                self._join(EdgeKind.BELONGS_TO, person, customer, action)

    def _join(
        self, kind: EdgeKind, source: NodeRef | None, target: NodeRef | None, action: Action
    ) -> None:
        if source is not None and target is not None:
            self._edges.append(Edge(kind, source, target, action.at, OPEN, action.recorded_at))

    def _observe(self, interaction: Interaction, action: Action) -> None:
        """Write what a change or a metric says of its subject: opportunity, else customer or contact."""
        subject = (
            _ref(NodeKind.OPPORTUNITY, action.opportunity)
            or _ref(NodeKind.CUSTOMER, interaction.customer)
            or person_ref(Side.CUSTOMER, interaction.source, interaction.contact)
        )
        if subject is None:
            return
        facts = action.attributes
        if action.kind is ActionKind.STAGE_CHANGE:
            observed = {"stage": facts.get("stage", "")}
        elif action.kind is ActionKind.FIELD_CHANGE:
            observed = {facts.get("field", ""): facts.get("value", "")}
        elif "metric" in facts:
            value = f"{facts.get('value', '')} {facts.get('unit', '')}".rstrip()
            observed = {f"metric.{facts['metric']}": value}
        else:
            return
        self._nodes.append(Node(subject, observed, action.at, action.recorded_at))

    def _merge(self, interaction: Interaction, recorded_at: int) -> None:
        detail = interaction.detail
        if not isinstance(detail, Merge | Split):
            return
        pair = pair_of(interaction.source, detail)
        if pair is None:
            return
        at = interaction.occurred_at
        until = OPEN if isinstance(detail, Merge) else at
        if until == OPEN:
            self._nodes += [Node(ref, {}, at, recorded_at) for ref in pair]
        ground = (detail.confidence, detail.rule) if isinstance(detail, Merge) else ()
        self._edges.append(Edge(EdgeKind.SAME_AS, *pair, at, until, recorded_at, *ground))


def _recipients(interaction: Interaction) -> tuple[NodeRef, ...]:
    refs = (
        person_ref(person.side, interaction.source, person.native_id)
        for person in interaction.recipients
    )
    return tuple(ref for ref in refs if ref is not None)


def _ref(kind: NodeKind, key: str) -> NodeRef | None:
    return NodeRef(kind, key) if key else None
