"""How the embedded graph answers what an opportunity went through, and who its people are."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from dealgraph.graph.embedded_edges import JOINED
from dealgraph.graph.embedded_values import actions_of, as_json, keys_of
from dealgraph.graph.implied import STAGE
from dealgraph.graph.model import Action, ActionKind, EdgeKind, NodeKind, NodeRef, Role
from dealgraph.graph.people import Tally, components
from dealgraph.graph.schema import JOINABLE
from dealgraph.graph.store import TimelineQuery

_NO_BOUND: Final = 1 << 62


def load_timeline(
    connection: sqlite3.Connection, ref: NodeRef, query: TimelineQuery
) -> list[Action]:
    """Return actions of an opportunity or session, in order."""
    keys = list(keys_of(connection, [ref]))
    if not keys:
        return []
    at, id_ = query.after or (0, "")
    parameters = {
        "owner": keys[0],
        "since": query.since,
        "before": query.before or _NO_BOUND,
        "at": at,
        "id": id_,
        "limit": query.limit,
        "as_of": query.as_of,
    }
    statement = _TIMELINE[ref.kind, query.newest_first, query.after is not None]
    return list(actions_of(connection.execute(statement, parameters)))


def load_stages(
    connection: sqlite3.Connection, opportunity: str, as_of: int
) -> list[tuple[int, str]]:
    """Return (event time, stage) of the stage changes that stand, in order."""
    rows = connection.execute(_STAGES, {"opportunity": opportunity, "as_of": as_of})
    return [
        (action.at, action.attributes[STAGE])
        for action in actions_of(rows)
        if STAGE in action.attributes
    ]


def load_tallies(connection: sqlite3.Connection, opportunity: str, as_of: int) -> list[Tally]:
    """Return what each contact did in an opportunity, without what was recalled."""
    rows = connection.execute(_TALLIES, {"opportunity": opportunity, "as_of": as_of})
    return [
        Tally(NodeRef(NodeKind.CONTACT, id_), ActionKind(kind), Role(role), *sums)
        for id_, kind, role, *sums in rows
    ]


def same_people(
    connection: sqlite3.Connection, refs: Iterable[NodeRef], as_of: int
) -> dict[NodeRef, NodeRef]:
    """Return for each of `refs`, and for all other ids of the same person, the first id."""
    asked = set(refs)
    keys = keys_of(connection, [ref for ref in asked if ref.kind in JOINABLE])
    pairs: list[tuple[NodeRef, NodeRef]] = []
    seen: set[int] = set()
    frontier = set(keys)
    while frontier:
        seen |= frontier
        parameters = {"nodes": as_json(sorted(frontier)), "as_of": as_of}
        frontier = set()
        for one, kind, one_id, other, other_id in connection.execute(_SAME, parameters):
            pairs.append((NodeRef(NodeKind(kind), one_id), NodeRef(NodeKind(kind), other_id)))
            frontier |= {one, other} - seen
    joined = components(pairs)
    return joined | {ref: ref for ref in asked if ref not in joined}


def load_opportunities(connection: sqlite3.Connection, people: Sequence[NodeRef]) -> list[str]:
    """Return the opportunities in which any of `people` performed an action."""
    keys = as_json(list(keys_of(connection, people)))
    return [id_ for (id_,) in connection.execute(_OPPORTUNITIES, (keys,))]


def _timeline_statement(kind: NodeKind, newest_first: bool, paged: bool) -> str:
    column = "session" if kind is NodeKind.SESSION else "opportunity"
    order, beyond = ("desc", "<") if newest_first else ("asc", ">")
    # The second condition alone would do; the first lets the index skip the pages before.
    page = f"and a.at {beyond}= :at and (a.at, a.id) {beyond} (:at, :id)" if paged else ""
    return f"""
select a.body, r.at, r.recorded_at from action a
left join retraction r on r.action = a.id and r.recorded_at <= :as_of
where a.{column} = :owner and a.at >= :since and a.at < :before {page} and a.recorded_at <= :as_of
order by a.at {order}, a.id {order} limit :limit"""


_TIMELINE: Final = {
    (kind, newest_first, paged): _timeline_statement(kind, newest_first, paged)
    for kind in (NodeKind.OPPORTUNITY, NodeKind.SESSION)
    for newest_first in (False, True)
    for paged in (False, True)
}
_STAGES: Final = f"""
select a.body, null, null from node o
join action a on a.opportunity = o.key and a.kind = {int(ActionKind.STAGE_CHANGE)}
where o.kind = {int(NodeKind.OPPORTUNITY)} and o.id = :opportunity and a.recorded_at <= :as_of
  and not exists (
    select 1 from retraction r where r.action = a.id and r.recorded_at <= :as_of)
order by a.at, a.id"""
_TALLIES: Final = f"""
select p.id, a.kind, a.role, count(*), min(a.at), max(a.at),
  total(a.valence), total(a.weight)
from node o
cross join action a on a.opportunity = o.key
join node p on p.key = a.actor and p.kind = {int(NodeKind.CONTACT)}
where o.kind = {int(NodeKind.OPPORTUNITY)} and o.id = :opportunity and a.recorded_at <= :as_of
  and not exists (
    select 1 from retraction r where r.action = a.id and r.recorded_at <= :as_of)
group by a.actor, a.kind, a.role"""
_SAME: Final = f"""
select s.key, s.kind, s.id, t.key, t.id from (
  select source, target, valid_from, valid_to from edge
  where source in (select value from json_each(:nodes)) and kind = {int(EdgeKind.SAME_AS)}
    and recorded_at <= :as_of
  union
  select source, target, valid_from, valid_to from edge
  where target in (select value from json_each(:nodes)) and kind = {int(EdgeKind.SAME_AS)}
    and recorded_at <= :as_of
) e join node s on s.key = e.source join node t on t.key = e.target
group by s.key, t.key having {JOINED}"""
_OPPORTUNITIES: Final = """
select distinct o.id from action a join node o on o.key = a.opportunity
where a.actor in (select value from json_each(?)) order by o.id"""
