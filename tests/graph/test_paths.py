"""The shortest paths between two nodes, against going through all of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path as Directory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.memory import MemoryGraph
from dealgraph.graph.model import Edge, EdgeKind, NodeRef
from dealgraph.graph.paths import Path, find_paths
from dealgraph.graph.store import GraphBatch, GraphStore
from tests.support.graph_facts import (
    ACME,
    ANNA,
    CALL,
    DEAL,
    EVERYTHING,
    LI,
    WANG,
    action_ref,
    logs,
    make_edge,
    small_world,
)
from tests.support.graph_stores import STORES


@pytest.fixture(params=STORES)
def world(request: pytest.FixtureRequest, tmp_path: Directory) -> Iterator[GraphStore]:
    """A store of each kind that holds the small world."""
    made = STORES[request.param](tmp_path)
    made.apply(small_world())
    yield made
    made.close()


def test_the_shortest_paths_come_first(world: GraphStore) -> None:
    found = find_paths(world, LI, DEAL, max_hops=3, max_paths=100)
    lengths = [len(path.edges) for path in found.paths]
    assert found.paths[0].nodes in {(LI, via, DEAL) for via in (ACME, CALL, action_ref("a1"))}
    assert lengths == sorted(lengths)
    assert not found.truncated


def test_the_edges_of_a_path_join_its_nodes(world: GraphStore) -> None:
    for path in find_paths(world, WANG, ANNA, max_hops=4, max_paths=20).paths:
        joined = [{edge.source, edge.target} for edge in path.edges]
        assert joined == [set(pair) for pair in zip(path.nodes, path.nodes[1:], strict=False)]


def test_a_node_is_its_own_path(world: GraphStore) -> None:
    assert find_paths(world, LI, LI).paths == (Path((LI,), ()),)


def test_no_more_paths_are_returned_than_asked_for(world: GraphStore) -> None:
    assert len(find_paths(world, LI, DEAL, max_paths=2).paths) == 2


def test_paths_are_those_known_at_the_time_asked_for(world: GraphStore) -> None:
    world.apply(GraphBatch(edges=[make_edge(EdgeKind.WORKS_ON, ANNA, DEAL, recorded_at=99)]))
    assert not find_paths(world, ANNA, DEAL, as_of=9).paths


def test_a_search_that_stops_at_its_bound_says_so(world: GraphStore) -> None:
    assert find_paths(world, LI, DEAL, max_paths=100, visit_limit=2).truncated


@given(logs(), st.sampled_from(EVERYTHING), st.sampled_from(EVERYTHING), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_the_paths_found_are_all_the_simple_ones(
    batches: list[GraphBatch], source: NodeRef, target: NodeRef, max_hops: int
) -> None:
    memory = MemoryGraph()
    for batch in batches:
        memory.apply(batch)
    found = find_paths(memory, source, target, max_hops, max_paths=100_000)
    if found.truncated or source == target:
        return
    expected = _all_simple(list(memory.scan_edges()), (source,), target, max_hops)
    assert [len(path.edges) for path in found.paths] == sorted(len(nodes) - 1 for nodes in expected)
    assert {path.nodes for path in found.paths} == set(expected)


def _all_simple(
    edges: Sequence[Edge], passed: tuple[NodeRef, ...], target: NodeRef, hops: int
) -> list[tuple[NodeRef, ...]]:
    if passed[-1] == target:
        return [passed]
    if not hops:
        return []
    ends = {(e.source, e.target) for e in edges} | {(e.target, e.source) for e in edges}
    nexts = {far for near, far in ends if near == passed[-1] and far not in passed}
    ways = [_all_simple(edges, (*passed, far), target, hops - 1) for far in sorted(nexts)]
    return [way for some in ways for way in some]
