"""How the embedded graph reads edges that were stated: a row for each claim, and what is believed of them.

The rows of a node are few, so they are put together here and not by SQL: grouping, joining and ranking in the
statement took three times as long.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from dealgraph.graph.embedded_state import State, as_json
from dealgraph.graph.model import OPEN, Edge, EdgeKind, NodeKind, NodeRef
from dealgraph.graph.store import EdgeQuery

Ends = tuple[int, int, int]
"""Source, kind and target of an edge, as the tables name them."""

Times = tuple[int, int, int]
"""`valid_from`, `valid_to` and `recorded_at` of a claim, or of what is believed."""

_Stated = tuple[Ends, Times]
_EDGE_KINDS: Final = {int(kind): kind for kind in EdgeKind}
_SAME_AS: Final = int(EdgeKind.SAME_AS)
_NO_BOUND: Final = 1 << 62


def believed(kind: int, claims: Sequence[Times]) -> Times | None:
    """Return what all claims of an edge come to: the earliest start, and the end recorded last.

    Of SAME_AS it is the newest statement, and None when that one parts the two. Of two of the same time
    the parting one counts.
    """
    if len(claims) == 1 and kind != _SAME_AS:
        return claims[0]
    known_since = min(recorded_at for _, _, recorded_at in claims)
    if kind == _SAME_AS:
        newest, parted = max((valid_from, valid_to != OPEN) for valid_from, valid_to, _ in claims)
        return None if parted else (newest, OPEN, known_since)
    ends = [(recorded_at, valid_to) for _, valid_to, recorded_at in claims if valid_to != OPEN]
    return min(claims)[0], max(ends)[1] if ends else OPEN, known_since


def edges_around(state: State, keys: dict[int, NodeRef], query: EdgeQuery) -> list[Edge]:
    """Return at least the stated edges of nodes that a query asks for."""
    edges: list[Edge] = []
    for statement, near, far in ((_OUTWARD, 0, 2), (_INWARD, 2, 0)):
        found = [
            (ends, times)
            for ends, times in _stated(state, statement, keys, query.as_of)
            if _fits(ends[1], times, query)
        ]
        refs = keys | state.refs_of({ends[far] for ends, _ in found})
        if query.node_kinds is not None:
            found = [fact for fact in found if refs[fact[0][far]].kind in query.node_kinds]
        if len(found) > query.limit_per_node:
            sorts = [(ends[near], refs[ends[far]].kind) for ends, _ in found]
            found = _newest(zip(sorts, found, strict=True), query.limit_per_node)
        edges += [
            Edge(_EDGE_KINDS[kind], refs[source], refs[target], *times)
            for (source, kind, target), times in found
        ]
    return edges


def edges_within(state: State, keys: Mapping[int, NodeRef], as_of: int) -> list[Edge]:
    """Return the stated edges that start and end at nodes."""
    return [
        Edge(_EDGE_KINDS[kind], keys[source], keys[target], *times)
        for statement in (_WITHIN_BY_SOURCE, _WITHIN_BY_TARGET)
        for (source, kind, target), times in _stated(state, statement, keys, as_of)
        if source in keys and target in keys
    ]


def joined(state: State, keys: Collection[int], as_of: int) -> set[tuple[int, int]]:
    """Return the pairs of nodes that are one, where one of both is in `keys`."""
    found = _stated(state, _SAME, keys, as_of)
    return {(source, target) for (source, _, target), _ in found}


def _stated(state: State, statement: str, keys: Collection[int], as_of: int) -> Iterator[_Stated]:
    """Yield the edges that a statement finds at nodes, each with what is believed of it."""
    claims: dict[Ends, list[Times]] = {}
    rows = state.execute(statement, {"nodes": as_json(list(keys)), "as_of": as_of})
    for source, kind, target, valid_from, valid_to, recorded_at in rows:
        times = (valid_from, valid_to, recorded_at)
        claims.setdefault((source, kind, target), []).append(times)
    for ends, stated in claims.items():
        if (belief := believed(ends[1], stated)) is not None:
            yield ends, belief


def _fits(kind: int, times: Times, query: EdgeQuery) -> bool:
    valid_from, valid_to, _ = times
    return (
        (query.edge_kinds is None or kind in query.edge_kinds)
        and valid_from < (query.before or _NO_BOUND)
        and (valid_to == OPEN or valid_to > query.since)
    )


def _newest(
    sorted_out: Iterable[tuple[tuple[int, NodeKind], _Stated]], limit: int
) -> list[_Stated]:
    """Return of each node and kind at its other end the newest `limit` edges, and others as new."""
    of_sort: dict[tuple[int, NodeKind], list[_Stated]] = {}
    for sort, fact in sorted_out:
        of_sort.setdefault(sort, []).append(fact)
    chosen: list[_Stated] = []
    for facts in of_sort.values():
        if len(facts) > limit:
            last = sorted((times[0] for _, times in facts), reverse=True)[limit - 1]
            facts = [fact for fact in facts if fact[1][0] >= last]
        chosen += facts
    return chosen


_FOUND: Final = """
select source, kind, target, valid_from, valid_to, recorded_at from edge
where {condition} and recorded_at <= :as_of"""
_AT_SOURCE: Final = "source in (select value from json_each(:nodes))"
_AT_TARGET: Final = "target in (select value from json_each(:nodes))"
_OUTWARD: Final = _FOUND.format(condition=_AT_SOURCE)
_INWARD: Final = _FOUND.format(condition=_AT_TARGET + " and source <> target")
# Each kind is looked up from the end that has few edges of it.
_WITHIN_BY_SOURCE: Final = _FOUND.format(
    condition=f"{_AT_SOURCE} and kind in "
    f"({EdgeKind.CONCERNS:d}, {EdgeKind.BELONGS_TO:d}, {EdgeKind.SAME_AS:d})"
)
_WITHIN_BY_TARGET: Final = _FOUND.format(
    condition=f"{_AT_TARGET} and kind in "
    f"({EdgeKind.HAS_OPPORTUNITY:d}, {EdgeKind.WORKS_ON:d}, {EdgeKind.TOOK_PART_IN:d})"
)
_SAME: Final = " union all ".join(
    _FOUND.format(condition=f"{end} and kind = {_SAME_AS}") for end in (_AT_SOURCE, _AT_TARGET)
)
