"""How the embedded graph answers what an opportunity went through, and who its people are."""

from collections.abc import Iterable, Sequence
from typing import Final

from dealgraph.graph.embedded_state import State, as_json
from dealgraph.graph.embedded_stated import joined
from dealgraph.graph.embedded_values import actions_of
from dealgraph.graph.implied import STAGE
from dealgraph.graph.model import Action, ActionKind, NodeKind, NodeRef, Role
from dealgraph.graph.people import Tally, components
from dealgraph.graph.schema import JOINABLE
from dealgraph.graph.store import Lifespan, TimelineQuery

_NO_BOUND: Final = 1 << 62


def load_timeline(state: State, ref: NodeRef, query: TimelineQuery) -> list[Action]:
    """Return actions of an opportunity or session, in order."""
    keys = list(state.keys_of([ref]))
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
    return list(actions_of(state.execute(statement, parameters)))


def load_stages(state: State, opportunity: str, as_of: int) -> list[tuple[int, str]]:
    """Return (event time, stage) of the stage changes that stand, in order."""
    rows = state.execute(_STAGES, {"opportunity": opportunity, "as_of": as_of})
    return [
        (action.at, action.attributes[STAGE])
        for action in actions_of(rows)
        if STAGE in action.attributes
    ]


def load_tallies(state: State, opportunity: str, as_of: int) -> list[Tally]:
    """Return what each contact did in an opportunity, without what was recalled."""
    rows = state.execute(_TALLIES, {"opportunity": opportunity, "as_of": as_of})
    return [
        Tally(NodeRef(NodeKind.CONTACT, id_), ActionKind(kind), Role(role), *sums)
        for id_, kind, role, *sums in rows
    ]


def same_people(state: State, refs: Iterable[NodeRef], as_of: int) -> dict[NodeRef, NodeRef]:
    """Return for each of `refs`, and for all other ids of the same person, the first id."""
    asked = set(refs)
    keys = state.keys_of([ref for ref in asked if ref.kind in JOINABLE])
    pairs: set[tuple[int, int]] = set()
    seen: set[int] = set()
    frontier = set(keys)
    while frontier:
        seen |= frontier
        found = joined(state, frontier, as_of)
        pairs |= found
        frontier = {key for pair in found for key in pair} - seen
    named = state.refs_of(key for pair in pairs for key in pair) if pairs else {}
    first = components((named[one], named[other]) for one, other in pairs)
    return first | {ref: ref for ref in asked if ref not in first}


def load_opportunities(state: State, people: Sequence[NodeRef]) -> list[str]:
    """Return the opportunities in which any of `people` performed an action."""
    keys = as_json(list(state.keys_of(people)))
    return [id_ for (id_,) in state.execute(_OPPORTUNITIES, (keys,))]


def load_lifespans(state: State, as_of: int) -> list[Lifespan]:
    """Return the lifespan of every opportunity with an action, by id."""
    rows = state.execute(_LIFESPANS, {"kind": NodeKind.OPPORTUNITY, "as_of": as_of})
    return [Lifespan(*row) for row in rows if row[1] is not None]


def load_stage_changed(state: State, since: int, before: int) -> list[str]:
    """Return the opportunities with a stage change in [since, before), by id."""
    return [id_ for (id_,) in state.execute(_STAGE_CHANGED, (since, before))]


def load_last_heard(state: State, since: int, before: int) -> list[str]:
    """Return the opportunities whose last action lies in [since, before), by id."""
    rows = state.execute(_LAST_HEARD, {"since": since, "before": before})
    return [id_ for (id_,) in rows]


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
_LIFESPANS: Final = """
select o.id,
  (select min(a.at) from action a where a.opportunity = o.key and a.recorded_at <= :as_of),
  (select max(a.at) from action a where a.opportunity = o.key and a.recorded_at <= :as_of)
from node o where o.kind = :kind order by o.id"""
_STAGE_CHANGED: Final = f"""
select distinct o.id from action a join node o on o.key = a.opportunity
where a.kind = {int(ActionKind.STAGE_CHANGE)} and a.at >= ? and a.at < ? order by o.id"""
_LAST_HEARD: Final = f"""
select id from (
  select o.id, (select max(a.at) from action a where a.opportunity = o.key) as last
  from node o where o.kind = {int(NodeKind.OPPORTUNITY)}
) where last >= :since and last < :before order by id"""
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
_OPPORTUNITIES: Final = """
select distinct o.id from action a join node o on o.key = a.opportunity
where a.actor in (select value from json_each(?)) order by o.id"""
