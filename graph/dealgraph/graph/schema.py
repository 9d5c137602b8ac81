"""The schema of the graph in one place: which edge kinds join which node kinds."""

from collections.abc import Mapping
from typing import Final

from dealgraph.graph.model import Edge, EdgeKind, NodeKind, NodeRef
from dealgraph.graph.store import GraphBatch

PERSONS: Final = frozenset({NodeKind.CONTACT, NodeKind.REP})
"""Kinds of nodes that can act."""

JOINABLE: Final = PERSONS | {NodeKind.CUSTOMER, NodeKind.OPPORTUNITY}
"""Kinds of nodes of which several may turn out to be one."""

ENDPOINTS: Final[Mapping[EdgeKind, tuple[frozenset[NodeKind], frozenset[NodeKind]]]] = {
    EdgeKind.PERFORMED: (PERSONS, frozenset({NodeKind.ACTION})),
    EdgeKind.PART_OF: (frozenset({NodeKind.ACTION}), frozenset({NodeKind.SESSION})),
    EdgeKind.ABOUT: (frozenset({NodeKind.ACTION}), frozenset({NodeKind.OPPORTUNITY})),
    EdgeKind.EXPRESSES: (frozenset({NodeKind.ACTION}), frozenset({NodeKind.EMOTION})),
    EdgeKind.CONCERNS: (frozenset({NodeKind.SESSION}), frozenset({NodeKind.OPPORTUNITY})),
    EdgeKind.HAS_OPPORTUNITY: (frozenset({NodeKind.CUSTOMER}), frozenset({NodeKind.OPPORTUNITY})),
    EdgeKind.BELONGS_TO: (frozenset({NodeKind.CONTACT}), frozenset({NodeKind.CUSTOMER})),
    EdgeKind.WORKS_ON: (frozenset({NodeKind.REP}), frozenset({NodeKind.OPPORTUNITY})),
    EdgeKind.TOOK_PART_IN: (PERSONS, frozenset({NodeKind.SESSION})),
    EdgeKind.SAME_AS: (JOINABLE, JOINABLE),
    EdgeKind.EVIDENCED_BY: (frozenset({NodeKind.DECISION_SIGNAL}), frozenset({NodeKind.ACTION})),
    EdgeKind.SIGNALS: (frozenset({NodeKind.DECISION_SIGNAL}), frozenset({NodeKind.OPPORTUNITY})),
    EdgeKind.FOUND_IN: (frozenset({NodeKind.DECISION_SIGNAL}), frozenset({NodeKind.SESSION})),
}
"""For each edge kind, the node kinds it may start at and those it may end at."""

IMPLIED_BY_ACTION: Final = frozenset(
    {EdgeKind.PERFORMED, EdgeKind.PART_OF, EdgeKind.ABOUT, EdgeKind.EXPRESSES}
)
"""Edges that an `Action` value itself implies; nobody writes them apart from it."""

IMPLIED_BY_SIGNAL: Final = frozenset({EdgeKind.EVIDENCED_BY, EdgeKind.SIGNALS, EdgeKind.FOUND_IN})
"""Edges that a `DecisionSignal` value itself implies; nobody writes them apart from it."""


IMPLIED_NODES: Final = frozenset({NodeKind.ACTION, NodeKind.EMOTION, NodeKind.DECISION_SIGNAL})
"""Nodes that an `Action` or `DecisionSignal` value itself implies."""

_IMPLIED_EDGES: Final = IMPLIED_BY_ACTION | IMPLIED_BY_SIGNAL


class SchemaError(ValueError):
    """A batch holds a fact that the schema does not allow."""


def check_batch(batch: GraphBatch) -> None:
    """Raise SchemaError unless all facts of a batch fit the schema."""
    for node in batch.nodes:
        check_node(node.ref)
    for edge in batch.edges:
        check_edge(edge)
    for action in batch.actions:
        if action.actor is not None:
            check_actor(action.actor)


def check_node(ref: NodeRef) -> None:
    """Raise SchemaError when nodes of this kind come from actions or signals alone."""
    if ref.kind in IMPLIED_NODES:
        raise SchemaError(f"{ref.kind.name} nodes are implied and not written by themselves")


def check_actor(ref: NodeRef) -> None:
    """Raise SchemaError unless the actor of an action is a contact or a rep."""
    if ref.kind not in PERSONS:
        raise SchemaError(f"PERFORMED cannot join {ref.kind.name} to ACTION")


def check_edge(edge: Edge) -> None:
    """Raise SchemaError unless an edge joins what its kind joins and may be written by itself."""
    sources, targets = ENDPOINTS[edge.kind]
    if edge.source.kind not in sources or edge.target.kind not in targets:
        raise SchemaError(
            f"{edge.kind.name} cannot join {edge.source.kind.name} to {edge.target.kind.name}"
        )
    if edge.kind in _IMPLIED_EDGES:
        raise SchemaError(f"{edge.kind.name} edges are implied and not written by themselves")
    if edge.kind is EdgeKind.SAME_AS and edge.source.kind is not edge.target.kind:
        raise SchemaError("SAME_AS joins two nodes of one kind")
