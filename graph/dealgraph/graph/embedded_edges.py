"""How the embedded graph finds edges, stated ones and those that actions and signals imply.

Of a node with many actions a statement takes the newest few, so that it costs no more than others.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import compress, groupby
from operator import or_
from typing import Final

from dealgraph.graph.embedded_grounds import grounded
from dealgraph.graph.embedded_state import State, as_json
from dealgraph.graph.embedded_stated import edges_around, edges_within
from dealgraph.graph.embedded_values import load_versions
from dealgraph.graph.implied import edge_order, holds_within, signal_edges
from dealgraph.graph.model import OPEN, Edge, EdgeKind, NodeKind, NodeRef
from dealgraph.graph.schema import IMPLIED_BY_ACTION, IMPLIED_BY_SIGNAL
from dealgraph.graph.store import EdgeQuery, emotion_id

_NO_BOUND: Final = 1 << 62


def find_edges(state: State, refs: Sequence[NodeRef], query: EdgeQuery) -> list[Edge]:
    """Answer `GraphStore.edges`."""
    edges = _candidates(state, refs, query)
    if query.edge_kinds is not None:
        edges = [edge for edge in edges if edge.kind in query.edge_kinds]
    if query.since or query.before:
        edges = [edge for edge in edges if holds_within(edge, query.since, query.before)]
    edges.sort(key=edge_order)
    edges = [edge for edge, _ in groupby(edges)]  # some are found from both ends
    room = dict.fromkeys(refs, query.limit_per_node)
    chosen = _choice(edges, room, query.node_kinds)
    crowded = [ref for ref, left in room.items() if not left]
    if crowded and query.besides is not None:
        room = dict.fromkeys(crowded, query.limit_per_node)
        chosen = map(or_, chosen, _choice(edges, room, query.besides))
    return grounded(state, list(compress(edges, chosen)), query.as_of)


def _choice(
    edges: Iterable[Edge], room: dict[NodeRef, int], kinds: Collection[NodeKind] | None
) -> Iterable[bool]:
    """Say of each of the sorted edges whether a node that it joins to a fit one has room for it.

    `room` holds the room of each node before, and what is left of it after.
    """
    chosen: list[bool] = []
    for edge in edges:
        source, target = edge.source, edge.target
        out_of = room.get(source) if kinds is None or target.kind in kinds else None
        into = room.get(target) if kinds is None or source.kind in kinds else None
        if out_of:
            room[source] = out_of - 1
        if into and source != target:
            room[target] = into - 1
        chosen.append(bool(out_of or into))
    return chosen


def find_edges_between(state: State, refs: Sequence[NodeRef], as_of: int) -> list[Edge]:
    """Answer `GraphStore.edges_between`."""
    wanted = set(refs)
    edges = edges_within(state, state.keys_of(refs), as_of)
    actions = [ref.id for ref in refs if ref.kind is NodeKind.ACTION]
    edges += _of_actions(state, actions, as_of)
    signals = {ref.id for ref in refs if ref.kind is NodeKind.DECISION_SIGNAL}
    for versions in load_versions(state, signals, as_of).values():
        edges.extend(signal_edges(versions))
    between = sorted(
        (e for e in edges if e.source in wanted and e.target in wanted), key=edge_order
    )
    return grounded(state, between, as_of)


def _candidates(state: State, refs: Sequence[NodeRef], query: EdgeQuery) -> list[Edge]:
    """Return at least the edges that the query asks for, of each sort little more.

    There may be others, and an edge may come from both of its ends.
    """
    kinds = query.edge_kinds if query.edge_kinds is not None else frozenset(EdgeKind)
    keys = state.keys_of(refs)
    edges = edges_around(state, keys, query) if keys else []
    if query.node_kinds is None or NodeKind.ACTION in query.node_kinds:
        for kind, owner_kinds in _OWNERS.items():
            if kind in kinds:
                owned = {key: ref for key, ref in keys.items() if ref.kind in owner_kinds}
                edges += _of_owners(state, kind, owned, query)
    if kinds & IMPLIED_BY_ACTION:
        # The emotion of an action has the id of the action.
        named = {ref.id for ref in refs if ref.kind in (NodeKind.ACTION, NodeKind.EMOTION)}
        edges += _of_actions(state, named, query.as_of)
    if kinds & IMPLIED_BY_SIGNAL:
        edges += _of_signals(state, refs, query)
    return edges


_OWNERS: Final = {
    EdgeKind.PERFORMED: (NodeKind.CONTACT, NodeKind.REP),
    EdgeKind.PART_OF: (NodeKind.SESSION,),
    EdgeKind.ABOUT: (NodeKind.OPPORTUNITY,),
}


def _of_owners(
    state: State, kind: EdgeKind, owned: Mapping[int, NodeRef], query: EdgeQuery
) -> list[Edge]:
    """Return the newest action edges of people, sessions or opportunities."""
    statement, outward = _OF_OWNER[kind], kind is EdgeKind.PERFORMED
    bounds = (query.as_of, query.since, query.before or _NO_BOUND, query.limit_per_node)
    edges: list[Edge] = []
    for key, owner in owned.items():
        rows = state.execute(statement, (key, *bounds)).fetchall()
        state.note_rows((row[0], row[1]) for row in rows)
        for id_, _, at, recalled_at, recorded_at in rows:
            ref = NodeRef(NodeKind.ACTION, id_)
            ends = (owner, ref) if outward else (ref, owner)
            edges.append(Edge(kind, *ends, at, recalled_at or OPEN, recorded_at))
    return edges


def _of_actions(state: State, ids: Collection[str], as_of: int) -> list[Edge]:
    """Return the edges of actions."""
    stored = state.rows_of(ids)
    if not stored:
        return []
    parameters = {"rows": as_json(stored), "as_of": as_of}
    rows = state.execute(_ACTION_ENDS, parameters).fetchall()
    nodes = state.refs_of({key for row in rows for key in row[:3] if key is not None})
    edges: list[Edge] = []
    for opportunity, session, actor, id_, at, recalled_at, recorded_at, emotion in rows:
        ref, times = NodeRef(NodeKind.ACTION, id_), (at, recalled_at or OPEN, recorded_at)
        if actor is not None:
            edges.append(Edge(EdgeKind.PERFORMED, nodes[actor], ref, *times))
        if session is not None:
            edges.append(Edge(EdgeKind.PART_OF, ref, nodes[session], *times))
        if opportunity is not None:
            edges.append(Edge(EdgeKind.ABOUT, ref, nodes[opportunity], *times))
        if emotion:
            felt = NodeRef(NodeKind.EMOTION, emotion_id(id_))
            edges.append(Edge(EdgeKind.EXPRESSES, ref, felt, *times))
    return edges


def _of_signals(state: State, refs: Sequence[NodeRef], query: EdgeQuery) -> list[Edge]:
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
        signals.update(id_ for (id_,) in state.execute(statement, parameters))
    found = load_versions(state, signals, query.as_of).values()
    return [edge for versions in found for edge in signal_edges(versions)]


_OWNED: Final = """
select a.id, a.key, a.at, r.at, a.recorded_at from action a
left join retraction r on r.action = a.id and r.recorded_at <= ?2
where a.{column} = ?1 and a.at >= ?3 and a.at < ?4 and a.recorded_at <= ?2
order by a.at desc, a.id limit ?5"""
_OF_OWNER: Final = {
    EdgeKind.PERFORMED: _OWNED.format(column="actor"),
    EdgeKind.PART_OF: _OWNED.format(column="session"),
    EdgeKind.ABOUT: _OWNED.format(column="opportunity"),
}
_ACTION_ENDS: Final = """
select a.opportunity, a.session, a.actor, a.id, a.at, r.at, a.recorded_at, a.weight is not null
from action a
left join retraction r on r.action = a.id and r.recorded_at <= :as_of
where a.key in (select value from json_each(:rows)) and a.recorded_at <= :as_of"""
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
