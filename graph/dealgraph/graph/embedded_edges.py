"""How the embedded graph finds edges: a fixed number of statements for any number of nodes.

Stored edges come from the table `edge`; those that actions and signals imply come from their rows.
A subquery per node takes the newest few, so that a node with many actions costs no more than others.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from dealgraph.graph.embedded_grounds import grounded
from dealgraph.graph.embedded_ids import NAMED, named
from dealgraph.graph.embedded_values import as_json, keys_of, load_versions, refs_of
from dealgraph.graph.implied import edge_order, holds_within, signal_edges
from dealgraph.graph.model import OPEN, Edge, EdgeKind, NodeKind, NodeRef
from dealgraph.graph.schema import IMPLIED_BY_ACTION, IMPLIED_BY_SIGNAL
from dealgraph.graph.store import EdgeQuery, emotion_id

_NO_BOUND: Final = 1 << 62
_NODE_KINDS: Final = {int(kind): kind for kind in NodeKind}
_EDGE_KINDS: Final = {int(kind): kind for kind in EdgeKind}


def find_edges(
    connection: sqlite3.Connection, refs: Sequence[NodeRef], query: EdgeQuery
) -> list[Edge]:
    """Answer `GraphStore.edges`."""
    edges = _candidates(connection, refs, query)
    if query.edge_kinds is not None:
        edges = [edge for edge in edges if edge.kind in query.edge_kinds]
    if query.since or query.before:
        edges = [edge for edge in edges if holds_within(edge, query.since, query.before)]
    edges.sort(key=edge_order)
    return grounded(connection, _newest(edges, refs, query), query.as_of)


def _newest(edges: Sequence[Edge], refs: Iterable[NodeRef], query: EdgeQuery) -> list[Edge]:
    """Return of sorted edges each once, as long as a node that it joins to a fit one has room for it."""
    room = dict.fromkeys(refs, query.limit_per_node)
    kinds = query.node_kinds
    chosen: list[Edge] = []
    last: Edge | None = None
    for edge in edges:
        if edge == last:  # found from both ends
            continue
        last = edge
        source, target = edge.source, edge.target
        out_of = room.get(source) if kinds is None or target.kind in kinds else None
        into = room.get(target) if kinds is None or source.kind in kinds else None
        if out_of:
            room[source] = out_of - 1
        if into and source != target:
            room[target] = into - 1
        if out_of or into:
            chosen.append(edge)
    return chosen


def find_edges_between(
    connection: sqlite3.Connection, refs: Sequence[NodeRef], as_of: int
) -> list[Edge]:
    """Answer `GraphStore.edges_between`."""
    wanted = set(refs)
    keys = keys_of(connection, refs)
    actions = [ref.id for ref in refs if ref.kind is NodeKind.ACTION]
    edges = _of_actions(connection, actions, as_of, keys)
    signals = {ref.id for ref in refs if ref.kind is NodeKind.DECISION_SIGNAL}
    for versions in load_versions(connection, signals, as_of).values():
        edges.extend(signal_edges(versions))
    parameters = {"nodes": as_json(list(keys)), "as_of": as_of}
    for statement in (_BETWEEN_BY_SOURCE, _BETWEEN_BY_TARGET):
        for source, kind, target, *times in connection.execute(statement, parameters):
            if source in keys and target in keys:
                edges.append(Edge(_EDGE_KINDS[kind], keys[source], keys[target], *times))
    between = sorted(
        (e for e in edges if e.source in wanted and e.target in wanted), key=edge_order
    )
    return grounded(connection, between, as_of)


def _candidates(
    connection: sqlite3.Connection, refs: Sequence[NodeRef], query: EdgeQuery
) -> list[Edge]:
    """Return at least the edges that the query asks for, at most `limit_per_node` of each sort.

    There may be others, and an edge may come from both of its ends.
    """
    kinds = query.edge_kinds if query.edge_kinds is not None else frozenset(EdgeKind)
    keys = keys_of(connection, refs)
    edges = _stored(connection, keys, query) if keys else []
    for kind, owner_kinds in _OWNERS.items():
        owned = {key: ref for key, ref in keys.items() if ref.kind in owner_kinds}
        if owned and kind in kinds and _allows(query, NodeKind.ACTION):
            edges += _of_owners(connection, kind, owned, query)
    if kinds & IMPLIED_BY_ACTION:
        # The emotion of an action has the id of the action.
        named = {ref.id for ref in refs if ref.kind in (NodeKind.ACTION, NodeKind.EMOTION)}
        edges += _of_actions(connection, named, query.as_of, keys)
    if kinds & IMPLIED_BY_SIGNAL:
        edges += _of_signals(connection, refs, query)
    return edges


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


def _stored(
    connection: sqlite3.Connection, keys: Mapping[int, NodeRef], query: EdgeQuery
) -> list[Edge]:
    parameters = _parameters(keys, query) | {
        "edge_kinds": as_json(
            [int(k) for k in (EdgeKind if query.edge_kinds is None else query.edge_kinds)]
        ),
        "node_kinds": as_json(
            [int(k) for k in (NodeKind if query.node_kinds is None else query.node_kinds)]
        ),
    }
    edges: list[Edge] = []
    for outward, statement in ((True, _STORED_OUT), (False, _STORED_IN)):
        for node, kind, other_kind, other_id, *times in connection.execute(statement, parameters):
            ref, other = keys[node], NodeRef(_NODE_KINDS[other_kind], other_id)
            ends = (ref, other) if outward else (other, ref)
            edges.append(Edge(_EDGE_KINDS[kind], *ends, *times))
    return edges


_OWNERS: Final = {
    EdgeKind.PERFORMED: (NodeKind.CONTACT, NodeKind.REP),
    EdgeKind.PART_OF: (NodeKind.SESSION,),
    EdgeKind.ABOUT: (NodeKind.OPPORTUNITY,),
}


def _of_owners(
    connection: sqlite3.Connection,
    kind: EdgeKind,
    owned: Mapping[int, NodeRef],
    query: EdgeQuery,
) -> list[Edge]:
    """Return the newest action edges of people, sessions or opportunities."""
    action, outward = NodeKind.ACTION, kind is EdgeKind.PERFORMED
    return [
        Edge(kind, owned[key], NodeRef(action, id_), at, recalled_at or OPEN, recorded_at)
        if outward
        else Edge(kind, NodeRef(action, id_), owned[key], at, recalled_at or OPEN, recorded_at)
        for key, id_, at, recalled_at, recorded_at in connection.execute(
            _OF_OWNER[kind], _parameters(owned, query)
        )
    ]


def _of_actions(
    connection: sqlite3.Connection, ids: Collection[str], as_of: int, known: Mapping[int, NodeRef]
) -> list[Edge]:
    """Return the edges of actions, given nodes that may be at their ends."""
    if not ids:
        return []
    rows = connection.execute(_ACTION_ENDS, named(ids) | {"as_of": as_of}).fetchall()
    ends = {key for row in rows for key in row[:3] if key is not None}
    nodes = {**known, **refs_of(connection, ends - known.keys())}
    edges: list[Edge] = []
    for opportunity, session, actor, id_, at, recalled_at, recorded_at, emotion in rows:
        ref, until = NodeRef(NodeKind.ACTION, id_), recalled_at or OPEN
        if actor is not None:
            edges.append(Edge(EdgeKind.PERFORMED, nodes[actor], ref, at, until, recorded_at))
        if session is not None:
            edges.append(Edge(EdgeKind.PART_OF, ref, nodes[session], at, until, recorded_at))
        if opportunity is not None:
            edges.append(Edge(EdgeKind.ABOUT, ref, nodes[opportunity], at, until, recorded_at))
        if emotion:
            felt = NodeRef(NodeKind.EMOTION, emotion_id(id_))
            edges.append(Edge(EdgeKind.EXPRESSES, ref, felt, at, until, recorded_at))
    return edges


def _of_signals(
    connection: sqlite3.Connection, refs: Sequence[NodeRef], query: EdgeQuery
) -> list[Edge]:
    """Return the edges of signals that start or end at `refs`, and others of these signals."""
    signals = {ref.id for ref in refs if ref.kind is NodeKind.DECISION_SIGNAL}
    for kind, statement in _SIGNALS_OF.items():
        ids = [ref.id for ref in refs if ref.kind is kind]
        if not ids:
            continue
        parameters = {
            "ids": as_json(ids),
            "before": query.before or _NO_BOUND,
            "as_of": query.as_of,
            # A lower bound of time leaves out retracted signals, which SQL cannot tell here.
            "limit": query.limit_per_node if not query.since else _NO_BOUND,
        }
        signals.update(id_ for (id_,) in connection.execute(statement, parameters))
    found = load_versions(connection, signals, query.as_of).values()
    return [edge for versions in found for edge in signal_edges(versions)]


JOINED: Final = "max(e.valid_from * 2 + (e.valid_to <> 0)) % 2 = 0"
"""Whether the newest statement of a group of SAME_AS rows `e` joins; at the same time parting wins."""

FOLDED: Final = """
  select e.source, e.kind, e.target,
    iif(e.kind = {same}, max(e.valid_from), min(e.valid_from)) as valid_from,
    case when max(e.valid_to) = 0 or e.kind = {same} then 0 else (
      select c.valid_to from edge c
      where c.source = e.source and c.kind = e.kind and c.target = e.target
        and c.recorded_at <= :as_of and c.valid_to <> 0
      order by c.recorded_at desc limit 1) end as valid_to,
    min(e.recorded_at) as recorded_at
  from edge e
  where {condition} and e.recorded_at <= :as_of group by e.source, e.kind, e.target
  having e.kind <> {same} or {joined}""".replace("{same}", str(int(EdgeKind.SAME_AS))).replace(
    "{joined}", JOINED
)
"""Edges by what is known of them: the earliest start, the end recorded last.

Of SAME_AS it is the newest statement, and no edge when that one parts the two.
"""

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
    and +e.kind in (select value from json_each(:edge_kinds))"""  # + : no search for each kind
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
_ACTION_ENDS: Final = f"""
select a.opportunity, a.session, a.actor, a.id, a.at, r.at, a.recorded_at, a.weight is not null
from action a
left join retraction r on r.action = a.id and r.recorded_at <= :as_of
where {NAMED} and a.recorded_at <= :as_of"""
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
