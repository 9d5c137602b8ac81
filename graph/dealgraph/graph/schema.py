"""The schema of the graph in one place: which edge kinds join which node kinds."""

from collections.abc import Mapping
from typing import Final

from dealgraph.graph.model import Edge, EdgeKind, NodeKind

_PERSON: Final = frozenset({NodeKind.CONTACT, NodeKind.REP})

ENDPOINTS: Final[Mapping[EdgeKind, tuple[frozenset[NodeKind], frozenset[NodeKind]]]] = {
    EdgeKind.PERFORMED: (_PERSON, frozenset({NodeKind.ACTION})),
    EdgeKind.PART_OF: (frozenset({NodeKind.ACTION}), frozenset({NodeKind.SESSION})),
    EdgeKind.ABOUT: (frozenset({NodeKind.ACTION}), frozenset({NodeKind.OPPORTUNITY})),
    EdgeKind.EXPRESSES: (frozenset({NodeKind.ACTION}), frozenset({NodeKind.EMOTION})),
    EdgeKind.CONCERNS: (frozenset({NodeKind.SESSION}), frozenset({NodeKind.OPPORTUNITY})),
    EdgeKind.HAS_OPPORTUNITY: (frozenset({NodeKind.CUSTOMER}), frozenset({NodeKind.OPPORTUNITY})),
    EdgeKind.BELONGS_TO: (frozenset({NodeKind.CONTACT}), frozenset({NodeKind.CUSTOMER})),
    EdgeKind.WORKS_ON: (frozenset({NodeKind.REP}), frozenset({NodeKind.OPPORTUNITY})),
    EdgeKind.TOOK_PART_IN: (_PERSON, frozenset({NodeKind.SESSION})),
    EdgeKind.SAME_AS: (_PERSON, _PERSON),
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


class SchemaError(ValueError):
    """An edge joins nodes that its kind does not join."""


def check_edge(edge: Edge) -> None:
    """Raise SchemaError unless the kinds of the edge's nodes fit the kind of the edge."""
    sources, targets = ENDPOINTS[edge.kind]
    if edge.source.kind not in sources or edge.target.kind not in targets:
        raise SchemaError(
            f"{edge.kind.name} cannot join {edge.source.kind.name} to {edge.target.kind.name}"
        )
    if edge.kind is EdgeKind.SAME_AS and edge.source.kind is not edge.target.kind:
        raise SchemaError("SAME_AS joins two contacts or two reps")
