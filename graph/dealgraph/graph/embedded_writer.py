"""How a batch gets into the embedded graph: statements for many rows, and only for what is new."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import structs

from dealgraph.graph.embedded_grounds import note_ground
from dealgraph.graph.embedded_ids import Ids, stored_ids
from dealgraph.graph.embedded_known import Known, Run, covered, observe, remember
from dealgraph.graph.embedded_schema import CLEAR, EDGE_NOUNS
from dealgraph.graph.embedded_stated import believed
from dealgraph.graph.implied import signal_edges
from dealgraph.graph.model import OPEN, Action, DecisionSignal, Edge, EdgeKind, Node, NodeKind, Role
from dealgraph.graph.schema import check_actor, check_edge, check_node
from dealgraph.graph.store import GraphBatch, Retraction

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_signal: Final = msgspec.msgpack.Decoder(DecisionSignal).decode


class GraphWriter:
    """Writes batches through one connection; the caller holds the transaction and the lock."""

    def __init__(self) -> None:
        self._known = Known()
        self._ids = Ids()

    def forget(self) -> None:
        """Drop what is known: written rows were taken back."""
        self._known.forget()
        self._ids.forget()

    def clear(self, connection: sqlite3.Connection) -> None:
        """Take everything out of the tables."""
        for statement in CLEAR:
            connection.execute(statement)
        self.forget()

    def write(self, connection: sqlite3.Connection, batch: GraphBatch) -> None:
        """Write a batch. Raises SchemaError; then, as after any error, the caller rolls back."""
        self._known.make_room()
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
        _write_time(connection, batch)

    def _write_nodes(
        self, connection: sqlite3.Connection, nodes: Sequence[Node], tally: Counter[int]
    ) -> None:
        claims: list[tuple[int, int, int]] = []
        runs: dict[int, tuple[int, str, Run]] = {}
        for node in nodes:
            ref = node.ref
            known = self._known.nodes[ref.kind].get(ref.id)
            if known is None:
                check_node(ref)
                known = self._known.load_node(connection, ref.kind, ref.id)
            claim = (node.recorded_at, node.valid_from)
            if not covered(known.claims, *claim):
                tally[ref.kind] += not known.claims
                remember(known.claims, claim)
                claims.append((known.key, *claim))
            for name, value in node.attributes.items():
                run = observe(known.runs, name, value, claim)
                if run is not None:
                    runs[id(run)] = (known.key, name, run)
        connection.executemany(_ADD_CLAIM, claims)
        connection.executemany(
            _PUT_RUN, [(key, name, r.value, *r.first, *r.last) for key, name, r in runs.values()]
        )

    def _write_edges(
        self, connection: sqlite3.Connection, edges: Sequence[Edge], tally: Counter[int]
    ) -> None:
        rows: list[tuple[int, int, int, int, int, int]] = []
        for edge in edges:
            known = self._known.edges[edge.kind].get((edge.source, edge.target))
            recorded_at, valid_from, valid_to = edge.recorded_at, edge.valid_from, edge.valid_to
            if known is None:
                check_edge(edge)
                if edge.kind is EdgeKind.SAME_AS:
                    self._write_statement(connection, edge, tally)
                    continue
                known = self._known.load_edge(connection, edge.kind, edge.source, edge.target)
            end_is_known = not valid_to or known.ends.get(recorded_at, OPEN) >= valid_to
            if end_is_known and covered(known.claims, recorded_at, valid_from):
                continue
            tally[EDGE_NOUNS + edge.kind] += not known.claims
            remember(known.claims, (recorded_at, valid_from))
            if not end_is_known:
                known.ends[recorded_at] = valid_to
            source = self._known.load_node(connection, edge.source.kind, edge.source.id).key
            target = self._known.load_node(connection, edge.target.kind, edge.target.id).key
            rows.append((source, int(edge.kind), target, recorded_at, valid_from, valid_to))
        connection.executemany(_ADD_EDGE, rows)

    def _write_statement(
        self, connection: sqlite3.Connection, edge: Edge, tally: Counter[int]
    ) -> None:
        """Write that two ids are one or are apart; there are few, and each may change the other way."""
        source = self._known.load_node(connection, edge.source.kind, edge.source.id).key
        target = self._known.load_node(connection, edge.target.kind, edge.target.id).key
        pair = (source, target)
        before = _joined(connection, pair)
        times = (edge.recorded_at, edge.valid_from, edge.valid_to)
        connection.execute(_ADD_STATEMENT, (source, int(EdgeKind.SAME_AS), target, *times))
        note_ground(connection, source, target, edge)
        after = _joined(connection, pair)
        tally[EDGE_NOUNS + edge.kind] += after - before

    def _write_actions(
        self, connection: sqlite3.Connection, actions: Sequence[Action], tally: Counter[int]
    ) -> None:
        if not actions:
            return
        stored = stored_ids(connection, [action.id for action in actions])
        new: dict[str, Action] = {}
        for action in actions:
            if action.id not in stored:
                new.setdefault(action.id, action)
        before = connection.execute("select coalesce(max(key), 0) from action").fetchone()
        keys = range(before[0] + 1, before[0] + 1 + len(new))
        connection.executemany(
            _ADD_ACTION,
            [
                (key, *self._action_row(connection, action))
                for key, action in zip(keys, new.values(), strict=True)
            ],
        )
        self._ids.add(connection, zip(keys, new, strict=True))
        connection.executemany(_ADD_ROLED, self._newly_roled(new.values()))
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
            1 if action.speaker else 0,
            emotion.valence * emotion.confidence if emotion else None,
            emotion.confidence if emotion else None,
            _encode(_as_performed(action)),
        )

    def _newly_roled(self, actions: Iterable[Action]) -> Iterator[tuple[int]]:
        """Yield the people of written actions who had no role that the tables know of."""
        for action in actions:
            if action.role is not Role.UNKNOWN and action.actor is not None:
                person = self._known.nodes[action.actor.kind][action.actor.id]
                if not person.roled:
                    person.roled = True
                    yield (person.key,)

    def _key(self, connection: sqlite3.Connection, kind: NodeKind, id_: str) -> int | None:
        if not id_:
            return None
        known = self._known.nodes[kind].get(id_)
        return (known or self._known.load_node(connection, kind, id_)).key


def _joined(connection: sqlite3.Connection, pair: tuple[int, int]) -> bool:
    claims = connection.execute(_SAID_OF_PAIR, pair).fetchall()
    return bool(claims) and believed(EdgeKind.SAME_AS, claims) is not None


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


def _write_time(connection: sqlite3.Connection, batch: GraphBatch) -> None:
    if batch.timers:
        connection.executemany(_SET_TIMER, [(t.key, t.due) for t in batch.timers if t.due])
        connection.executemany(_DROP_TIMER, [(t.key,) for t in batch.timers if not t.due])
    if batch.event_time is not None:
        connection.execute(_SET_EVENT_TIME, structs.astuple(batch.event_time))


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
_PUT_RUN: Final = """
insert into attribute
(node, name, value, recorded_at, valid_from, last_recorded_at, last_valid_from)
values (?, ?, ?, ?, ?, ?, ?) on conflict (node, name, value, recorded_at) do update
set valid_from = max(valid_from, excluded.valid_from),
  last_recorded_at = iif(excluded.last_valid_from > last_valid_from,
    excluded.last_recorded_at, last_recorded_at),
  last_valid_from = max(last_valid_from, excluded.last_valid_from)"""
_ADD_EDGE: Final = """
insert into edge (source, kind, target, recorded_at, valid_from, valid_to) values (?, ?, ?, ?, ?, ?)
on conflict (source, kind, target, recorded_at) do update
set valid_from = min(valid_from, excluded.valid_from), valid_to = max(valid_to, excluded.valid_to)"""
_ADD_STATEMENT: Final = """
insert into edge (source, kind, target, recorded_at, valid_from, valid_to) values (?, ?, ?, ?, ?, ?)
on conflict (source, kind, target, recorded_at) do update
set valid_from = excluded.valid_from, valid_to = excluded.valid_to
where excluded.valid_from * 2 + (excluded.valid_to <> 0) > valid_from * 2 + (valid_to <> 0)"""
_SAID_OF_PAIR: Final = f"""
select valid_from, valid_to, recorded_at from edge
where source = ? and kind = {int(EdgeKind.SAME_AS)} and target = ?"""
_ADD_ACTION: Final = """
insert into action
(key, id, at, recorded_at, opportunity, session, actor, kind, role, named, valence, weight, body)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_ADD_ROLED: Final = "insert or ignore into roled (node) values (?)"
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
_SET_TIMER: Final = """
insert into timer (key, due) values (?, ?) on conflict (key) do update set due = excluded.due"""
_DROP_TIMER: Final = "delete from timer where key = ?"
_SET_EVENT_TIME: Final = """
insert or replace into event_time (only, reached, swept, "offset", ingested_at)
values (0, ?, ?, ?, ?)"""
