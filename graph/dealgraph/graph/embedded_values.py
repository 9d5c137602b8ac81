"""How the embedded graph reads values by id: nodes, actions and versions of signals."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import structs

from dealgraph.graph.embedded_ids import NAMED, named
from dealgraph.graph.implied import action_node, emotion_node, person_facts, signal_node
from dealgraph.graph.model import Action, DecisionSignal, Node, NodeKind, NodeRef
from dealgraph.graph.schema import IMPLIED_NODES, PERSONS

_decode_action: Final = msgspec.msgpack.Decoder(Action).decode
_decode_signal: Final = msgspec.msgpack.Decoder(DecisionSignal).decode


def as_json(values: Sequence[str] | Sequence[int] | Sequence[NodeRef]) -> str:
    """Return a list as one parameter for `json_each`."""
    return msgspec.json.encode(values).decode()


def keys_of(connection: sqlite3.Connection, refs: Iterable[NodeRef]) -> dict[int, NodeRef]:
    """Return by their integers those of `refs` that are long-lived nodes and were ever named."""
    asked = [ref for ref in refs if ref.kind not in IMPLIED_NODES]
    if not asked:
        return {}
    rows = connection.execute(_KEYS, (as_json(asked),))
    return {key: NodeRef(_NODE_KINDS[kind], id_) for key, kind, id_ in rows}


def refs_of(connection: sqlite3.Connection, keys: Iterable[int]) -> dict[int, NodeRef]:
    """Return the long-lived nodes that have these integers."""
    asked = list(keys)
    if not asked:
        return {}
    rows = connection.execute(_REFS, (as_json(asked),))
    return {key: NodeRef(_NODE_KINDS[kind], id_) for key, kind, id_ in rows}


def load_nodes(
    connection: sqlite3.Connection, refs: Sequence[NodeRef], as_of: int
) -> dict[NodeRef, Node]:
    """Return those of `refs` that were known."""
    found: dict[NodeRef, Node] = {}
    acted = [ref.id for ref in refs if ref.kind in (NodeKind.ACTION, NodeKind.EMOTION)]
    actions = load_actions(connection, acted, as_of) if acted else {}
    signals = [ref.id for ref in refs if ref.kind is NodeKind.DECISION_SIGNAL]
    versions = load_versions(connection, signals, as_of)
    keys = keys_of(connection, refs)
    stored = _stored_nodes(connection, keys, as_of) if keys else {}
    for ref in refs:
        node = stored.get(ref)
        if ref.kind is NodeKind.DECISION_SIGNAL and ref.id in versions:
            node = signal_node(versions[ref.id])
        elif ref.kind is NodeKind.ACTION and ref.id in actions:
            node = action_node(actions[ref.id])
        elif ref.kind is NodeKind.EMOTION and ref.id in actions:
            node = emotion_node(actions[ref.id])
        if node is not None:
            found[ref] = node
    return found


def _stored_nodes(
    connection: sqlite3.Connection, refs: dict[int, NodeRef], as_of: int
) -> dict[NodeRef, Node]:
    keys = as_json(list(refs))
    attributes = _told_of_people(connection, refs, as_of)
    # In the order of event time: the last value of a name stays.
    for key, name, value in connection.execute(_ATTRIBUTES, (as_of, keys, as_of)):
        attributes.setdefault(key, {})[name] = value
    return {
        refs[key]: Node(refs[key], attributes.get(key, {}), valid_from, recorded_at)
        for key, valid_from, recorded_at in connection.execute(_CLAIMS, (keys, as_of))
    }


def _told_of_people(
    connection: sqlite3.Connection, refs: dict[int, NodeRef], as_of: int
) -> dict[int, dict[str, str]]:
    """Return the facts about people that their actions tell."""
    people = [key for key, ref in refs.items() if ref.kind in PERSONS]
    if not people:
        return {}
    told: dict[int, dict[str, str]] = {}
    for key, *bodies in connection.execute(_TOLD, {"nodes": as_json(people), "as_of": as_of}):
        told[key] = person_facts(_decode_action(body) for body in bodies if body is not None)
    return told


def load_actions(
    connection: sqlite3.Connection, ids: Sequence[str], as_of: int
) -> dict[str, Action]:
    """Return those of the actions that were known."""
    rows = connection.execute(_ACTIONS, named(ids) | {"as_of": as_of})
    return {action.id: action for action in actions_of(rows)}


def actions_of(rows: Iterable[tuple[bytes, int | None, int | None]]) -> Iterator[Action]:
    """Yield the actions of rows (body, recalled at, recall recorded at)."""
    for body, recalled_at, recorded_at in rows:
        action = _decode_action(body)
        if recalled_at is not None and recorded_at is not None:
            action = structs.replace(
                action, recalled_at=recalled_at, recall_recorded_at=recorded_at
            )
        yield action


def load_versions(
    connection: sqlite3.Connection, ids: Iterable[str], as_of: int
) -> dict[str, list[DecisionSignal]]:
    """Return the known versions of signals, in order, for those of which any was known."""
    versions: dict[str, list[DecisionSignal]] = {}
    asked = sorted(ids)
    if not asked:
        return versions
    for (body,) in connection.execute(_VERSIONS, (as_json(asked), as_of)):
        version = _decode_signal(body)
        versions.setdefault(version.id, []).append(version)
    return versions


_NODE_KINDS: Final = {int(kind): kind for kind in NodeKind}
_KEYS: Final = """
select n.key, n.kind, n.id from json_each(?) asked
cross join node n on n.kind = asked.value ->> 0 and n.id = asked.value ->> 1"""
_REFS: Final = "select key, kind, id from node where key in (select value from json_each(?))"
_CLAIMS: Final = """
select node, min(valid_from), min(recorded_at) from node_claim
where node in (select value from json_each(?)) and recorded_at <= ? group by node"""
_ATTRIBUTES: Final = """
select node, name, value from (
  select node, name, value,
    case when last_recorded_at <= ? then last_valid_from else valid_from end as observed_at
  from attribute where node in (select value from json_each(?)) and recorded_at <= ?
) order by name, observed_at, value"""
_NEWEST: Final = """(
  select a.body from action a
  where a.actor = n.value and a.{column} <> 0 and a.recorded_at <= :as_of and not exists (
    select 1 from retraction r where r.action = a.id and r.recorded_at <= :as_of)
  order by a.at desc, a.id desc limit 1)"""
_TOLD: Final = f"""
select n.value, {_NEWEST.format(column="named")}, {_NEWEST.format(column="role")}
from json_each(:nodes) n"""
_ACTIONS: Final = f"""
select a.body, r.at, r.recorded_at from action a
left join retraction r on r.action = a.id and r.recorded_at <= :as_of
where {NAMED} and a.recorded_at <= :as_of"""
_VERSIONS: Final = """
select body from signal where id in (select value from json_each(?)) and recorded_at <= ?
order by id, recorded_at, key"""
