"""What only the embedded graph promises: one commit with others, and nothing lost at a restart."""

from pathlib import Path
from zlib import crc32

import pytest

from dealgraph.graph import embedded_ids, embedded_known
from dealgraph.graph.embedded import EmbeddedGraph
from dealgraph.graph.hash import graph_hash
from dealgraph.graph.model import EdgeKind, NodeKind, NodeRef
from dealgraph.graph.storage import Database
from dealgraph.graph.store import EdgeQuery, GraphBatch, TimelineQuery
from tests.support.graph_facts import ANNA, DEAL, make_action, make_edge, make_node, small_world

_NOTES = "create table if not exists note (text text not null);"


class _GivenUpError(Exception):
    """Ends a transaction without keeping it."""


def _shared(path: Path) -> Database:
    return Database(
        path, _NOTES + EmbeddedGraph.SCHEMA, version=EmbeddedGraph.VERSION, durable=False
    )


@pytest.mark.parametrize("fails", [False, True])
def test_rows_of_others_join_the_commit_of_the_graph(tmp_path: Path, fails: bool) -> None:
    database = _shared(tmp_path / "graph.db")
    graph = EmbeddedGraph(database)
    try:
        with graph.transaction():
            graph.apply(small_world())
            with graph.database.transaction() as connection:
                connection.execute("insert into note values ('an alert')")
            if fails:
                raise _GivenUpError
    except _GivenUpError:
        pass
    with database.reading() as connection:
        notes = connection.execute("select count(*) from note").fetchone()[0]
    assert (notes, graph.position()) == ((0, 0) if fails else (1, 3))
    graph.close()


def test_facts_taken_back_are_taken_in_when_they_come_again(tmp_path: Path) -> None:
    graph = EmbeddedGraph(tmp_path / "graph.db")
    with pytest.raises(_GivenUpError), graph.transaction():
        graph.apply(small_world())
        raise _GivenUpError
    assert list(graph.scan_nodes()) == []
    graph.apply(small_world())
    assert graph.node(DEAL) is not None
    assert graph.counts().edges[EdgeKind.WORKS_ON] == 1
    assert len(graph.edges([ANNA], EdgeQuery())) == 3
    graph.close()


def test_a_graph_opened_again_is_the_same(tmp_path: Path) -> None:
    graph = EmbeddedGraph(tmp_path / "graph.db")
    graph.apply(small_world())
    before = (graph_hash(graph), graph.counts(), graph.position())
    graph.close()
    again = EmbeddedGraph(tmp_path / "graph.db")
    again.apply(small_world())
    assert (graph_hash(again), again.counts(), again.position()) == before
    again.close()


def test_full_caches_forget_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_known, "_NODES_PER_KIND", 3)
    monkeypatch.setattr(embedded_known, "_EDGES_PER_KIND", 3)
    graph = EmbeddedGraph(tmp_path / "graph.db")
    deals = [NodeRef(NodeKind.OPPORTUNITY, f"deal-{i}") for i in range(8)]
    for _ in range(3):
        for deal in deals:
            edges = [make_edge(EdgeKind.WORKS_ON, ANNA, deal)]
            graph.apply(GraphBatch(nodes=[make_node(deal, {"stage": "won"})], edges=edges))
    assert graph.counts().nodes[NodeKind.OPPORTUNITY] == len(deals)
    assert graph.counts().edges[EdgeKind.WORKS_ON] == len(deals)
    assert len(list(graph.scan_edges())) == len(deals)
    graph.close()


def test_a_scan_sees_one_state_while_batches_come_in(tmp_path: Path) -> None:
    graph = EmbeddedGraph(tmp_path / "graph.db")
    graph.apply(small_world())
    before = [node.ref for node in graph.scan_nodes()]
    scan = graph.scan_nodes()
    seen = [next(scan).ref]
    graph.apply(GraphBatch(nodes=[make_node(NodeRef(NodeKind.SESSION, "late"))]))
    seen += [node.ref for node in scan]
    assert seen == before
    graph.close()


def test_actions_are_found_and_known_again_wherever_their_ids_have_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_ids, "_FRESH", 4)
    graph = EmbeddedGraph(tmp_path / "graph.db")
    actions = [make_action(f"a{number}", number) for number in range(1, 12)]
    for action in actions:
        graph.apply(GraphBatch(actions=[action, action]))
        with pytest.raises(_GivenUpError), graph.transaction():
            graph.apply(GraphBatch(actions=[make_action("lost")]))
            raise _GivenUpError
    graph.apply(GraphBatch(actions=actions))
    assert graph.actions([action.id for action in actions]) == {a.id: a for a in actions}
    assert graph.timeline(DEAL, TimelineQuery()) == actions
    assert graph.counts().nodes[NodeKind.ACTION] == len(actions)
    graph.close()


def test_ids_with_the_same_sum_are_told_apart(tmp_path: Path) -> None:
    ids = ["plumless", "buckeroo"]
    assert len({crc32(id_.encode()) for id_ in ids}) == 1
    graph = EmbeddedGraph(tmp_path / "graph.db")
    graph.apply(GraphBatch(actions=[make_action(ids[0])]))
    assert set(graph.actions(ids)) == {ids[0]}
    graph.apply(GraphBatch(actions=[make_action(id_) for id_ in ids]))
    assert set(graph.actions(ids)) == set(ids)
    assert graph.counts().nodes[NodeKind.ACTION] == 2
    graph.close()
