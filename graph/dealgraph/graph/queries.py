"""Questions that walk through the graph, asked of any store. Every step is one question to the port."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from dealgraph.graph.implied import (
    action_edges,
    action_node,
    edge_order,
    emotion_node,
    holds_within,
)
from dealgraph.graph.model import Action, Edge, EdgeKind, Node, NodeKind, NodeRef
from dealgraph.graph.paths import find_paths
from dealgraph.graph.schema import JOINABLE
from dealgraph.graph.store import NOW, EdgeQuery, GraphReading, GraphStore, TimelineQuery

__all__ = [
    "AROUND",
    "Neighborhood",
    "NeighborhoodQuery",
    "export",
    "find_paths",
    "merged_timeline",
    "neighborhood",
    "other_ids",
    "whole_timeline",
]

_MANY: Final = frozenset({NodeKind.ACTION, NodeKind.EMOTION})
"""Kinds that yield to others when there is no room for all."""

_PAGE: Final = 5000

_FEW: Final = frozenset(NodeKind) - _MANY

_PASSED_PER_HOP: Final = 1000
"""How many nodes of kinds not asked for are walked through in one hop."""


class NeighborhoodQuery(Struct, frozen=True):
    """What lies within `hops` edges, walked along edges that held in [since, before).

    `before` 0 means no bound, None all kinds. Under `node_limit` the nearest nodes stay; at equal
    distance the long-lived ones, then the newest. Nodes of other than `node_kinds` are walked through
    but left out.
    """

    hops: int = 2
    since: int = 0
    before: int = 0
    node_limit: int = 100
    node_kinds: frozenset[NodeKind] | None = None
    edge_kinds: frozenset[EdgeKind] | None = None
    as_of: int = NOW


AROUND: Final = NeighborhoodQuery()
"""Two hops, as known now."""


class Neighborhood(Struct, frozen=True):
    """What lies around a node: nodes, nearest first, and the edges between them, newest first.

    `truncated` says that there was more than the query had room for.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    truncated: bool


def neighborhood(
    store: GraphStore, ref: NodeRef, query: NeighborhoodQuery = AROUND
) -> Neighborhood | None:
    """Return what lies around `ref`, which comes first, or None when it is not known.

    SAME_AS is followed at no cost, so a person is met under all ids, whatever `edge_kinds` says.
    """
    with store.reading() as graph:
        walk = _Walk(graph, query)
        if not walk.start(ref):
            return None
        for _ in range(query.hops):
            if not walk.step():
                break
        return walk.result()


def other_ids(store: GraphStore, ref: NodeRef, as_of: int = NOW) -> tuple[NodeRef, ...]:
    """Return the other ids of the same person, customer or opportunity, in order."""
    if ref.kind not in JOINABLE:
        return ()
    return tuple(sorted(other for other in store.same_as([ref], as_of) if other != ref))


def merged_timeline(store: GraphStore, ref: NodeRef, query: TimelineQuery) -> list[Action]:
    """Return the actions of a session, or of an opportunity under all its ids, in order."""
    found = store.timeline(ref, query)
    others = other_ids(store, ref, query.as_of)
    if not others:
        return found
    for other in others:
        found += store.timeline(other, query)
    found.sort(key=lambda action: (action.at, action.id), reverse=query.newest_first)
    return found[: query.limit]


def whole_timeline(store: GraphStore, ref: NodeRef, as_of: int = NOW) -> Iterator[Action]:
    """Yield all actions of an opportunity or session, recalled ones too, in the order (at, id)."""
    after: tuple[int, str] | None = None
    while True:
        page = store.timeline(ref, TimelineQuery(after=after, limit=_PAGE, as_of=as_of))
        yield from page
        if len(page) < _PAGE:
            return
        after = (page[-1].at, page[-1].id)


def export(
    store: GraphStore,
    ref: NodeRef | None = None,
    query: NeighborhoodQuery = AROUND,
) -> Iterator[Node | Edge]:
    """Yield the nodes and then the edges around `ref`, or of the whole graph without it."""
    if ref is None:
        yield from store.scan_nodes(query.as_of)
        yield from store.scan_edges(query.as_of)
    elif around := neighborhood(store, ref, query):
        yield from around.nodes
        yield from around.edges


