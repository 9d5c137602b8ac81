"""Facts of a small world, by hand and by hypothesis, for tests of the graph."""

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st
from msgspec import structs

from dealgraph.graph.model import (
    OPEN,
    Action,
    ActionKind,
    Channel,
    DecisionSignal,
    Edge,
    EdgeKind,
    Emotion,
    Feeling,
    Node,
    NodeKind,
    NodeRef,
    Role,
    Severity,
    Side,
    SignalKind,
    SignalState,
    Topic,
    topic_set,
)
from dealgraph.graph.store import GraphBatch, Retraction

LI = NodeRef(NodeKind.CONTACT, "mail:li@acme.example")
LI_WECOM = NodeRef(NodeKind.CONTACT, "wecom:wm1")
WANG = NodeRef(NodeKind.CONTACT, "mail:wang@acme.example")
ANNA = NodeRef(NodeKind.REP, "mail:anna@sell.example")
ACME = NodeRef(NodeKind.CUSTOMER, "acme")
DEAL = NodeRef(NodeKind.OPPORTUNITY, "deal-1")
OTHER_DEAL = NodeRef(NodeKind.OPPORTUNITY, "deal-2")
CALL = NodeRef(NodeKind.SESSION, "call-1")
CHAT = NodeRef(NodeKind.SESSION, "chat-1")


def action_ref(action_id: str) -> NodeRef:
    return NodeRef(NodeKind.ACTION, action_id)


def make_node(
    ref: NodeRef, attributes: Mapping[str, str] | None = None, at: int = 10, recorded_at: int = 0
) -> Node:
    return Node(ref, attributes or {}, at, recorded_at or at)


def make_edge(
    kind: EdgeKind,
    source: NodeRef,
    target: NodeRef,
    at: int = 10,
    recorded_at: int = 0,
    valid_to: int = OPEN,
) -> Edge:
    return Edge(kind, source, target, at, valid_to, recorded_at or at)


def make_action(
    id: str = "a1",
    at: int = 10,
    recorded_at: int = 0,
    kind: ActionKind = ActionKind.STATEMENT,
    session: str = CALL.id,
    opportunity: str = DEAL.id,
    actor: NodeRef | None = LI,
    **fields: object,
) -> Action:
    side = Side.REP if actor and actor.kind is NodeKind.REP else Side.CUSTOMER
    plain = Action(
        id, at, recorded_at or at, kind, Channel.VOICE, side, session, opportunity, actor
    )
    return structs.replace(plain, **fields)


def make_signal(
    id: str = "s1",
    at: int = 20,
    recorded_at: int = 0,
    state: SignalState = SignalState.RAISED,
    evidence: tuple[str, ...] = ("a1",),
    session: str = CALL.id,
    opportunity: str = DEAL.id,
    statistic: float = 4.5,
) -> DecisionSignal:
    return DecisionSignal(
        id=id,
        kind=SignalKind.COMPETITOR_RATE,
        state=state,
        severity=Severity.WARNING,
        rule="R1",
        rule_version="1",
        episode=0,
        opportunity=opportunity,
        session=session,
        customer=ACME.id,
        rep=ANNA.id,
        at=at,
        recorded_at=recorded_at or at,
        statistic=statistic,
        threshold=3.0,
        baseline=1.0,
        exposure_minutes=12.5,
        window_ms=0,
        evidence=evidence,
        explanation="Competitors were named more often than usual.",
        suggestion="Ask what they liked.",
    )


