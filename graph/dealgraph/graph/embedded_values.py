"""How the embedded graph reads values by id: nodes, actions and versions of signals."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import structs

from dealgraph.graph.embedded_state import State, as_json
from dealgraph.graph.implied import action_node, emotion_node, person_facts, signal_node
from dealgraph.graph.model import Action, DecisionSignal, Node, NodeKind, NodeRef
from dealgraph.graph.schema import PERSONS
from dealgraph.graph.store import SignalQuery

_decode_action: Final = msgspec.msgpack.Decoder(Action).decode
_decode_signal: Final = msgspec.msgpack.Decoder(DecisionSignal).decode


def load_nodes(state: State, refs: Sequence[NodeRef], as_of: int) -> dict[NodeRef, Node]:
    """Return those of `refs` that were known."""
    found: dict[NodeRef, Node] = {}
    acted = [ref.id for ref in refs if ref.kind in (NodeKind.ACTION, NodeKind.EMOTION)]
    actions = load_actions(state, acted, as_of) if acted else {}
    signals = [ref.id for ref in refs if ref.kind is NodeKind.DECISION_SIGNAL]
    versions = load_versions(state, signals, as_of)
    keys = state.keys_of(refs)
    stored = _stored_nodes(state, keys, as_of) if keys else {}
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


def _stored_nodes(state: State, refs: dict[int, NodeRef], as_of: int) -> dict[NodeRef, Node]:
    keys = as_json(list(refs))
    attributes = _told_of_people(state, refs, as_of)
    # In the order of event time: the last value of a name stays.
    for key, name, value in state.execute(_ATTRIBUTES, (as_of, keys, as_of)):
        attributes.setdefault(key, {})[name] = value
    return {
        refs[key]: Node(refs[key], attributes.get(key, {}), valid_from, recorded_at)
        for key, valid_from, recorded_at in state.execute(_CLAIMS, (keys, as_of))
    }


def _told_of_people(
    state: State, refs: dict[int, NodeRef], as_of: int
) -> dict[int, dict[str, str]]:
    """Return the facts about people that their actions tell."""
    people = [key for key, ref in refs.items() if ref.kind in PERSONS]
    if not people:
        return {}
    told: dict[int, dict[str, str]] = {}
    for key, *bodies in state.execute(_TOLD, {"nodes": as_json(people), "as_of": as_of}):
        told[key] = person_facts(_decode_action(body) for body in bodies if body is not None)
    return told


def load_actions(state: State, ids: Sequence[str], as_of: int) -> dict[str, Action]:
    """Return those of the actions that were known."""
    rows = state.rows_of(ids)
    if not rows:
        return {}
    found = state.execute(_ACTIONS, {"rows": as_json(rows), "as_of": as_of})
    return {action.id: action for action in actions_of(found)}


def actions_of(rows: Iterable[tuple[bytes, int | None, int | None]]) -> Iterator[Action]:
    """Yield the actions of rows (body, recalled at, recall recorded at)."""
    for body, recalled_at, recorded_at in rows:
        action = _decode_action(body)
        if recalled_at is not None and recorded_at is not None:
            action = structs.replace(
                action, recalled_at=recalled_at, recall_recorded_at=recorded_at
            )
        yield action


def load_versions(state: State, ids: Iterable[str], as_of: int) -> dict[str, list[DecisionSignal]]:
    """Return the known versions of signals, in order, for those of which any was known."""
    versions: dict[str, list[DecisionSignal]] = {}
    asked = sorted(ids)
    if not asked:
        return versions
    for (body,) in state.execute(_VERSIONS, (as_json(asked), as_of)):
        version = _decode_signal(body)
        versions.setdefault(version.id, []).append(version)
    return versions


def load_signals(state: State, ref: NodeRef, as_of: int) -> list[DecisionSignal]:
    """Return the signals of an opportunity or a session without one, each in its newest known version."""
    asked = _SIGNALS_OF_DEAL if ref.kind is NodeKind.OPPORTUNITY else _SIGNALS_OF_SESSION
    found: dict[str, DecisionSignal] = {}
    for (body,) in state.execute(asked, (ref.id, as_of)):
        version = _decode_signal(body)
        found[version.id] = version
    return list(found.values())


def load_newest_signals(state: State, query: SignalQuery) -> list[DecisionSignal]:
    """Return signals in the version believed last, in the order (recorded_at, id), the newest first."""
    statement = _newest_signals(bool(query.opportunity), query.before is not None)
    at, id_ = query.before or (0, "")
    asked = {
        "opportunity": query.opportunity,
        "at": at,
        "id": id_,
        "as_of": query.as_of,
        "limit": query.limit,
    }
    return [_decode_signal(body) for (body,) in state.execute(statement, asked)]


def _newest_signals(of_deal: bool, paged: bool) -> str:
    scope = "and s.opportunity = :opportunity" if of_deal else ""
    page = "and (s.recorded_at, s.id) < (:at, :id)" if paged else ""
    return f"""
select s.body from signal s where s.recorded_at <= :as_of {scope} {page} and not exists (
  select 1 from signal later where later.id = s.id and later.recorded_at <= :as_of
  and (later.recorded_at, later.key) > (s.recorded_at, s.key))
order by s.recorded_at desc, s.id desc limit :limit"""


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
select n.value, {_NEWEST.format(column="named")}, case when roled.node is not null
  then {_NEWEST.format(column="role")} end
from json_each(:nodes) n left join roled on roled.node = n.value"""
_ACTIONS: Final = """
select a.body, r.at, r.recorded_at from action a
left join retraction r on r.action = a.id and r.recorded_at <= :as_of
where a.key in (select value from json_each(:rows)) and a.recorded_at <= :as_of"""
_VERSIONS: Final = """
select body from signal where id in (select value from json_each(?)) and recorded_at <= ?
order by id, recorded_at, key"""
_SIGNALS_OF_DEAL: Final = """
select body from signal where opportunity = ? and recorded_at <= ? order by id, recorded_at, key"""
_SIGNALS_OF_SESSION: Final = """
select body from signal where session = ? and recorded_at <= ? and opportunity = ''
order by id, recorded_at, key"""
