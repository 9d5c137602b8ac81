"""Questions that walk through the graph, asked of every store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.implied import holds_within
from dealgraph.graph.memory import MemoryGraph
from dealgraph.graph.model import EdgeKind, NodeKind, NodeRef
from dealgraph.graph.queries import NeighborhoodQuery, export, neighborhood, other_ids
from dealgraph.graph.store import NOW, GraphBatch, GraphStore
from tests.support.graph_facts import (
    ACME,
    ANNA,
    DEAL,
    EVERYTHING,
    LI,
    LI_WECOM,
    WANG,
    action_ref,
    logs,
    make_action,
    small_world,
)
from tests.support.graph_stores import STORES, fresh_embedded


@pytest.fixture(params=STORES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GraphStore]:
    """A store of each kind that holds the small world."""
    made = STORES[request.param](tmp_path)
    made.apply(small_world())
    yield made
    made.close()


def _refs(store: GraphStore, ref: NodeRef, query: NeighborhoodQuery) -> list[NodeRef]:
    found = neighborhood(store, ref, query)
    assert found is not None
    return [node.ref for node in found.nodes]


def test_what_is_not_known_has_no_neighborhood(world: GraphStore) -> None:
    assert neighborhood(world, NodeRef(NodeKind.CONTACT, "nobody")) is None
    assert neighborhood(world, DEAL, NeighborhoodQuery(as_of=9)) is None


def test_a_neighborhood_begins_with_the_node_asked_for(world: GraphStore) -> None:
    assert _refs(world, DEAL, NeighborhoodQuery(hops=1))[0] == DEAL


def test_a_person_is_met_under_all_ids_at_no_cost(world: GraphStore) -> None:
    query = NeighborhoodQuery(hops=1, edge_kinds=frozenset({EdgeKind.BELONGS_TO}))
    assert _refs(world, LI_WECOM, query) == [LI_WECOM, LI, ACME]


def test_long_lived_nodes_stay_where_there_is_no_room_for_all(world: GraphStore) -> None:
    found = neighborhood(world, DEAL, NeighborhoodQuery(hops=1, node_limit=3))
    assert found is not None
    assert found.truncated
    assert all(node.ref.kind is not NodeKind.ACTION for node in found.nodes)


def test_nodes_of_kinds_not_asked_for_are_walked_through(world: GraphStore) -> None:
    query = NeighborhoodQuery(hops=2, node_kinds=frozenset({NodeKind.CONTACT}))
    assert set(_refs(world, DEAL, query)) == {DEAL, LI, LI_WECOM, WANG}


def test_edges_are_there_between_nodes_of_which_not_all_edges_were_walked(
    world: GraphStore,
) -> None:
    many = [make_action(f"b{number:02}", 100 + number, actor=ANNA) for number in range(30)]
    world.apply(GraphBatch(actions=many))
    query = NeighborhoodQuery(hops=1, node_limit=6)
    found = neighborhood(world, action_ref("b00"), query)
    assert found is not None
    assert (EdgeKind.WORKS_ON, ANNA, DEAL) in {(e.kind, e.source, e.target) for e in found.edges}


def test_only_people_have_other_ids(world: GraphStore) -> None:
    assert other_ids(world, LI) == (LI_WECOM,)
    assert other_ids(world, DEAL) == ()


def test_an_export_of_the_whole_graph_is_all_nodes_and_all_edges(world: GraphStore) -> None:
    assert list(export(world)) == [*world.scan_nodes(), *world.scan_edges()]


_kinds_of_edges = st.none() | st.frozensets(st.sampled_from(EdgeKind), min_size=6)
_kinds_of_nodes = st.none() | st.frozensets(st.sampled_from(NodeKind), min_size=3)
_neighborhoods = st.builds(
    NeighborhoodQuery,
    hops=st.integers(1, 4),
    since=st.sampled_from([0, 0, 4]),
    before=st.sampled_from([0, 0, 9]),
    node_limit=st.sampled_from([1, 2, 3, 5, 8, 50]),
    node_kinds=_kinds_of_nodes,
    edge_kinds=_kinds_of_edges,
    as_of=st.sampled_from([5, NOW, NOW]),
)


@given(logs(), st.sampled_from(EVERYTHING), _neighborhoods)
@settings(max_examples=150, deadline=None)
def test_the_edges_of_a_neighborhood_are_all_that_fit_between_its_nodes(
    batches: list[GraphBatch], ref: NodeRef, query: NeighborhoodQuery
) -> None:
    memory = MemoryGraph()
    with fresh_embedded() as embedded:
        for batch in batches:
            memory.apply(batch)
            embedded.apply(batch)
        found = neighborhood(memory, ref, query)
        assert neighborhood(embedded, ref, query) == found
    if found is None:
        return
    between = memory.edges_between([node.ref for node in found.nodes], query.as_of)
    assert list(found.edges) == [
        edge
        for edge in between
        if (query.edge_kinds is None or edge.kind in query.edge_kinds)
        and holds_within(edge, query.since, query.before)
    ]


def test_a_neighbourhood_without_room_for_all_edges_of_an_action_begins_at_it(
    world: GraphStore,
) -> None:
    action = next(node.ref for node in world.scan_nodes() if node.ref.kind is NodeKind.EMOTION)
    for kind in (NodeKind.ACTION, NodeKind.EMOTION):
        start = NodeRef(kind, action.id)
        around = neighborhood(world, start, NeighborhoodQuery(hops=1, node_limit=1))
        assert around is not None
        assert [node.ref for node in around.nodes] == [start]