def small_world() -> GraphBatch:
    """A customer with a deal, two people and a rep, a call with three actions, and a signal."""
    people = [LI, LI_WECOM, WANG, ANNA]
    feels = Emotion(-0.5, 0.25, 0.5, Feeling.FEAR)
    return GraphBatch(
        nodes=[
            make_node(ACME, {"name": "Acme"}),
            make_node(DEAL, {"name": "Big deal", "stage": "proposal"}),
            make_node(CALL, {"channel": "voice"}),
            make_node(LI, {"name": "Li", "role": "champion"}),
            *(make_node(ref, {"name": ref.id}) for ref in people[1:]),
        ],
        edges=[
            make_edge(EdgeKind.HAS_OPPORTUNITY, ACME, DEAL),
            make_edge(EdgeKind.CONCERNS, CALL, DEAL),
            make_edge(EdgeKind.WORKS_ON, ANNA, DEAL),
            *(make_edge(EdgeKind.TOOK_PART_IN, ref, CALL) for ref in (LI, WANG, ANNA)),
            *(make_edge(EdgeKind.BELONGS_TO, ref, ACME) for ref in (LI, WANG)),
            make_edge(EdgeKind.SAME_AS, LI_WECOM, LI),
        ],
        actions=[
            make_action(
                "a1", 11, text="Others are cheaper.", topics=topic_set(Topic.PRICE), emotion=feels
            ),
            make_action("a2", 12, actor=ANNA, kind=ActionKind.ANSWER),
            make_action("a3", 13, actor=WANG, kind=ActionKind.QUESTION, role=Role.LEGAL),
        ],
        signals=[make_signal()],
        position=3,
    )


_CONTACTS = [NodeRef(NodeKind.CONTACT, id_) for id_ in ("c1", "c2", "c3")]
_REPS = [NodeRef(NodeKind.REP, id_) for id_ in ("r1", "r2")]
_DEALS = [NodeRef(NodeKind.OPPORTUNITY, id_) for id_ in ("o1", "o2")]
_SESSIONS = [NodeRef(NodeKind.SESSION, id_) for id_ in ("s1", "s2")]
_CUSTOMERS = [NodeRef(NodeKind.CUSTOMER, "k1")]
_ACTION_IDS = ["0a" * 16, "A0" * 16, "x", "y", "动作"]
_SIGNAL_IDS = ["g1", "g2"]
_ENDS: dict[EdgeKind, tuple[Sequence[NodeRef], Sequence[NodeRef]]] = {
    EdgeKind.CONCERNS: (_SESSIONS, _DEALS),
    EdgeKind.HAS_OPPORTUNITY: (_CUSTOMERS, _DEALS),
    EdgeKind.BELONGS_TO: (_CONTACTS, _CUSTOMERS),
    EdgeKind.WORKS_ON: (_REPS, _DEALS),
    EdgeKind.TOOK_PART_IN: (_CONTACTS + _REPS, _SESSIONS),
    EdgeKind.SAME_AS: (_CONTACTS, _CONTACTS),
}
LONG_LIVED = [*_CONTACTS, *_REPS, *_DEALS, *_SESSIONS, *_CUSTOMERS]
EVERYTHING = [
    *LONG_LIVED,
    *(NodeRef(kind, id_) for kind in (NodeKind.ACTION, NodeKind.EMOTION) for id_ in _ACTION_IDS),
    *(NodeRef(NodeKind.DECISION_SIGNAL, id_) for id_ in _SIGNAL_IDS),
    NodeRef(NodeKind.CONTACT, "nobody"),
]
TIMES = st.integers(1, 12)

# Sums of eighths are exact, so that two stores may add them in different orders.
_eighths = st.integers(-8, 8).map(lambda n: n / 8)
_emotions = st.builds(Emotion, _eighths, _eighths.map(abs), _eighths.map(abs))
_attributes = st.dictionaries(st.sampled_from(["name", "role"]), st.sampled_from(["user", "legal"]))


def nodes(recorded: st.SearchStrategy[int] = TIMES) -> st.SearchStrategy[Node]:
    return st.builds(Node, st.sampled_from(LONG_LIVED), _attributes, TIMES, recorded)


@st.composite
def edges(draw: st.DrawFn, recorded: st.SearchStrategy[int] = TIMES) -> Edge:
    kind = draw(st.sampled_from(list(_ENDS)))
    sources, targets = _ENDS[kind]
    source, target = draw(st.sampled_from(sources)), draw(st.sampled_from(targets))
    valid_to = draw(st.one_of(st.just(OPEN), st.just(OPEN), st.integers(10, 15)))
    same = kind is EdgeKind.SAME_AS
    ground = draw(st.sampled_from([(0.0, ""), (0.5, "name"), (1.0, "mail")])) if same else ()
    return Edge(kind, source, target, draw(TIMES), valid_to, draw(recorded), *ground)


