"""How the embedded graph finds edges: a fixed number of statements for any number of nodes.

Stored edges come from the table `edge`; those that actions and signals imply come from their rows.
A subquery per node takes the newest few, so that a node with many actions costs no more than others.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from dealgraph.graph.embedded_values import as_json, keys_of, load_versions
from dealgraph.graph.implied import edge_order, holds_within, signal_edges
from dealgraph.graph.model import OPEN, Edge, EdgeKind, NodeKind, NodeRef
from dealgraph.graph.schema import IMPLIED_BY_ACTION, IMPLIED_BY_SIGNAL
from dealgraph.graph.store import EdgeQuery, emotion_id

_Found = Iterator[tuple[NodeRef, Edge]]
"""Edges, each beside the node that was asked for."""

_NO_BOUND: Final = 1 << 62
_NODE_KINDS: Final = {int(kind): kind for kind in NodeKind}
_EDGE_KINDS: Final = {int(kind): kind for kind in EdgeKind}


def find_edges(
    connection: sqlite3.Connection, refs: Sequence[NodeRef], query: EdgeQuery
) -> list[Edge]:
    """Answer `GraphStore.edges`."""
    of_node: dict[NodeRef, list[Edge]] = {}
    for ref, edge in _candidates(connection, refs, query):
        other = edge.target if edge.source == ref else edge.source
        if (
            (query.edge_kinds is None or edge.kind in query.edge_kinds)
            and (query.node_kinds is None or other.kind in query.node_kinds)
            and holds_within(edge, query.since, query.before)
        ):
            of_node.setdefault(ref, []).append(edge)
    chosen: set[Edge] = set()
    for edges in of_node.values():
        if len(edges) > query.limit_per_node:
            edges.sort(key=edge_order)
        chosen.update(edges[: query.limit_per_node])
    return sorted(chosen, key=edge_order)


def find_edges_between(
    connection: sqlite3.Connection, refs: Sequence[NodeRef], as_of: int
) -> list[Edge]:
    """Answer `GraphStore.edges_between`."""
    wanted = set(refs)
    actions = [ref.id for ref in refs if ref.kind is NodeKind.ACTION]
    edges = list(_of_actions(connection, actions, as_of))
    signals = {ref.id for ref in refs if ref.kind is NodeKind.DECISION_SIGNAL}
    for versions in load_versions(connection, signals, as_of).values():
        edges.extend(signal_edges(versions))
    keys = keys_of(connection, refs)
    parameters = {"nodes": as_json(list(keys)), "as_of": as_of}
    for statement in (_BETWEEN_BY_SOURCE, _BETWEEN_BY_TARGET):
        for source, kind, target, *times in connection.execute(statement, parameters):
            if source in keys and target in keys:
                edges.append(Edge(_EDGE_KINDS[kind], keys[source], keys[target], *times))
    return sorted((e for e in edges if e.source in wanted and e.target in wanted), key=edge_order)


def _candidates(
    connection: sqlite3.Connection, refs: Sequence[NodeRef], query: EdgeQuery
) -> _Found:
    """Yield at least the edges that the query asks for, at most `limit_per_node` of each sort."""
    kinds = query.edge_kinds if query.edge_kinds is not None else frozenset(EdgeKind)
    keys = keys_of(connection, refs)
    yield from _stored(connection, keys, query)
    for kind, owner_kinds in _OWNERS.items():
        owned = {key: ref for key, ref in keys.items() if ref.kind in owner_kinds}
        if owned and kind in kinds and _allows(query, NodeKind.ACTION):
            yield from _of_owners(connection, kind, owned, query)
    if kinds & IMPLIED_BY_ACTION:
        yield from _of_named_actions(connection, refs, query)
    if kinds & IMPLIED_BY_SIGNAL:
        yield from _of_signals(connection, refs, query)


def _allows(query: EdgeQuery, kind: NodeKind) -> bool:
    return query.node_kinds is None or kind in query.node_kinds


def _parameters(keys: Iterable[int], query: EdgeQuery) -> dict[str, Any]:
    return {
        "nodes": as_json(list(keys)),
        "since": query.since,
        "before": query.before or _NO_BOUND,
        "as_of": query.as_of,
        "limit": query.limit_per_node,
    }


def _stored(connection: sqlite3.Connection, keys: dict[int, NodeRef], query: EdgeQuery) -> _Found:
    parameters = _parameters(keys, query) | {
        "edge_kinds": as_json(
            [int(k) for k in (EdgeKind if query.edge_kinds is None else query.edge_kinds)]
        ),
        "node_kinds": as_json(
            [int(k) for k in (NodeKind if query.node_kinds is None else query.node_kinds)]
        ),
    }
    for outward, statement in ((True, _STORED_OUT), (False, _STORED_IN)):
        for node, kind, other_kind, other_id, *times in connection.execute(statement, parameters):
            ref, other = keys[node], NodeRef(_NODE_KINDS[other_kind], other_id)
            ends = (ref, other) if outward else (other, ref)
            yield ref, Edge(_EDGE_KINDS[kind], *ends, *times)


_OWNERS: Final = {
    EdgeKind.PERFORMED: (NodeKind.CONTACT, NodeKind.REP),
    EdgeKind.PART_OF: (NodeKind.SESSION,),
    EdgeKind.ABOUT: (NodeKind.OPPORTUNITY,),
}


def _of_owners(
    connection: sqlite3.Connection, kind: EdgeKind, owned: dict[int, NodeRef], query: EdgeQuery
) -> _Found:
    """Yield the newest action edges of people, sessions or opportunities."""
    rows = connection.execute(_OF_OWNER[kind], _parameters(owned, query))
    for key, action, at, recalled_at, recorded_at in rows:
        ref, other = owned[key], NodeRef(NodeKind.ACTION, action)
        ends = (ref, other) if kind is EdgeKind.PERFORMED else (other, ref)
        yield ref, Edge(kind, *ends, at, recalled_at or OPEN, recorded_at)


def _of_named_actions(
    connection: sqlite3.Connection, refs: Sequence[NodeRef], query: EdgeQuery
) -> _Found:
    """Yield the edges of the actions and emotions among `refs`."""
    actions = [ref.id for ref in refs if ref.kind is NodeKind.ACTION]
    for edge in _of_actions(connection, actions, query.as_of):
        yield edge.target if edge.kind is EdgeKind.PERFORMED else edge.source, edge
    emotions = [ref.id for ref in refs if ref.kind is NodeKind.EMOTION]
    for edge in _of_actions(connection, emotions, query.as_of):
        if edge.kind is EdgeKind.EXPRESSES:
            yield edge.target, edge


def _of_actions(connection: sqlite3.Connection, ids: Sequence[str], as_of: int) -> Iterator[Edge]:
    if not ids:
        return
    rows = connection.execute(_ACTION_ENDS, {"ids": as_json(ids), "as_of": as_of})
    for id_, at, recalled_at, recorded_at, opportunity, session, kind, actor, emotion in rows:
        ref, times = NodeRef(NodeKind.ACTION, id_), (at, recalled_at or OPEN, recorded_at)
        if actor is not None:
            yield Edge(EdgeKind.PERFORMED, NodeRef(_NODE_KINDS[kind], actor), ref, *times)
        if session is not None:
            yield Edge(EdgeKind.PART_OF, ref, NodeRef(NodeKind.SESSION, session), *times)
        if opportunity is not None:
            yield Edge(EdgeKind.ABOUT, ref, NodeRef(NodeKind.OPPORTUNITY, opportunity), *times)
        if emotion:
            felt = NodeRef(NodeKind.EMOTION, emotion_id(id_))
            yield Edge(EdgeKind.EXPRESSES, ref, felt, *times)


def _of_signals(
    connection: sqlite3.Connection, refs: Sequence[NodeRef], query: EdgeQuery
) -> _Found:
    """Yield the edges of signals that start or end at `refs`."""
    wanted = set(refs)
    signals = {ref.id for ref in refs if ref.kind is NodeKind.DECISION_SIGNAL}
    for kind, statement in _SIGNALS_OF.items():
        parameters = {
            "ids": as_json([ref.id for ref in refs if ref.kind is kind]),
            "before": query.before or _NO_BOUND,
            "as_of": query.as_of,
            # A lower bound of time leaves out retracted signals, which SQL cannot tell here.
            "limit": query.limit_per_node if not query.since else _NO_BOUND,
        }
        signals.update(id_ for (id_,) in connection.execute(statement, parameters))
    for versions in load_versions(connection, signals, query.as_of).values():
        for edge in signal_edges(versions):
            for ref in {edge.source, edge.target} & wanted:
                yield ref, edge


FOLDED: Final = """
  select e.source, e.kind, e.target, min(e.valid_from) as valid_from,
    case when max(e.valid_to) = 0 then 0 else (
      select c.valid_to from edge c
      where c.source = e.source and c.kind = e.kind and c.target = e.target
        and c.recorded_at <= :as_of and c.valid_to <> 0
      order by c.recorded_at desc limit 1) end as valid_to,
    min(e.recorded_at) as recorded_at
  from edge e
  where {condition} and e.recorded_at <= :as_of group by e.source, e.kind, e.target"""
"""Edges by what is known of them: the earliest start, the end recorded last."""

_STORED: Final = """
select near, kind, far_kind, far_id, valid_from, valid_to, recorded_at from (
  select f.{near} as near, f.kind, n.kind as far_kind, n.id as far_id, f.valid_from, f.valid_to,
    f.recorded_at, row_number() over (
      partition by f.{near} order by f.valid_from desc, f.kind, n.kind, n.id) as place
  from ({folded}) f join node n on n.key = f.{far}
  where f.valid_from < :before and (f.valid_to = 0 or f.valid_to > :since)
    and n.kind in (select value from json_each(:node_kinds))
) where place <= :limit"""
_NEAR: Final = """e.{near} in (select value from json_each(:nodes))
    and e.kind in (select value from json_each(:edge_kinds))"""
_STORED_OUT: Final = _STORED.format(
    near="source", far="target", folded=FOLDED.format(condition=_NEAR.format(near="source"))
)
_STORED_IN: Final = _STORED.format(
    near="target",
    far="source",
    folded=FOLDED.format(condition=_NEAR.format(near="target") + " and e.source <> e.target"),
)
# Each kind is looked up from the end that has few edges of it.
_BETWEEN: Final = """e.{near} in (select value from json_each(:nodes)) and e.kind in {kinds}"""
_BETWEEN_BY_SOURCE: Final = FOLDED.format(
    condition=_BETWEEN.format(
        near="source",
        kinds=(int(EdgeKind.CONCERNS), int(EdgeKind.BELONGS_TO), int(EdgeKind.SAME_AS)),
    )
)
_BETWEEN_BY_TARGET: Final = FOLDED.format(
    condition=_BETWEEN.format(
        near="target",
        kinds=(int(EdgeKind.HAS_OPPORTUNITY), int(EdgeKind.WORKS_ON), int(EdgeKind.TOOK_PART_IN)),
    )
)
_OWNED: Final = """
select n.value, a.id, a.at, r.at, a.recorded_at from json_each(:nodes) n
join action a on a.key in (
  select b.key from action b
  where b.{column} = n.value and b.at >= :since and b.at < :before and b.recorded_at <= :as_of
  order by b.at desc, b.id limit :limit)
