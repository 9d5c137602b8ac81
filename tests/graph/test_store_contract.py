"""What every adapter of the graph must do, question by question."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from dealgraph.graph.hash import graph_hash
from dealgraph.graph.model import (
    OPEN,
    ActionKind,
    Edge,
    EdgeKind,
    Emotion,
    NodeKind,
    NodeRef,
    Role,
    SignalState,
)
from dealgraph.graph.schema import SchemaError
from dealgraph.graph.storage import StorageClosedError
from dealgraph.graph.store import (
    NOW,
    EdgeQuery,
    EventTime,
    GraphBatch,
    GraphStore,
    Lifespan,
    Retraction,
    SignalQuery,
    TimelineQuery,
    Timer,
    emotion_id,
)
from tests.support.graph_facts import (
    ACME,
    ANNA,
    CALL,
    CHAT,
    DEAL,
    LI,
    LI_WECOM,
    OTHER_DEAL,
    WANG,
    action_ref,
    make_action,
    make_edge,
    make_node,
    make_signal,
    small_world,
)
from tests.support.graph_stores import STORES

FELT = NodeRef(NodeKind.EMOTION, emotion_id("a1"))
SIGNAL = NodeRef(NodeKind.DECISION_SIGNAL, "s1")


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GraphStore]:
    """A fresh store of each kind."""
    made = STORES[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture
def world(store: GraphStore) -> GraphStore:
    """A store that holds the small world."""
    store.apply(small_world())
    return store


def test_an_empty_graph_knows_nothing(store: GraphStore) -> None:
    assert store.node(DEAL) is None
    assert store.edges([DEAL], EdgeQuery()) == []
    assert store.timeline(DEAL, TimelineQuery()) == []
    assert store.committee(DEAL.id) == []
    assert list(store.scan_nodes()) == []
    assert store.position() == 0


def test_a_graph_that_was_cleared_is_empty_and_can_be_made_anew(world: GraphStore) -> None:
    before = graph_hash(world)
    world.clear()
    assert (list(world.scan_nodes()), list(world.scan_edges())) == ([], [])
    assert (world.counts().nodes, world.position()) == ({}, 0)
    world.apply(small_world())
    assert graph_hash(world) == before


def test_a_node_has_the_facts_observed_last_in_event_time(store: GraphStore) -> None:
    store.apply(GraphBatch(nodes=[make_node(DEAL, {"stage": "won", "owner": "Anna"}, 30, 40)]))
    store.apply(GraphBatch(nodes=[make_node(DEAL, {"stage": "proposal"}, 20, 50)]))
    node = store.node(DEAL)
    assert node is not None
    assert node.attributes == {"stage": "won", "owner": "Anna"}
    assert (node.valid_from, node.recorded_at) == (20, 40)


def test_a_node_shows_what_was_known_at_the_time_asked_for(store: GraphStore) -> None:
    store.apply(GraphBatch(nodes=[make_node(DEAL, {"stage": "proposal"}, 20, 21)]))
    store.apply(GraphBatch(nodes=[make_node(DEAL, {"stage": "won"}, 30, 31)]))
    then = store.node(DEAL, 30)
    assert then is not None
    assert then.attributes == {"stage": "proposal"}
    assert store.node(DEAL, 20) is None


def test_a_value_observed_again_after_another_is_believed_again(store: GraphStore) -> None:
    for at, stage in ((10, "a"), (20, "b"), (30, "a"), (40, "a")):
        store.apply(GraphBatch(nodes=[make_node(DEAL, {"stage": stage}, at)]))
    stages = [node.attributes["stage"] for at in (10, 25, 35, 45) if (node := store.node(DEAL, at))]
    assert stages == ["a", "b", "a", "a"]


def test_an_action_is_a_node_with_its_facts(world: GraphStore) -> None:
    node = world.node(action_ref("a1"))
    assert node is not None
    assert node.attributes["text"] == "Others are cheaper."
    assert node.attributes["topics"] == "price"
    assert node.attributes["kind"] == "statement"
    assert "recalled_at" not in node.attributes


def test_an_emotion_is_a_node_of_its_action(world: GraphStore) -> None:
    node = world.node(FELT)
    assert node is not None
    assert node.attributes["valence"] == "-0.5000"
    assert node.attributes["feeling"] == "fear"
    assert world.node(NodeRef(NodeKind.EMOTION, "a2")) is None


def test_edges_of_an_action_are_those_it_implies(world: GraphStore) -> None:
    edges = world.edges([action_ref("a1")], EdgeQuery())
    assert {(edge.kind, edge.source, edge.target) for edge in edges} == {
        (EdgeKind.PERFORMED, LI, action_ref("a1")),
        (EdgeKind.PART_OF, action_ref("a1"), CALL),
        (EdgeKind.ABOUT, action_ref("a1"), DEAL),
        (EdgeKind.EXPRESSES, action_ref("a1"), FELT),
        (EdgeKind.EVIDENCED_BY, SIGNAL, action_ref("a1")),
    }


def test_edges_are_found_from_either_end(world: GraphStore) -> None:
    for kind, ends in {
        EdgeKind.HAS_OPPORTUNITY: (ACME, DEAL),
        EdgeKind.PERFORMED: (LI, action_ref("a1")),
        EdgeKind.EXPRESSES: (action_ref("a1"), FELT),
        EdgeKind.SIGNALS: (SIGNAL, DEAL),
        EdgeKind.FOUND_IN: (SIGNAL, CALL),
    }.items():
        query = EdgeQuery(edge_kinds=frozenset({kind}))
        for end in ends:
            assert [(e.source, e.target) for e in world.edges([end], query)] == [ends]


def test_at_most_the_limit_of_newest_edges_is_returned_for_each_node(world: GraphStore) -> None:
    query = EdgeQuery(edge_kinds=frozenset({EdgeKind.ABOUT}), limit_per_node=2)
    found = world.edges([DEAL], query)
    assert [edge.source.id for edge in found] == ["a3", "a2"]


def test_edges_of_actions_are_in_the_window_of_their_event_time(world: GraphStore) -> None:
    query = EdgeQuery(edge_kinds=frozenset({EdgeKind.ABOUT}), since=12, before=13)
    assert [edge.source.id for edge in world.edges([DEAL], query)] == ["a2"]


def test_lasting_edges_are_in_every_window_in_which_they_hold(store: GraphStore) -> None:
    store.apply(GraphBatch(edges=[make_edge(EdgeKind.BELONGS_TO, LI, ACME, at=10, valid_to=20)]))
    assert store.edges([LI], EdgeQuery(since=15, before=16))
    assert not store.edges([LI], EdgeQuery(since=20))
    assert not store.edges([LI], EdgeQuery(before=10))


def test_only_edges_to_the_kinds_of_nodes_asked_for_are_returned(world: GraphStore) -> None:
    query = EdgeQuery(node_kinds=frozenset({NodeKind.REP, NodeKind.CUSTOMER}))
    assert {edge.source for edge in world.edges([DEAL], query)} == {ANNA, ACME}


def test_the_same_edge_seen_again_keeps_its_earliest_start(store: GraphStore) -> None:
    for at, recorded_at in ((10, 50), (5, 60), (8, 70)):
        edge = make_edge(EdgeKind.WORKS_ON, ANNA, DEAL, at, recorded_at)
        store.apply(GraphBatch(edges=[edge]))
    assert [edge.valid_from for edge in store.edges([DEAL], EdgeQuery())] == [5]
    assert [edge.valid_from for edge in store.edges([DEAL], EdgeQuery(as_of=55))] == [10]


def test_an_edge_stays_closed_when_it_is_seen_again(store: GraphStore) -> None:
    closed = make_edge(EdgeKind.BELONGS_TO, LI, ACME, 10, 30, valid_to=29)
    store.apply(GraphBatch(edges=[make_edge(EdgeKind.BELONGS_TO, LI, ACME, 10, 20), closed]))
    store.apply(GraphBatch(edges=[make_edge(EdgeKind.BELONGS_TO, LI, ACME, 11, 40)]))
    assert [edge.valid_to for edge in store.edges([LI], EdgeQuery())] == [29]
    assert [edge.valid_to for edge in store.edges([LI], EdgeQuery(as_of=25))] == [OPEN]


def test_edges_between_nodes_have_both_ends_among_them(world: GraphStore) -> None:
    found = world.edges_between([DEAL, ACME, action_ref("a1"), LI])
    assert {edge.kind for edge in found} == {
        EdgeKind.HAS_OPPORTUNITY,
        EdgeKind.ABOUT,
        EdgeKind.PERFORMED,
        EdgeKind.BELONGS_TO,
    }


def test_a_timeline_is_in_order_of_time_and_id(store: GraphStore) -> None:
    times = (("b", 10), ("c", 5), ("a", 10))
    store.apply(GraphBatch(actions=[make_action(id_, at) for id_, at in times]))
    order = [action.id for action in store.timeline(DEAL, TimelineQuery())]
    newest = [action.id for action in store.timeline(CALL, TimelineQuery(newest_first=True))]
    assert order == ["c", "a", "b"]
    assert newest == ["b", "a", "c"]


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_of_a_timeline_join_without_gap_or_overlap(
    store: GraphStore, newest_first: bool
) -> None:
    store.apply(GraphBatch(actions=[make_action(f"a{i}", i // 3) for i in range(3, 13)]))
    everything = store.timeline(DEAL, TimelineQuery(newest_first=newest_first))
    paged, after = [], None
    while True:
        query = TimelineQuery(after=after, newest_first=newest_first, limit=4)
        page = store.timeline(DEAL, query)
        if not page:
            break
        paged += page
        after = (page[-1].at, page[-1].id)
    assert paged == everything
    assert len(paged) == 10


def test_only_opportunities_and_sessions_have_a_timeline(store: GraphStore) -> None:
    with pytest.raises(ValueError, match="CUSTOMER has no timeline"):
        store.timeline(ACME, TimelineQuery())


@pytest.mark.parametrize("retraction_first", [False, True])
def test_a_recalled_action_says_so_once_that_is_known(
    store: GraphStore, retraction_first: bool
) -> None:
    emotion = Emotion(0.5, 0.5, 0.5)
    facts = [
        GraphBatch(actions=[make_action("a1", 10, emotion=emotion)]),
        GraphBatch(retractions=[Retraction("a1", at=20, recorded_at=30)]),
    ]
    for batch in reversed(facts) if retraction_first else facts:
        store.apply(batch)
    before, after = store.actions(["a1"], 29)["a1"], store.actions(["a1"])["a1"]
    assert (before.recalled_at, before.recall_recorded_at) == (OPEN, OPEN)
    assert (after.recalled_at, after.recall_recorded_at) == (20, 30)
    assert store.timeline(DEAL, TimelineQuery()) == [after]
    assert {edge.valid_to for edge in store.edges([FELT], EdgeQuery(as_of=29))} == {OPEN}
    assert {edge.valid_to for edge in store.edges([FELT, action_ref("a1")], EdgeQuery())} == {20}


def test_retractions_without_their_action_are_pending(store: GraphStore) -> None:
    pending = Retraction("a9", at=20, recorded_at=30)
    store.apply(GraphBatch(actions=[make_action("a1")], retractions=[pending]))
    store.apply(GraphBatch(retractions=[Retraction("a1", 20, 30), Retraction("a9", 21, 31)]))
    assert store.pending_retractions() == [pending]


def test_the_stages_are_those_changes_that_stand(store: GraphStore) -> None:
    store.apply(
        GraphBatch(
            actions=[
                make_action(id_, at, kind=ActionKind.STAGE_CHANGE, attributes={"stage": stage})
                for id_, at, stage in (("a", 10, "lead"), ("b", 20, "won"), ("c", 15, "offer"))
            ],
            retractions=[Retraction("b", 25, 40)],
        )
    )
    assert store.stages(DEAL.id) == [(10, "lead"), (15, "offer")]
    assert store.stages(DEAL.id, 39) == [(10, "lead"), (15, "offer"), (20, "won")]


def test_the_committee_shows_each_person_once_with_all_ids(world: GraphStore) -> None:
    emotions = [make_action("a4", 14, actor=LI_WECOM, emotion=Emotion(1.0, 0.5, 0.25))]
    world.apply(GraphBatch(actions=emotions))
    first, second = world.committee(DEAL.id)
    assert first.contact == LI
    assert first.same_as == (LI_WECOM,)
    assert first.name == "Li"
    assert first.roles == (Role.CHAMPION,)
    assert first.action_counts == {ActionKind.STATEMENT: 2}
    assert (first.first_seen, first.last_seen) == (11, 14)
    assert first.sentiment == pytest.approx((-0.5 * 0.5 + 1.0 * 0.25) / 0.75)
    assert (second.contact, second.roles, second.sentiment) == (WANG, (Role.LEGAL,), None)


def test_people_whose_only_action_was_recalled_are_not_in_the_committee(world: GraphStore) -> None:
    world.apply(GraphBatch(retractions=[Retraction("a3", 15, 40)]))
    assert [member.contact for member in world.committee(DEAL.id)] == [LI]
    assert [member.contact for member in world.committee(DEAL.id, 39)] == [LI, WANG]


def test_people_are_called_by_what_their_newest_standing_actions_tell(store: GraphStore) -> None:
    told = [
        make_action("a1", 10, speaker="Li", role=Role.USER),
        make_action("a2", 30, speaker="Li Na"),
        make_action("a3", 20, recorded_at=40, role=Role.LEGAL),
    ]
    store.apply(GraphBatch(nodes=[make_node(LI), make_node(ANNA)], actions=told[::-1]))
    assert _facts(store, LI) == {"name": "Li Na", "role": "legal"}
    assert _facts(store, LI, 39) == {"name": "Li Na", "role": "user"}
    assert _facts(store, ANNA) == {}
    store.apply(GraphBatch(retractions=[Retraction("a2", 31, 50), Retraction("a3", 31, 60)]))
    assert _facts(store, LI) == {"name": "Li", "role": "user"}
    assert _facts(store, LI, 55) == {"name": "Li", "role": "legal"}


def test_of_names_told_at_one_time_that_of_the_greater_id_is_believed(store: GraphStore) -> None:
    told = [make_action(id_, 10, speaker=id_) for id_ in ("b", "c", "a")]
    store.apply(GraphBatch(nodes=[make_node(LI)], actions=told))
    assert _facts(store, LI) == {"name": "c"}


def test_what_is_stated_of_a_person_stands_above_what_actions_tell(store: GraphStore) -> None:
    stated = make_node(LI, {"name": "Ms Li"})
    told = make_action("a1", 30, speaker="Li", role=Role.USER)
    store.apply(GraphBatch(nodes=[stated], actions=[told]))
    assert _facts(store, LI) == {"name": "Ms Li", "role": "user"}
    assert [node.attributes for node in store.scan_nodes() if node.ref == LI] == [_facts(store, LI)]


def test_the_committee_calls_people_as_their_actions_do(store: GraphStore) -> None:
    told = [
        make_action("a1", 10, speaker="Li", role=Role.USER),
        make_action("a2", 11, role=Role.CHAMPION),
    ]
    store.apply(GraphBatch(nodes=[make_node(LI)], actions=told))
    (member,) = store.committee(DEAL.id)
    assert member.name == "Li"
    assert member.roles == (Role.CHAMPION, Role.USER)


def _facts(store: GraphStore, ref: NodeRef, as_of: int = NOW) -> dict[str, str]:
    return dict(store.nodes([ref], as_of)[ref].attributes)


def test_all_ids_of_a_person_have_one_first_id(store: GraphStore) -> None:
    ids = [NodeRef(NodeKind.CONTACT, name) for name in "abcd"]
    pairs = [(3, 2), (1, 2)]
    edges = [make_edge(EdgeKind.SAME_AS, ids[i], ids[j], recorded_at=20 + i) for i, j in pairs]
    store.apply(GraphBatch(edges=edges))
    assert store.same_as([ids[3]]) == {ids[1]: ids[1], ids[2]: ids[1], ids[3]: ids[1]}
    assert store.same_as([ids[1]], as_of=22) == {ids[1]: ids[1], ids[2]: ids[1]}
    assert store.same_as([ids[0]]) == {ids[0]: ids[0]}


def test_ids_joined_later_were_apart_before(store: GraphStore) -> None:
    store.apply(GraphBatch(edges=[make_edge(EdgeKind.SAME_AS, LI_WECOM, LI, recorded_at=30)]))
    assert store.same_as([LI], as_of=29) == {LI: LI}


def test_an_edge_between_ids_says_on_what_it_rests(store: GraphStore) -> None:
    guess = Edge(EdgeKind.SAME_AS, LI, LI_WECOM, 10, OPEN, 20, 0.9, "name")
    fact = Edge(EdgeKind.SAME_AS, LI, LI_WECOM, 10, OPEN, 30, 1.0, "contact_mail")
    store.apply(GraphBatch(edges=[guess, fact]))
    query = EdgeQuery(edge_kinds=frozenset({EdgeKind.SAME_AS}))
    [now] = store.edges([LI], query)
    [then] = store.edges([LI_WECOM], replace(query, as_of=25))
    assert (now.confidence, now.rule, now.recorded_at) == (1.0, "contact_mail", 20)
    assert (then.confidence, then.rule) == (0.9, "name")
    assert store.edges_between([LI, LI_WECOM]) == [now] == list(store.scan_edges())


def test_the_opportunities_of_people_are_those_they_acted_in(world: GraphStore) -> None:
    world.apply(GraphBatch(actions=[make_action("b1", opportunity=OTHER_DEAL.id)]))
    assert world.opportunities_of([LI, WANG]) == [DEAL.id, OTHER_DEAL.id]
    assert world.opportunities_of([WANG]) == [DEAL.id]


def test_a_signal_is_its_last_version_known(store: GraphStore) -> None:
    raised, revised = make_signal(at=20), make_signal(at=30, state=SignalState.REVISED)
    store.apply(GraphBatch(signals=[raised]))
    store.apply(GraphBatch(signals=[revised]))
    assert store.signal("s1") == revised
    assert store.signal("s1", 29) == raised
    assert store.signal("s1", 19) is None


def test_of_versions_recorded_together_the_one_applied_last_is_believed(store: GraphStore) -> None:
    versions = [make_signal(at=20, statistic=float(value)) for value in (3, 1, 2)]
    store.apply(GraphBatch(signals=versions))
    store.apply(GraphBatch(signals=versions[:2]))
    assert store.signal("s1") == versions[2]


def test_the_evidence_of_a_signal_is_that_of_its_last_version(store: GraphStore) -> None:
    store.apply(GraphBatch(signals=[make_signal(at=20, evidence=("a1", "a2"))]))
    store.apply(GraphBatch(signals=[make_signal(at=30, evidence=("a2", "a3"))]))
    query = EdgeQuery(edge_kinds=frozenset({EdgeKind.EVIDENCED_BY}))
    assert {edge.target.id for edge in store.edges([SIGNAL], query)} == {"a2", "a3"}
    assert store.edges([action_ref("a1")], query) == []
    assert len(store.edges([action_ref("a1")], EdgeQuery(as_of=29))) == 1


def test_a_retraction_closes_the_edges_of_a_signal(store: GraphStore) -> None:
    store.apply(GraphBatch(signals=[make_signal(at=20)]))
    retracted = make_signal(at=25, recorded_at=40, state=SignalState.RETRACTED, evidence=())
    store.apply(GraphBatch(signals=[retracted]))
    edges = store.edges([SIGNAL], EdgeQuery())
    assert {(edge.valid_from, edge.valid_to) for edge in edges} == {(20, 25)}
    assert EdgeKind.EVIDENCED_BY in {edge.kind for edge in edges}
    assert {edge.valid_to for edge in store.edges([SIGNAL], EdgeQuery(as_of=39))} == {OPEN}


def test_every_signal_leads_to_its_source_actions(world: GraphStore) -> None:
    query = EdgeQuery(edge_kinds=frozenset({EdgeKind.EVIDENCED_BY}))
    evidence = [edge.target.id for edge in world.edges([SIGNAL], query)]
    assert set(world.actions(evidence)) == {"a1"}


def test_counts_tell_nodes_and_edges_by_kind(world: GraphStore) -> None:
    counts = world.counts()
    assert counts.nodes[NodeKind.CONTACT] == 3
    assert counts.nodes[NodeKind.ACTION] == 3
    assert counts.nodes[NodeKind.EMOTION] == 1
    assert counts.edges[EdgeKind.TOOK_PART_IN] == 3
    assert counts.edges[EdgeKind.EVIDENCED_BY] == 1
    assert EdgeKind.EXPRESSES in counts.edges
    assert sum(counts.nodes.values()) == len(list(world.scan_nodes()))
    assert sum(counts.edges.values()) == len(list(world.scan_edges()))


def test_scans_are_sorted(world: GraphStore) -> None:
    refs = [node.ref for node in world.scan_nodes()]
    edges = [(edge.kind, edge.source, edge.target) for edge in world.scan_edges()]
    assert refs == sorted(refs)
    assert edges == sorted(edges)


def test_the_position_never_goes_back(store: GraphStore) -> None:
    for position in (5, 3, None, 4):
        store.apply(GraphBatch(position=position))
    assert store.position() == 5


def test_a_batch_applied_again_changes_nothing(world: GraphStore) -> None:
    before = (graph_hash(world), world.counts())
    world.apply(small_world())
    assert (graph_hash(world), world.counts()) == before


@pytest.mark.parametrize(
    "wrong",
    [
        GraphBatch(edges=[make_edge(EdgeKind.CONCERNS, DEAL, CHAT)]),
        GraphBatch(edges=[make_edge(EdgeKind.SAME_AS, LI, ANNA)]),
        GraphBatch(edges=[make_edge(EdgeKind.PERFORMED, LI, action_ref("a1"))]),
        GraphBatch(nodes=[make_node(action_ref("a1"))]),
        GraphBatch(actions=[make_action(actor=DEAL)]),
    ],
)
def test_a_batch_with_a_wrong_fact_is_refused_whole(store: GraphStore, wrong: GraphBatch) -> None:
    good = GraphBatch(nodes=[make_node(DEAL)], actions=[make_action("a7")], position=9)
    with pytest.raises(SchemaError):
        store.apply(
            GraphBatch(
                nodes=[*good.nodes, *wrong.nodes],
                edges=wrong.edges,
                actions=[*good.actions, *wrong.actions],
                position=9,
            )
        )
    assert list(store.scan_nodes()) == []
    assert store.position() == 0
    store.apply(good)
    assert store.node(DEAL) is not None


def test_a_closed_store_answers_no_more(tmp_path: Path) -> None:
    for make in STORES.values():
        store = make(tmp_path)
        store.close()
        store.close()
        with pytest.raises(StorageClosedError, match="closed"):
            store.position()
        with pytest.raises(StorageClosedError, match="closed"):
            store.apply(GraphBatch())


def test_timers_replace_earlier_ones_and_can_be_taken_back(store: GraphStore) -> None:
    store.apply(GraphBatch(timers=[Timer("o:b", 5), Timer("o:a", 7), Timer("o:c", 9)]))
    store.apply(GraphBatch(timers=[Timer("o:b", 11), Timer("o:c", 0)]))
    assert store.timers() == [Timer("o:a", 7), Timer("o:b", 11)]


def test_event_time_is_that_of_the_last_batch_that_told_it(store: GraphStore) -> None:
    assert store.event_time() == EventTime()
    store.apply(GraphBatch(event_time=EventTime(30, 20, 4, 50)))
    store.apply(GraphBatch(position=5))
    assert store.event_time() == EventTime(30, 20, 4, 50)


def test_signals_of_a_deal_come_in_the_version_believed_then(store: GraphStore) -> None:
    raised = make_signal(at=20, recorded_at=30)
    updated = make_signal(at=25, recorded_at=40, state=SignalState.UPDATED)
    store.apply(GraphBatch(signals=[raised, updated]))
    deal = NodeRef(NodeKind.OPPORTUNITY, raised.opportunity)
    assert store.signals(deal) == [updated]
    assert store.signals(deal, 35) == [raised]
    assert store.signals(deal, 10) == []
    assert store.signals(NodeRef(NodeKind.OPPORTUNITY, "another")) == []


def test_signals_of_a_session_are_those_of_no_deal(store: GraphStore) -> None:
    alone = replace(make_signal(at=20), id="alone", opportunity="", session="call-9")
    store.apply(GraphBatch(signals=[make_signal(at=20), alone]))
    assert store.signals(NodeRef(NodeKind.SESSION, "call-9")) == [alone]
    with pytest.raises(ValueError, match="CUSTOMER has no timeline"):
        store.signals(NodeRef(NodeKind.CUSTOMER, "acme"))


def test_all_versions_of_a_signal_are_kept(store: GraphStore) -> None:
    raised = make_signal(at=20, recorded_at=30)
    updated = make_signal(at=25, recorded_at=40, state=SignalState.UPDATED)
    store.apply(GraphBatch(signals=[raised]))
    store.apply(GraphBatch(signals=[updated, raised]))
    assert store.signal_versions("s1") == [raised, updated]
    assert store.signal_versions("s1", 35) == [raised]
    assert store.signal_versions("s1", 29) == []


def test_signals_are_listed_once_in_the_version_believed_the_newest_first(
    store: GraphStore,
) -> None:
    first = make_signal(id="first", at=20, recorded_at=30)
    second = make_signal(id="second", at=21, recorded_at=31, opportunity="another")
    later = make_signal(id="first", at=25, recorded_at=40, state=SignalState.RETRACTED)
    store.apply(GraphBatch(signals=[first, second, later]))
    assert store.list_signals(SignalQuery()) == [later, second]
    assert store.list_signals(SignalQuery(as_of=35)) == [second, first]
    assert store.list_signals(SignalQuery(limit=1, as_of=35)) == [second]
    assert store.list_signals(SignalQuery(before=(31, "second"), as_of=35)) == [first]
    assert store.list_signals(SignalQuery(opportunity="another")) == [second]


def test_a_lifespan_goes_from_the_first_to_the_last_action_known(store: GraphStore) -> None:
    store.apply(
        GraphBatch(
            actions=[
                make_action("a", at=10, recorded_at=50),
                make_action("b", at=30, recorded_at=40),
                make_action("c", at=20, recorded_at=60),
            ]
        )
    )
    assert store.lifespans() == [Lifespan(DEAL.id, 10, 30)]
    assert store.lifespans(45) == [Lifespan(DEAL.id, 30, 30)]
    assert store.lifespans(39) == []


def test_deals_are_found_by_their_stage_changes_and_by_when_they_were_last_heard(
    store: GraphStore,
) -> None:
    store.apply(
        GraphBatch(
            actions=[
                make_action("a", at=10, kind=ActionKind.STAGE_CHANGE),
                make_action("b", at=30),
                make_action("c", at=20, opportunity="other", kind=ActionKind.STAGE_CHANGE),
                make_action("d", at=15, opportunity=""),
            ]
        )
    )
    assert store.stage_changed(10, 20) == [DEAL.id]
    assert store.stage_changed(0, 21) == sorted([DEAL.id, "other"])
    assert store.stage_changed(21, 99) == []
    assert store.last_heard(30, 31) == [DEAL.id]
    assert store.last_heard(0, 30) == ["other"]
    assert store.last_heard(31, 99) == []