class _Walk:
    """A breadth-first walk: what was met so far, nearest first, and where it goes on."""

    def __init__(self, graph: GraphReading, query: NeighborhoodQuery) -> None:
        self._graph = graph
        self._query = query
        self._edge_query = EdgeQuery(
            edge_kinds=query.edge_kinds,
            since=query.since,
            before=query.before,
            limit_per_node=query.node_limit + 1,  # one more tells that something is left out
            # The newest edges may all be of actions, and hide the few that lead to the long-lived.
            besides=_FEW,
            as_of=query.as_of,
        )
        self._shown: dict[NodeRef, Node] = {}
        self._actions: dict[str, Action] = {}
        self._met: set[NodeRef] = set()
        self._frontier: list[NodeRef] = []
        self._edges: list[Edge] = []
        self._explored: set[NodeRef] = set()
        self._truncated = False

    def start(self, ref: NodeRef) -> bool:
        """Begin at a node, under all its ids; return whether it is known."""
        self._shown |= self._load([ref])
        self._met.update(self._shown)
        self._frontier = list(self._shown)
        self._frontier += self._meet(self._other_ids(self._frontier))
        return bool(self._shown)

    def step(self) -> bool:
        """Go one hop further; return whether there is anything left to go to."""
        if self._truncated and len(self._shown) >= self._query.node_limit:
            return False
        edges = self._look_around()
        newest: dict[NodeRef, int] = {}
        met = self._met
        for edge in edges:  # the newest first
            if edge.source not in met:
                newest.setdefault(edge.source, edge.valid_from)
            if edge.target not in met:
                newest.setdefault(edge.target, edge.valid_from)
        nearest = sorted(newest, key=lambda end: (end.kind in _MANY, -newest[end], end))
        self._frontier = self._meet(nearest)
        self._frontier += self._meet(self._other_ids(self._frontier))
        return bool(self._frontier)

    def _look_around(self) -> list[Edge]:
        """Return the edges of the frontier, newest first; where there are too many, of each sort some."""
        edges = self._graph.edges(self._frontier, self._edge_query)
        left = dict.fromkeys(self._frontier, self._edge_query.limit_per_node)
        for edge in edges:
            for end in (edge.source, edge.target):
                if end in left:
                    left[end] -= 1
        self._explored.update(ref for ref, room in left.items() if room > 0)
        self._edges += edges
        return edges

    def _other_ids(self, refs: Iterable[NodeRef]) -> list[NodeRef]:
        people = [ref for ref in refs if ref.kind in JOINABLE]
        same = self._graph.same_as(people, self._query.as_of) if people else {}
        return sorted(ref for ref in same if ref not in self._met)

    def _meet(self, refs: Sequence[NodeRef]) -> list[NodeRef]:
        """Take in nodes as far as there is room; return those to go on from."""
        shown = [ref for ref in refs if self._shows(ref)]
        passed = [ref for ref in refs if not self._shows(ref)]
        room = self._query.node_limit - len(self._shown)
        self._truncated |= len(shown) > room or len(passed) > _PASSED_PER_HOP
        if not refs:
            return []
        found = self._load([*shown[:room], *passed[:_PASSED_PER_HOP]])
        self._shown.update((ref, found[ref]) for ref in shown if ref in found)
        self._met.update(found)
        return [ref for ref in refs if ref in found]

    def _load(self, refs: Sequence[NodeRef]) -> dict[NodeRef, Node]:
        """Load nodes; actions whole, since they also tell their edges."""
        found = self._graph.nodes([ref for ref in refs if ref.kind not in _MANY], self._query.as_of)
        ids = {ref.id for ref in refs if ref.kind in _MANY} - self._actions.keys()
        if ids:
            self._actions |= self._graph.actions(sorted(ids), self._query.as_of)
        for ref in refs:
            if ref.kind in _MANY and (action := self._actions.get(ref.id)):
                as_node = action_node if ref.kind is NodeKind.ACTION else emotion_node
                node = as_node(action)
                if node is not None:
                    found[ref] = node
        return found

    def _shows(self, ref: NodeRef) -> bool:
        return self._query.node_kinds is None or ref.kind in self._query.node_kinds

    def result(self) -> Neighborhood:
        """Return what was met, with the edges between.

        The walk has met all edges of the nodes explored. Of the others, actions tell their own, and those
        between the rest are asked for.
        """
        shown = self._shown
        others = [ref for ref in shown if ref not in self._explored]
        rest = [ref for ref in others if ref.kind not in _MANY]
        more = self._graph.edges_between(rest, self._query.as_of) if rest else []
        for ref in others:
            if ref.kind in _MANY:
                more += action_edges(self._actions[ref.id])
        edges = [edge for edge in self._edges if edge.source in shown and edge.target in shown]
        edges += [
            edge
            for edge in more
            if edge.source in shown and edge.target in shown and self._walks(edge)
        ]
        edges.sort(key=edge_order)
        return Neighborhood(
            nodes=tuple(shown.values()),
            edges=tuple(edge for edge, _ in groupby(edges)),
            truncated=self._truncated,
        )

    def _walks(self, edge: Edge) -> bool:
        kinds = self._query.edge_kinds
        return (kinds is None or edge.kind in kinds) and holds_within(
            edge, self._query.since, self._query.before
        )
