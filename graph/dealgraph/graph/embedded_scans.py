"""How the embedded graph is read from end to end, in a stable order and in bounded memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from dealgraph.graph.embedded_edges import FOLDED
from dealgraph.graph.embedded_grounds import grounded
from dealgraph.graph.embedded_values import load_nodes, load_versions
from dealgraph.graph.implied import signal_edges
from dealgraph.graph.model import OPEN, Edge, EdgeKind, Node, NodeKind, NodeRef
from dealgraph.graph.schema import IMPLIED_BY_SIGNAL, IMPLIED_NODES

_CHUNK: Final = 500
_NODE_KINDS: Final = {int(kind): kind for kind in NodeKind}


def scan_nodes(connection: sqlite3.Connection, as_of: int) -> Iterator[Node]:
    """Yield all nodes, sorted by (kind, id)."""
    for kind in NodeKind:
        statement = _IDS.get(kind, _LONG_LIVED_IDS)
        parameters = () if kind in IMPLIED_NODES else (int(kind),)
        for ids in _chunks(id_ for (id_,) in connection.execute(statement, parameters)):
            yield from load_nodes(connection, [NodeRef(kind, id_) for id_ in ids], as_of).values()


def scan_edges(connection: sqlite3.Connection, as_of: int) -> Iterator[Edge]:
    """Yield all edges, sorted by (kind, source, target)."""
    for kind in EdgeKind:
        if kind in IMPLIED_BY_SIGNAL:
            yield from _of_signals(connection, kind, as_of)
            continue
        edges = _edges(connection, kind, as_of)
        if kind is EdgeKind.SAME_AS:
            yield from grounded(connection, list(edges), as_of)
        else:
            yield from edges


def _edges(connection: sqlite3.Connection, kind: EdgeKind, as_of: int) -> Iterator[Edge]:
    statement = _OF_ACTIONS.get(kind, _STORED)
    rows = connection.execute(statement, {"kind": int(kind), "as_of": as_of})
    for source_kind, source, target_kind, target, valid_from, valid_to, recorded_at in rows:
        yield Edge(
            kind,
            NodeRef(_NODE_KINDS[source_kind], source),
            NodeRef(_NODE_KINDS[target_kind], target),
            valid_from,
            valid_to or OPEN,
            recorded_at,
        )


def _of_signals(connection: sqlite3.Connection, kind: EdgeKind, as_of: int) -> Iterator[Edge]:
    rows = connection.execute(_IDS[NodeKind.DECISION_SIGNAL])
    for ids in _chunks(id_ for (id_,) in rows):
        for _, versions in sorted(load_versions(connection, ids, as_of).items()):
            edges = [edge for edge in signal_edges(versions) if edge.kind is kind]
            yield from sorted(edges, key=lambda edge: edge.target)


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


_LONG_LIVED_IDS: Final = "select id from node where kind = ? order by id"
_IDS: Final = {
    NodeKind.ACTION: "select id from action order by id",
    NodeKind.EMOTION: "select id from action where weight is not null order by id",
    NodeKind.DECISION_SIGNAL: "select distinct id from signal order by id",
}
_ACTION: Final = int(NodeKind.ACTION)
_RECALLED: Final = "left join retraction r on r.action = a.id and r.recorded_at <= :as_of"
_TO_OWNER: Final = f"""
select {_ACTION}, a.id, n.kind, n.id, a.at, r.at, a.recorded_at
from action a join node n on n.key = a.{{column}} {_RECALLED}
where a.recorded_at <= :as_of order by a.id"""
_OF_ACTIONS: Final = {
    EdgeKind.PERFORMED: f"""
select n.kind, n.id, {_ACTION}, a.id, a.at, r.at, a.recorded_at
from node n cross join action a on a.actor = n.key {_RECALLED}
where a.recorded_at <= :as_of order by n.kind, n.id, a.id""",
    EdgeKind.PART_OF: _TO_OWNER.format(column="session"),
    EdgeKind.ABOUT: _TO_OWNER.format(column="opportunity"),
    EdgeKind.EXPRESSES: f"""
select {_ACTION}, a.id, {int(NodeKind.EMOTION)}, a.id, a.at, r.at, a.recorded_at
from action a {_RECALLED}
where a.weight is not null and a.recorded_at <= :as_of order by a.id""",
}
_STORED: Final = f"""
select s.kind, s.id, t.kind, t.id, f.valid_from, f.valid_to, f.recorded_at
from ({FOLDED.format(condition="e.kind = :kind")}) f
join node s on s.key = f.source join node t on t.key = f.target
order by s.kind, s.id, t.kind, t.id"""
