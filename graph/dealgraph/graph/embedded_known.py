"""What the writer of the embedded graph already knows, so that what repeats never reaches SQL.

Nearly every event names its customer, people, opportunity and session again. The caches here are
bounded, filled from the tables when something is missing, and dropped when rows are taken back.
"""

import sqlite3
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from dealgraph.graph.model import OPEN, EdgeKind, NodeKind, NodeRef

Claim = tuple[int, int]
"""(recorded_at, valid_from) of a fact: when it became known, and since when it holds."""

_NODES_PER_KIND: Final = 20_000
_EDGES_PER_KIND: Final = 20_000
_CLAIMS_KEPT: Final = 4


class Run(Struct):
    """Observations of one value of an attribute with no other between: its first and its last."""

    value: str
    first: Claim
    last: Claim


class KnownNode(Struct):
    """A node: its integer, some of its claims, and per attribute the run that is believed now.

    `roled` says that the tables know an action of this person that tells a role.
    """

    key: int
    claims: list[Claim]
    runs: dict[str, Run]
    roled: bool = False


class KnownEdge(Struct):
    """An edge: some of its claims, and its ends by recorded time."""

    claims: list[Claim]
    ends: dict[int, int]


class Known:
    """Bounded caches of long-lived nodes and edges."""

    def __init__(self) -> None:
        self.nodes: dict[NodeKind, dict[str, KnownNode]] = {kind: {} for kind in NodeKind}
        self.edges: dict[EdgeKind, dict[tuple[NodeRef, NodeRef], KnownEdge]] = {
            kind: {} for kind in EdgeKind
        }
        self._new: set[int] = set()

    def forget(self) -> None:
        """Drop everything."""
        for nodes in self.nodes.values():
            nodes.clear()
        for edges in self.edges.values():
            edges.clear()
        self._new.clear()

    def make_room(self) -> None:
        """Drop the older half of full caches; only when all that is known is in the tables."""
        for nodes in self.nodes.values():
            _halve(nodes, _NODES_PER_KIND)
        for edges in self.edges.values():
            _halve(edges, _EDGES_PER_KIND)
        self._new.clear()

    def load_node(self, connection: sqlite3.Connection, kind: NodeKind, id_: str) -> KnownNode:
        """Return a node from the cache or the tables; give it an integer when it is new."""
        known = self.nodes[kind].get(id_)
        if known is None:
            known = _load_node(connection, int(kind), id_)
            if known is None:
                added = connection.execute(_ADD_NODE, (int(kind), id_))
                known = KnownNode(added.lastrowid or 0, [], {})
                self._new.add(known.key)
            self.nodes[kind][id_] = known
        return known

    def load_edge(
        self, connection: sqlite3.Connection, kind: EdgeKind, source: NodeRef, target: NodeRef
    ) -> KnownEdge:
        """Return an edge from the cache or the tables; without claims when it is new."""
        known = self.edges[kind].get((source, target))
        if known is None:
            one = self.load_node(connection, source.kind, source.id).key
            other = self.load_node(connection, target.kind, target.id).key
            if one in self._new or other in self._new:
                known = KnownEdge([], {})
            else:
                known = _load_edge(connection, (one, int(kind), other))
            self.edges[kind][source, target] = known
        return known


def covered(claims: list[Claim], recorded_at: int, valid_from: int) -> bool:
    """Say whether something as old was already known then."""
    for known_recorded, known_from in claims:
        if known_recorded <= recorded_at and known_from <= valid_from:
            return True
    return False


def remember(claims: list[Claim], claim: Claim) -> None:
    """Keep a claim, and forget the oldest when there are many: the tables have them all."""
    claims.append(claim)
    if len(claims) > _CLAIMS_KEPT:
        del claims[0]


def observe(runs: dict[str, Run], name: str, value: str, claim: Claim) -> Run | None:
    """Note a value observed; return the run to write, or None when it changes no belief.

    A belief is the value with the latest event time among those recorded so far. An observation that
    was already outdone when it was recorded is left out. A value that is observed again and again
    makes one run: what lies inside it changes no belief, as no other value came between.
    """
    believed = runs.get(name)
    if believed is None:
        runs[name] = Run(value, claim, claim)
        return runs[name]
    recorded_at, valid_from = claim
    newer = (valid_from, value) > (believed.last[1], believed.value)
    if not newer and recorded_at >= believed.last[0]:
        return None
    if value == believed.value and recorded_at >= believed.first[0]:
        if newer:
            believed.last = claim
        return believed if newer else None
    run = Run(value, claim, claim)
    if newer:
        runs[name] = run
    return run


def _halve(cache: dict[Any, Any], bound: int) -> None:
    if len(cache) >= bound:
        for key in list(islice(cache, len(cache) // 2)):
            del cache[key]


def _load_edge(connection: sqlite3.Connection, triple: tuple[int, int, int]) -> KnownEdge:
    rows = connection.execute(_CLAIMS_OF_EDGE, triple).fetchall()
    return KnownEdge(
        [(recorded_at, valid_from) for recorded_at, valid_from, _ in rows],
        {recorded_at: valid_to for recorded_at, _, valid_to in rows if valid_to != OPEN},
    )


def _load_node(connection: sqlite3.Connection, kind: int, id_: str) -> KnownNode | None:
    found = connection.execute(_KEY_OF, (kind, id_)).fetchone()
    if found is None:
        return None
    claims = connection.execute(_CLAIMS_OF, (*found, _CLAIMS_KEPT)).fetchall()
    runs = {
        name: Run(value, (recorded, since), (last_recorded, last_since))
        for name, value, recorded, since, last_recorded, last_since in connection.execute(
            _RUNS_OF, found
        )
    }
    return KnownNode(found[0], claims, runs)


_KEY_OF: Final = "select key from node where kind = ? and id = ?"
_ADD_NODE: Final = "insert into node (kind, id) values (?, ?)"
_CLAIMS_OF: Final = """
select recorded_at, valid_from from node_claim where node = ? order by recorded_at limit ?"""
_RUNS_OF: Final = """
select name, value, recorded_at, valid_from, last_recorded_at, last_valid_from
from attribute where node = ? order by last_valid_from, value"""
_CLAIMS_OF_EDGE: Final = """
select recorded_at, valid_from, valid_to from edge where source = ? and kind = ? and target = ?
order by recorded_at"""
