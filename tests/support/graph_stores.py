"""Every adapter of the graph, for suites that hold all of them to one contract."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from dealgraph.graph.embedded import EmbeddedGraph
from dealgraph.graph.memory import MemoryGraph
from dealgraph.graph.model import EdgeKind, NodeKind, NodeRef
from dealgraph.graph.store import NOW, EdgeQuery, GraphStore, SignalQuery, TimelineQuery
from tests.support.graph_facts import EVERYTHING

STORES: Final[dict[str, Callable[[Path], GraphStore]]] = {
    "memory": lambda directory: MemoryGraph(),
    "embedded": lambda directory: EmbeddedGraph(directory / "graph.db"),
}


@contextmanager
def fresh_embedded() -> Iterator[EmbeddedGraph]:
    """A new embedded graph, for tests that need one per example."""
    with TemporaryDirectory() as directory:
        graph = EmbeddedGraph(Path(directory) / "graph.db")
        try:
            yield graph
        finally:
            graph.close()


def everything_known(store: GraphStore, as_of: int = NOW) -> dict[str, object]:
    """The answer to every question of the port about the small world of `graph_facts`."""
    deals = [ref for ref in EVERYTHING if ref.kind.name == "OPPORTUNITY"]
    sessions = [ref for ref in EVERYTHING if ref.kind.name == "SESSION"]
    people = [ref for ref in EVERYTHING if ref.kind.name in ("CONTACT", "REP")]
    return {
        "nodes": store.nodes(EVERYTHING, as_of),
        "scanned nodes": list(store.scan_nodes(as_of)),
        "scanned edges": list(store.scan_edges(as_of)),
        "edges": [store.edges([ref], query) for ref in EVERYTHING for query in _queries(as_of)],
        "edges of many": [store.edges(EVERYTHING, query) for query in _queries(as_of)],
        "edges between": store.edges_between(EVERYTHING[::2], as_of),
        "actions": store.actions([ref.id for ref in EVERYTHING], as_of),
        "timelines": [
            store.timeline(ref, query) for ref in (*deals, *sessions) for query in _timelines(as_of)
        ],
        "stages": [store.stages(ref.id, as_of) for ref in deals],
        "committees": [store.committee(ref.id, as_of) for ref in deals],
        "same": [store.same_as([ref], as_of) for ref in people],
        "signals": [store.signal(id_, as_of) for id_ in ("g1", "g2")],
        "signals of deals": [store.signals(ref, as_of) for ref in deals],
        "versions": [store.signal_versions(id_, as_of) for id_ in ("g1", "g2", "nothing")],
        "listed signals": [store.list_signals(query) for query in _signal_queries(as_of)],
        "lifespans": store.lifespans(as_of),
    }


def known_now(store: GraphStore) -> dict[str, object]:
    """The answers to the questions that have no `as_of`."""
    people = [ref for ref in EVERYTHING if ref.kind.name in ("CONTACT", "REP")]
    return {
        "position": store.position(),
        "counts": store.counts(),
        "pending": store.pending_retractions(),
        "opportunities": [store.opportunities_of([ref]) for ref in people],
        "opportunities of all": store.opportunities_of(people),
        "stage changed": store.stage_changed(20, 60),
        "last heard": store.last_heard(20, 60),
    }


def _queries(as_of: int) -> list[EdgeQuery]:
    return [
        EdgeQuery(as_of=as_of),
        EdgeQuery(limit_per_node=2, as_of=as_of),
        EdgeQuery(since=4, before=8, as_of=as_of),
        EdgeQuery(since=4, limit_per_node=1, as_of=as_of),
        EdgeQuery(limit_per_node=1, besides=_node_kinds("SESSION", "CONTACT"), as_of=as_of),
        EdgeQuery(node_kinds=_node_kinds("ACTION", "CONTACT"), limit_per_node=2, as_of=as_of),
        EdgeQuery(node_kinds=_node_kinds("SESSION", "DECISION_SIGNAL"), as_of=as_of),
        EdgeQuery(edge_kinds=frozenset({EdgeKind.SAME_AS, EdgeKind.ABOUT}), as_of=as_of),
        EdgeQuery(edge_kinds=frozenset(), as_of=as_of),
    ]


def _node_kinds(*names: str) -> frozenset[NodeKind]:
    return frozenset(NodeKind[name] for name in names)


def _timelines(as_of: int) -> list[TimelineQuery]:
    return [
        TimelineQuery(as_of=as_of),
        TimelineQuery(newest_first=True, limit=2, as_of=as_of),
        TimelineQuery(since=3, before=9, as_of=as_of),
        TimelineQuery(after=(5, "x"), as_of=as_of),
        TimelineQuery(after=(5, "x"), newest_first=True, as_of=as_of),
    ]


def _signal_queries(as_of: int) -> list[SignalQuery]:
    return [
        SignalQuery(as_of=as_of),
        SignalQuery(limit=1, as_of=as_of),
        SignalQuery(before=(6, "g2"), as_of=as_of),
        SignalQuery(opportunity="o1", as_of=as_of),
    ]


def refs_of(store: GraphStore) -> list[NodeRef]:
    """All nodes of a store."""
    return [node.ref for node in store.scan_nodes()]
