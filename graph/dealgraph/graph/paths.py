"""How two nodes hang together: the shortest simple paths between them, within bounds."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Edge, EdgeKind, NodeRef
from dealgraph.graph.store import NOW, EdgeQuery, GraphReading, GraphStore

_STEPS_PER_VISIT: Final = 50
"""How many steps the enumeration may take for every node that may be visited."""


class Path(Struct, frozen=True):
    """A way through the graph that meets no node twice: one edge between each two nodes."""

    nodes: tuple[NodeRef, ...]
    edges: tuple[Edge, ...]


class Paths(Struct, frozen=True):
    """The paths found, shortest first; `truncated` when a bound may have left out others."""

    paths: tuple[Path, ...]
    truncated: bool


def find_paths(
    store: GraphStore,
    source: NodeRef,
    target: NodeRef,
    max_hops: int = 4,
    max_paths: int = 5,
    as_of: int = NOW,
    visit_limit: int = 2000,
) -> Paths:
    """Return the shortest paths of at most `max_hops` edges, whatever the direction of the edges.

    The search grows from both ends towards the middle. At most `visit_limit` nodes are looked at, and
    of each node at most that many edges, the newest first.
    """
    if source == target:
        return Paths((Path((source,), ()),), truncated=False)
    with store.reading() as graph:
        search = _Search(graph, source, target, as_of, visit_limit)
        for hops in range(1, max_hops + 1):
            search.grow()
            found = search.paths(hops, max_paths)
            if len(found) == max_paths:
                break
    return Paths(found, search.truncated)


class _Search:
    """The links met so far around two nodes, and the two rims from which the search goes on."""

    def __init__(
        self, graph: GraphReading, source: NodeRef, target: NodeRef, as_of: int, visit_limit: int
    ) -> None:
        self._graph = graph
        self._source = source
        self._target = target
        self._query = EdgeQuery(as_of=as_of, limit_per_node=visit_limit)
        self._visits_left = visit_limit
        self._steps_left = visit_limit * _STEPS_PER_VISIT
        self._links: dict[NodeRef, dict[NodeRef, Edge]] = {source: {}, target: {}}
        self._looked_at: set[NodeRef] = set()
        self._rims = [[source], [target]]
        self._reached = [{source}, {target}]
        self.truncated = False

    def grow(self) -> None:
        """Go one hop further from the end with the smaller rim."""
        side = 0 if len(self._rims[0]) <= len(self._rims[1]) else 1
        fresh = [ref for ref in self._rims[side] if ref not in self._looked_at]
        self.truncated |= len(fresh) > self._visits_left
        fresh = fresh[: self._visits_left]
        self._visits_left -= len(fresh)
        self._looked_at.update(fresh)
        for edge in self._graph.edges(fresh, self._query):
            self._link(edge)
        reached = {far for near in self._rims[side] for far in self._links.get(near, ())}
        self._rims[side] = sorted(reached - self._reached[side])
        self._reached[side] |= reached

    def _link(self, edge: Edge) -> None:
        """Keep one edge for each pair of nodes: the first in a fixed order."""
        for near, far in ((edge.source, edge.target), (edge.target, edge.source)):
            links = self._links.setdefault(near, {})
            if far not in links or _rank(edge) < _rank(links[far]):
                links[far] = edge

    def paths(self, hops: int, limit: int) -> tuple[Path, ...]:
        """Return the first `limit` simple paths of at most `hops` edges among the links met."""
        left = self._hops_to_target(hops)
        found: list[Path] = []
        for length in range(left.get(self._source, hops + 1), hops + 1):
            for nodes in self._simple(self._source, length, left, {self._source: None}):
                edges = (self._links[one][other] for one, other in pairwise(nodes))
                found.append(Path(nodes, tuple(edges)))
                if len(found) == limit:
                    return tuple(found)
        return tuple(found)

    def _hops_to_target(self, most: int) -> dict[NodeRef, int]:
        left = {self._target: 0}
        rim = [self._target]
        for distance in range(1, most + 1):
            rim = [far for near in rim for far in self._links[near] if far not in left]
            left.update(dict.fromkeys(rim, distance))
        return left

    def _simple(
        self,
        at: NodeRef,
        length: int,
        left: Mapping[NodeRef, int],
        passed: dict[NodeRef, None],
    ) -> Iterator[tuple[NodeRef, ...]]:
        """Yield the ways of exactly `length` edges from `at` to the target past no node twice."""
        if at == self._target:
            if not length:
                yield tuple(passed)
            return
        for far in sorted(self._links[at]):
            if far in passed or left.get(far, length) > length - 1:
                continue
            if not self._steps_left:
                self.truncated = True
                return
            self._steps_left -= 1
            passed[far] = None
            yield from self._simple(far, length - 1, left, passed)
            del passed[far]


def _rank(edge: Edge) -> tuple[EdgeKind, NodeRef, NodeRef]:
    return edge.kind, edge.source, edge.target
