"""Proposals of ids that may be one, worked out from the graph when somebody asks, at most once a minute."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

from dealgraph.graph.model import EdgeKind, Node, NodeKind, NodeRef
from dealgraph.graph.schema import JOINABLE
from dealgraph.graph.store import EdgeQuery, GraphStore
from dealgraph.stream.ingest import Gate
from dealgraph.stream.matching import Matching, Profile, Proposals, propose

_CHUNK: Final = 500
_KEPT_MS: Final = 60_000
_AROUND: Final = EdgeQuery(
    edge_kinds=frozenset({EdgeKind.BELONGS_TO, EdgeKind.HAS_OPPORTUNITY, EdgeKind.WORKS_ON}),
    limit_per_node=50,
)


class ProposalBook:
    """The proposals of one graph. `clock` gives milliseconds since 1970 UTC."""

    def __init__(
        self, graph: GraphStore, gate: Gate, matching: Matching, clock: Callable[[], int]
    ) -> None:
        self._graph = graph
        self._gate = gate
        self._matching = matching
        self._clock = clock
        self._lock = threading.Lock()
        self._found: tuple[tuple[int, int], int, int, Proposals] | None = None

    def read(self) -> Proposals:
        """Return the proposals; a decision of a curator is seen at once, new names within a minute."""
        with self._lock:
            identities = self._gate.identities()
            past = (self._gate.generation, identities.decisions)
            position, now = self._graph.position(), self._clock()
            if self._found is not None:
                before, seen, at, proposals = self._found
                fresh = position == seen or now - at < _KEPT_MS
                if before == past and fresh:
                    return proposals

            def settled(one: NodeRef, other: NodeRef) -> bool:
                together = identities.canonical(one) == identities.canonical(other)
                return together or identities.apart(one, other)

            proposals = propose(self._profiles(), self._matching, settled)
            self._found = (past, position, now, proposals)
            return proposals

    def _profiles(self) -> Iterator[Profile]:
        nodes = self._nodes()
        while chunk := list(islice(nodes, _CHUNK)):
            around = self._around([node.ref for node in chunk])
            for node in chunk:
                near = around[node.ref]
                yield Profile(
                    node.ref,
                    _names(node),
                    frozenset(ref.id for ref in near if ref.kind is NodeKind.CUSTOMER),
                    frozenset(ref.id for ref in near if ref.kind is NodeKind.OPPORTUNITY),
                    frozenset(
                        ref.id for ref in near if ref.kind in (NodeKind.CONTACT, NodeKind.REP)
                    ),
                )

    def _nodes(self) -> Iterator[Node]:
        for node in self._graph.scan_nodes():
            if node.ref.kind > NodeKind.OPPORTUNITY:
                return  # they come in the order of their kinds
            if node.ref.kind in JOINABLE:
                yield node

    def _around(self, refs: Sequence[NodeRef]) -> dict[NodeRef, set[NodeRef]]:
        found: defaultdict[NodeRef, set[NodeRef]] = defaultdict(set)
        for edge in self._graph.edges(refs, _AROUND):
            found[edge.source].add(edge.target)
            found[edge.target].add(edge.source)
        return found


def _names(node: Node) -> tuple[str, ...]:
    """Return the names of a node; an account or deal without one is often named by its id."""
    name = node.attributes.get("name", "")
    by_id = node.ref.kind in (NodeKind.CUSTOMER, NodeKind.OPPORTUNITY)
    return (name,) if name else ((node.ref.id,) if by_id else ())
