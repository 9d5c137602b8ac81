"""How a batch gets into the embedded graph.

Most nodes and edges of a batch are known already, because every event names its customer, people,
opportunity and session again. So what is known of long-lived nodes and edges is kept in bounded
caches, and a claim that says nothing new never reaches SQL.
"""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from dealgraph.graph.embedded_schema import EDGE_NOUNS
from dealgraph.graph.implied import signal_edges
from dealgraph.graph.model import (
    OPEN,
    Action,
    DecisionSignal,
    Edge,
    EdgeKind,
    Node,
    NodeKind,
    NodeRef,
)
from dealgraph.graph.schema import check_actor, check_edge, check_node
from dealgraph.graph.store import GraphBatch, Retraction

_CACHED_NODES: Final = 50_000
_CACHED_EDGES: Final = 100_000
_CLAIMS_KEPT: Final = 4

_RunRow = tuple[int, str, str, int, int, int, int]

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_signal: Final = msgspec.msgpack.Decoder(DecisionSignal).decode

_Claim = tuple[int, int]
"""(recorded_at, valid_from): since when what is known."""


class _Run(Struct):
    """Observations of one value of an attribute with no other between: its first and its last."""

    value: str
    first: _Claim
    last: _Claim


class _KnownNode(Struct):
    """What the writer knows of a node: some claims, and per attribute the run believed now."""

    key: int
    claims: list[_Claim]
    runs: dict[str, _Run]


class _KnownEdge(Struct):
    """What the writer knows of an edge: some claims, and its ends by recorded time."""

    claims: list[_Claim]
    ends: dict[int, int]


class GraphWriter:
    """Writes batches through one connection; the caller holds the transaction and the lock."""

    def __init__(self) -> None:
        self._nodes: dict[NodeKind, dict[str, _KnownNode]] = {kind: {} for kind in NodeKind}
        self._edges: dict[tuple[EdgeKind, NodeRef, NodeRef], _KnownEdge] = {}

    def forget(self) -> None:
        """Drop what is known: written rows were taken back."""
        for cache in self._nodes.values():
            cache.clear()
        self._edges.clear()

    def write(self, connection: sqlite3.Connection, batch: GraphBatch) -> None:
        """Write a batch. Raises SchemaError; then, as after any error, the caller rolls back."""
        # Only between batches: what is evicted must be in the tables.
        for cache in self._nodes.values():
            _make_room(cache, _CACHED_NODES)
        _make_room(self._edges, _CACHED_EDGES)
        tally: Counter[int] = Counter()
        self._write_nodes(connection, batch.nodes, tally)
        self._write_edges(connection, batch.edges, tally)
        self._write_actions(connection, batch.actions, tally)
        _write_retractions(connection, batch)
        for signal in batch.signals:
            _write_signal(connection, signal, tally)
        connection.executemany(_ADD_TALLY, [(int(noun), n) for noun, n in tally.items() if n])
        if batch.position is not None:
            connection.execute(_SET_POSITION, (batch.position,))

    def _known(self, connection: sqlite3.Connection, kind: NodeKind, id_: str) -> _KnownNode:
        known = self._nodes[kind].get(id_)
        if known is None:
            known = self._nodes[kind][id_] = _load_node(connection, kind, id_)
        return known

    def _write_nodes(
        self, connection: sqlite3.Connection, nodes: Sequence[Node], tally: Counter[int]
    ) -> None:
        claims: list[tuple[int, int, int]] = []
        runs: list[_RunRow] = []
        for node in nodes:
            ref = node.ref
            known = self._nodes[ref.kind].get(ref.id)
            if known is None:
                check_node(ref)
                known = self._known(connection, ref.kind, ref.id)
            claim = (node.recorded_at, node.valid_from)
            if not _covered(known.claims, claim):
                tally[ref.kind] += not known.claims
                _remember(known.claims, claim)
                claims.append((known.key, *claim))
            for name, value in node.attributes.items():
                run = _observe(known.runs, name, value, claim)
                if run is not None:
                    runs.append((known.key, name, value, *run.first, *run.last))
        connection.executemany(_ADD_CLAIM, claims)
        connection.executemany(_PUT_RUN, runs)

    def _write_edges(
        self, connection: sqlite3.Connection, edges: Sequence[Edge], tally: Counter[int]
    ) -> None:
        rows: list[tuple[int, int, int, int, int, int]] = []
        for edge in edges:
            triple = (edge.kind, edge.source, edge.target)
            known = self._edges.get(triple)
            claim = (edge.recorded_at, edge.valid_from)
            if known is not None and edge.valid_to == OPEN and _covered(known.claims, claim):
                continue
            check_edge(edge)
            source = self._known(connection, edge.source.kind, edge.source.id).key
            target = self._known(connection, edge.target.kind, edge.target.id).key
            if known is None:
                known = self._edges[triple] = _load_edge(connection, source, edge.kind, target)
            if _says_nothing_new(known, edge):
                continue
            tally[EDGE_NOUNS + edge.kind] += not known.claims
            _remember(known.claims, claim)
            if edge.valid_to != OPEN:
                known.ends[edge.recorded_at] = edge.valid_to
            rows.append((source, int(edge.kind), target, *claim, edge.valid_to))
        connection.executemany(_ADD_EDGE, rows)

    def _write_actions(
        self, connection: sqlite3.Connection, actions: Sequence[Action], tally: Counter[int]
    ) -> None:
        if not actions:
            return
        before = connection.execute("select coalesce(max(key), 0) from action").fetchone()
        connection.executemany(
            _ADD_ACTION, [self._action_row(connection, action) for action in actions]
        )
        added = connection.execute(_COUNT_ACTIONS_AFTER, before).fetchone()
        tally.update(dict(zip(_ACTION_NOUNS, added, strict=True)))

    def _action_row(self, connection: sqlite3.Connection, action: Action) -> tuple[Any, ...]:
        actor = action.actor
        if actor is not None:
            check_actor(actor)
        emotion = action.emotion
        return (
            action.id,
            action.at,
            action.recorded_at,
            self._key(connection, NodeKind.OPPORTUNITY, action.opportunity),
            self._key(connection, NodeKind.SESSION, action.session),
            self._key(connection, actor.kind, actor.id) if actor else None,
            int(action.kind),  # sqlite3 is slow on anything but plain numbers
            int(action.role),
            emotion.valence * emotion.confidence if emotion else None,
            emotion.confidence if emotion else None,
            _encode(_as_performed(action)),
        )

    def _key(self, connection: sqlite3.Connection, kind: NodeKind, id_: str) -> int | None:
        if not id_:
            return None
        known = self._nodes[kind].get(id_)
        return known.key if known else self._known(connection, kind, id_).key