@st.composite
def actions(draw: st.DrawFn, recorded: st.SearchStrategy[int] = TIMES) -> Action:
    kind = draw(st.sampled_from([ActionKind.QUESTION, ActionKind.STAGE_CHANGE]))
    return make_action(
        draw(st.sampled_from(_ACTION_IDS)),
        draw(TIMES),
        draw(recorded),
        kind,
        draw(st.sampled_from(["", *(ref.id for ref in _SESSIONS)])),
        draw(st.sampled_from(["", *(ref.id for ref in _DEALS)])),
        draw(st.sampled_from([None, *_CONTACTS, *_REPS])),
        speaker=draw(st.sampled_from(["", "Li", "李"])),
        emotion=draw(st.none() | _emotions),
        role=draw(st.sampled_from([Role.UNKNOWN, Role.USER])),
        attributes={"stage": draw(st.sampled_from(["won", "lost"]))} if draw(st.booleans()) else {},
    )


@st.composite
def signals(draw: st.DrawFn, recorded: st.SearchStrategy[int] = TIMES) -> DecisionSignal:
    number = draw(st.integers(0, len(_SIGNAL_IDS) - 1))
    return make_signal(
        _SIGNAL_IDS[number],
        draw(TIMES),
        draw(recorded),
        draw(st.sampled_from(SignalState)),
        tuple(draw(st.lists(st.sampled_from(_ACTION_IDS), max_size=3))),
        # Like a real one, a signal never moves to another scope.
        ["", "s1"][number],
        ["o1", "o2"][number],
        draw(_eighths),
    )


def retractions(recorded: st.SearchStrategy[int] = TIMES) -> st.SearchStrategy[Retraction]:
    return st.builds(Retraction, st.sampled_from(_ACTION_IDS), TIMES, recorded)


def _first_of_each(facts: Sequence[GraphBatch]) -> list[GraphBatch]:
    """Keep one body per action id, and one version per signal and recorded time."""
    seen: set[object] = set()
    kept: list[GraphBatch] = []
    for batch in facts:
        new_actions = [a for a in batch.actions if a.id not in seen]
        new_signals = [s for s in batch.signals if (s.id, s.recorded_at) not in seen]
        if len(new_actions) == len(batch.actions) and len(new_signals) == len(batch.signals):
            kept.append(batch)
        seen.update(a.id for a in new_actions)
        seen.update((s.id, s.recorded_at) for s in new_signals)
    return kept


def single_facts(recorded: st.SearchStrategy[int] = TIMES) -> st.SearchStrategy[GraphBatch]:
    """One fact as a batch of its own."""
    return st.one_of(
        nodes(recorded).map(lambda node: GraphBatch(nodes=[node])),
        edges(recorded).map(lambda edge: GraphBatch(edges=[edge])),
        actions(recorded).map(lambda action: GraphBatch(actions=[action])),
        actions(recorded).map(lambda action: GraphBatch(actions=[action])),
        signals(recorded).map(lambda signal: GraphBatch(signals=[signal])),
        retractions(recorded).map(lambda retraction: GraphBatch(retractions=[retraction])),
    )


def facts(recorded: st.SearchStrategy[int] = TIMES) -> st.SearchStrategy[list[GraphBatch]]:
    """Single facts that contradict each other only in ways that the graph settles."""
    return st.lists(single_facts(recorded), max_size=25).map(_first_of_each)


@st.composite
def logs(draw: st.DrawFn) -> list[GraphBatch]:
    """Single facts in the order in which they were recorded, as a log holds them."""
    unordered = draw(facts())
    return sorted(unordered, key=_recorded_at)


def _recorded_at(batch: GraphBatch) -> int:
    lists = (batch.nodes, batch.edges, batch.actions, batch.signals, batch.retractions)
    return max(fact.recorded_at for facts in lists for fact in facts)


def merged(batches: Sequence[GraphBatch]) -> GraphBatch:
    """All facts of some batches in one."""
    return GraphBatch(
        nodes=[node for batch in batches for node in batch.nodes],
        edges=[edge for batch in batches for edge in batch.edges],
        actions=[action for batch in batches for action in batch.actions],
        signals=[signal for batch in batches for signal in batch.signals],
        retractions=[retraction for batch in batches for retraction in batch.retractions],
    )
