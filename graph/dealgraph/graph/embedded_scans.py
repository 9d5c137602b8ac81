"""How the embedded graph is read from end to end, in a stable order and in bounded memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Final

from dealgraph.graph.embedded_grounds import grounded
from dealgraph.graph.embedded_state import State
from dealgraph.graph.embedded_stated import believed
from dealgraph.graph.embedded_values import load_nodes, load_versions
from dealgraph.graph.implied import signal_edges
from dealgraph.graph.model import Edge, EdgeKind, Node, NodeKind, NodeRef
from dealgraph.graph.schema import IMPLIED_BY_SIGNAL, IMPLIED_NODES

_CHUNK: Final = 500
_Row = tuple[int, str, int, str, int, int, int]
"""Kind and id of the source, of the target; `valid_from`, `valid_to`, `recorded_at`."""

_NODE_KINDS: Final = {int(kind): kind for kind in NodeKind}


def scan_nodes(connection: sqlite3.Connection, as_of: int) -> Iterator[Node]:
    """Yield all nodes, sorted by (kind, id)."""
    for kind in NodeKind:
        statement = _IDS.get(kind, _LONG_LIVED_IDS)
        parameters = () if kind in IMPLIED_NODES else (int(kind),)
        for ids in _chunks(id_ for (id_,) in connection.execute(statement, parameters)):
            state = State(connection)  # one for all would remember all
            yield from load_nodes(state, [NodeRef(kind, id_) for id_ in ids], as_of).values()


def scan_edges(connection: sqlite3.Connection, as_of: int) -> Iterator[Edge]:
    """Yield all edges, sorted by (kind, source, target)."""
    for kind in EdgeKind:
        if kind in IMPLIED_BY_SIGNAL:
            yield from _of_signals(connection, kind, as_of)
            continue
        edges = _edges(connection, kind, as_of)
        if kind is EdgeKind.SAME_AS:
            yield from grounded(State(connection), list(edges), as_of)
        else:
            yield from edges


def _edges(connection: sqlite3.Connection, kind: EdgeKind, as_of: int) -> Iterator[Edge]:
    statement = _OF_ACTIONS.get(kind)
    parameters = {"kind": int(kind), "as_of": as_of}
    rows: Iterable[_Row] = connection.execute(statement or _STATED, parameters)
    if statement is None:
        rows = _believed(kind, rows)
    for source_kind, source, target_kind, target, valid_from, valid_to, recorded_at in rows:
        yield Edge(
            kind,
            NodeRef(_NODE_KINDS[source_kind], source),
            NodeRef(_NODE_KINDS[target_kind], target),
            valid_from,
            valid_to,
            recorded_at,
        )


def _believed(kind: EdgeKind, rows: Iterable[_Row]) -> Iterator[_Row]:
    """Yield of rows that state edges, sorted by their ends, one for each edge that is believed."""
    for ends, stated in groupby(rows, key=lambda row: row[:4]):
        times = believed(kind, [row[4:] for row in stated])
        if times is not None:
            yield (*ends, *times)


def _of_signals(connection: sqlite3.Connection, kind: EdgeKind, as_of: int) -> Iterator[Edge]:
    rows = connection.execute(_IDS[NodeKind.DECISION_SIGNAL])
    for ids in _chunks(id_ for (id_,) in rows):
        for _, versions in sorted(load_versions(State(connection), ids, as_of).items()):
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
select {_ACTION}, a.id, n.kind, n.id, a.at, coalesce(r.at, 0), a.recorded_at
from action a join node n on n.key = a.{{column}} {_RECALLED}
where a.recorded_at <= :as_of order by a.id"""
_OF_ACTIONS: Final = {
    EdgeKind.PERFORMED: f"""
select n.kind, n.id, {_ACTION}, a.id, a.at, coalesce(r.at, 0), a.recorded_at
from node n cross join action a on a.actor = n.key {_RECALLED}
where a.recorded_at <= :as_of order by n.kind, n.id, a.id""",
    EdgeKind.PART_OF: _TO_OWNER.format(column="session"),
    EdgeKind.ABOUT: _TO_OWNER.format(column="opportunity"),
    EdgeKind.EXPRESSES: f"""
select {_ACTION}, a.id, {int(NodeKind.EMOTION)}, a.id, a.at, coalesce(r.at, 0), a.recorded_at
from action a {_RECALLED}
where a.weight is not null and a.recorded_at <= :as_of order by a.id""",
}
_STATED: Final = """
select s.kind, s.id, t.kind, t.id, e.valid_from, e.valid_to, e.recorded_at from edge e
join node s on s.key = e.source join node t on t.key = e.target
where e.kind = :kind and e.recorded_at <= :as_of
order by s.kind, s.id, t.kind, t.id"""