def _make_room(cache: dict[Any, Any], bound: int) -> None:
    """Drop the older half of a full cache; what is in use comes back soon."""
    if len(cache) >= bound:
        for key in list(islice(cache, len(cache) // 2)):
            del cache[key]


def _covered(claims: list[_Claim], claim: _Claim) -> bool:
    """Say whether something as old was already known then."""
    recorded_at, valid_from = claim
    for known_recorded, known_from in claims:
        if known_recorded <= recorded_at and known_from <= valid_from:
            return True
    return False


def _remember(claims: list[_Claim], claim: _Claim) -> None:
    claims.append(claim)
    if len(claims) > _CLAIMS_KEPT:
        del claims[0]


def _says_nothing_new(known: _KnownEdge, edge: Edge) -> bool:
    end_is_known = edge.valid_to == OPEN or known.ends.get(edge.recorded_at, OPEN) >= edge.valid_to
    return end_is_known and _covered(known.claims, (edge.recorded_at, edge.valid_from))


def _observe(runs: dict[str, _Run], name: str, value: str, claim: _Claim) -> _Run | None:
    """Note a value observed; return the run to write, or None when it changes no belief."""
    believed = runs.get(name)
    if believed is None:
        runs[name] = _Run(value, claim, claim)
        return runs[name]
    recorded_at, valid_from = claim
    last_recorded, last_from = believed.last
    newer = (valid_from, value) > (last_from, believed.value)
    if not newer and recorded_at >= last_recorded:
        return None
    if value == believed.value and recorded_at >= believed.first[0]:
        if newer:
            believed.last = claim
        return believed if newer else None
    run = _Run(value, claim, claim)
    if newer:
        runs[name] = run
    return run


def _load_node(connection: sqlite3.Connection, kind: NodeKind, id_: str) -> _KnownNode:
    name = (int(kind), id_)
    found = connection.execute("select key from node where kind = ? and id = ?", name).fetchone()
    if found is None:
        added = connection.execute("insert into node (kind, id) values (?, ?)", name)
        return _KnownNode(added.lastrowid or 0, [], {})
    claims = connection.execute(_CLAIMS_OF, (*found, _CLAIMS_KEPT)).fetchall()
    rows = connection.execute(_RUNS_OF, found)
    runs = {
        name: _Run(value, (r, v), (last_r, last_v)) for name, value, r, v, last_r, last_v in rows
    }
    return _KnownNode(found[0], claims, runs)


def _load_edge(
    connection: sqlite3.Connection, source: int, kind: EdgeKind, target: int
) -> _KnownEdge:
    rows = connection.execute(_CLAIMS_OF_EDGE, (source, int(kind), target)).fetchall()
    claims = [(recorded_at, valid_from) for recorded_at, valid_from, _ in rows]
    ends = {recorded_at: valid_to for recorded_at, _, valid_to in rows if valid_to != OPEN}
    return _KnownEdge(claims, ends)


def _as_performed(action: Action) -> Action:
    """Return the action without what became of it later: retractions are facts of their own."""
    if action.recalled_at == OPEN:
        return action
    return structs.replace(action, recalled_at=OPEN, recall_recorded_at=OPEN)


def _write_retractions(connection: sqlite3.Connection, batch: GraphBatch) -> None:
    recalled = [
        Retraction(action.id, action.recalled_at, action.recall_recorded_at)
        for action in batch.actions
        if action.recalled_at != OPEN
    ]
    connection.executemany(
        _ADD_RETRACTION, [(r.action, r.recorded_at, r.at) for r in (*batch.retractions, *recalled)]
    )


def _write_signal(
    connection: sqlite3.Connection, signal: DecisionSignal, tally: Counter[int]
) -> None:
    rows = connection.execute(_VERSIONS_OF, (signal.id,)).fetchall()
    versions = [_decode_signal(body) for (body,) in rows]
    if signal in versions:
        return
    connection.execute(
        _ADD_SIGNAL,
        (
            signal.id,
            signal.recorded_at,
            signal.at,
            signal.opportunity,
            signal.session,
            _encode(signal),
        ),
    )
    connection.executemany(_ADD_EVIDENCE, [(action, signal.id) for action in signal.evidence])
    tally[NodeKind.DECISION_SIGNAL] += not versions
    if versions:
        tally.subtract(EDGE_NOUNS + edge.kind for edge in signal_edges(versions))
    versions.append(signal)
    versions.sort(key=lambda version: version.recorded_at)
    tally.update(EDGE_NOUNS + edge.kind for edge in signal_edges(versions))


_ACTION_NOUNS: Final = (
    NodeKind.ACTION,
    NodeKind.EMOTION,
    EDGE_NOUNS + EdgeKind.EXPRESSES,
    EDGE_NOUNS + EdgeKind.ABOUT,
    EDGE_NOUNS + EdgeKind.PART_OF,
    EDGE_NOUNS + EdgeKind.PERFORMED,
)
_COUNT_ACTIONS_AFTER: Final = """
select count(*), count(weight), count(weight), count(opportunity), count(session), count(actor)
from action where key > ?"""
_ADD_CLAIM: Final = """
insert into node_claim (node, recorded_at, valid_from)
select ?1, ?2, ?3 where not exists (
  select 1 from node_claim where node = ?1 and recorded_at <= ?2 and valid_from <= ?3)
on conflict (node, recorded_at) do update set valid_from = min(valid_from, excluded.valid_from)"""
_CLAIMS_OF: Final = """
select recorded_at, valid_from from node_claim where node = ? order by recorded_at limit ?"""
_PUT_RUN: Final = """
insert into attribute
(node, name, value, recorded_at, valid_from, last_recorded_at, last_valid_from)
values (?, ?, ?, ?, ?, ?, ?) on conflict (node, name, value, recorded_at) do update
set valid_from = max(valid_from, excluded.valid_from),
  last_recorded_at = iif(excluded.last_valid_from > last_valid_from,
    excluded.last_recorded_at, last_recorded_at),
  last_valid_from = max(last_valid_from, excluded.last_valid_from)"""
_RUNS_OF: Final = """
select name, value, recorded_at, valid_from, last_recorded_at, last_valid_from
from attribute where node = ? order by last_valid_from, value"""
_ADD_EDGE: Final = """
insert into edge (source, kind, target, recorded_at, valid_from, valid_to) values (?, ?, ?, ?, ?, ?)
on conflict (source, kind, target, recorded_at) do update
set valid_from = min(valid_from, excluded.valid_from), valid_to = max(valid_to, excluded.valid_to)"""
_CLAIMS_OF_EDGE: Final = """
select recorded_at, valid_from, valid_to from edge where source = ? and kind = ? and target = ?
order by recorded_at"""
_ADD_ACTION: Final = """
insert into action
(id, at, recorded_at, opportunity, session, actor, kind, role, valence, weight, body)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do nothing"""
_ADD_RETRACTION: Final = """
insert into retraction (action, recorded_at, at) values (?, ?, ?)
on conflict (action) do update set recorded_at = excluded.recorded_at, at = excluded.at
where (excluded.recorded_at, excluded.at) < (recorded_at, at)"""
_VERSIONS_OF: Final = "select body from signal where id = ? order by recorded_at, key"
_ADD_SIGNAL: Final = """
insert into signal (id, recorded_at, at, opportunity, session, body) values (?, ?, ?, ?, ?, ?)"""
_ADD_EVIDENCE: Final = "insert or ignore into evidence (action, signal) values (?, ?)"
_ADD_TALLY: Final = """
insert into tally (noun, count) values (?, ?)
on conflict (noun) do update set count = count + excluded.count"""
_SET_POSITION: Final = """
insert into progress (only, position) values (0, ?)
on conflict (only) do update set position = max(position, excluded.position)"""
