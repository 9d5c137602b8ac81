"""A tenant's own history: what detectors see of each opportunity in the graph."""

from collections.abc import Iterator
from itertools import takewhile

from dealgraph.graph.model import NodeKind, NodeRef
from dealgraph.graph.queries import whole_timeline
from dealgraph.graph.store import GraphStore
from dealgraph.stream.observation import as_seen, observed_of
from dealgraph.stream.signals.detector import Observed


def opportunities(graph: GraphStore) -> list[str]:
    """Return the ids of all opportunities, sorted."""
    before = takewhile(lambda node: node.ref.kind <= NodeKind.OPPORTUNITY, graph.scan_nodes())
    return [node.ref.id for node in before if node.ref.kind is NodeKind.OPPORTUNITY]


def tenant_history(graph: GraphStore, opportunity: str) -> list[Observed]:
    """Return the actions of an opportunity that stand, as its detectors see them."""
    ref = NodeRef(NodeKind.OPPORTUNITY, opportunity)
    standing = [action for action in whole_timeline(graph, ref) if action.stands]
    people = {action.actor for action in standing if action.actor is not None}
    aliases = {alias.id: first.id for alias, first in graph.same_as(people).items()}
    return list(as_seen(map(observed_of, standing), aliases))


def tenant_histories(graph: GraphStore) -> Iterator[tuple[str, list[Observed]]]:
    """Yield (opportunity, history) for all opportunities of which anything is known, sorted."""
    for opportunity in opportunities(graph):
        history = tenant_history(graph, opportunity)
        if history:
            yield opportunity, history