left join retraction r on r.action = a.id and r.recorded_at <= :as_of"""
_OF_OWNER: Final = {
    EdgeKind.PERFORMED: _OWNED.format(column="actor"),
    EdgeKind.PART_OF: _OWNED.format(column="session"),
    EdgeKind.ABOUT: _OWNED.format(column="opportunity"),
}
_ACTION_ENDS: Final = """
select a.id, a.at, r.at, a.recorded_at, o.id, s.id, p.kind, p.id, a.weight is not null
from action a
left join node o on o.key = a.opportunity
left join node s on s.key = a.session
left join node p on p.key = a.actor
left join retraction r on r.action = a.id and r.recorded_at <= :as_of
where a.id in (select value from json_each(:ids)) and a.recorded_at <= :as_of"""
_NEWEST_SIGNALS: Final = """
select id from (
  select id, row_number() over (partition by {column} order by min(at) desc, id) as place
  from signal where {column} in (select value from json_each(:ids)) and recorded_at <= :as_of
  group by {column}, id having min(at) < :before
) where place <= :limit"""
_SIGNALS_OF: Final = {
    NodeKind.OPPORTUNITY: _NEWEST_SIGNALS.format(column="opportunity"),
    NodeKind.SESSION: _NEWEST_SIGNALS.format(column="session"),
    NodeKind.ACTION: """
select signal from evidence where action in (select value from json_each(:ids))""",
}
