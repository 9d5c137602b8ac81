"""A tenant's own history: what detectors see of each opportunity in the graph."""

from collections.abc import Iterator
from itertools import takewhile

from dealgraph.graph.model import OPEN, ActionKind, NodeKind, NodeRef
from dealgraph.graph.store import GraphStore, TimelineQuery
from dealgraph.stream.observation import as_seen, observed_of
from dealgraph.stream.signals.detector import Observed

_PAGE = 5000


def opportunities(graph: GraphStore) -> list[str]:
    """Return the ids of all opportunities, sorted."""
    before = takewhile(lambda node: node.ref.kind <= NodeKind.OPPORTUNITY, graph.scan_nodes())
    return [node.ref.id for node in before if node.ref.kind is NodeKind.OPPORTUNITY]


def tenant_history(graph: GraphStore, opportunity: str) -> list[Observed]:
    """Return the actions of an opportunity that stand, as its detectors see them."""
    seen: list[Observed] = []
    people: set[NodeRef] = set()
    after: tuple[int, str] | None = None
    ref = NodeRef(NodeKind.OPPORTUNITY, opportunity)
    while page := graph.timeline(ref, TimelineQuery(after=after, limit=_PAGE)):
        for action in page:
            if action.recalled_at == OPEN and action.kind is not ActionKind.RECALL:
                seen.append(observed_of(action))
                if action.actor is not None:
                    people.add(action.actor)
        after = (page[-1].at, page[-1].id)
    aliases = {alias.id: first.id for alias, first in graph.same_as(people).items()}
    return list(as_seen(seen, aliases))


def tenant_histories(graph: GraphStore) -> Iterator[tuple[str, list[Observed]]]:
    """Yield (opportunity, history) for all opportunities of which anything is known, sorted."""
    for opportunity in opportunities(graph):
        history = tenant_history(graph, opportunity)
        if history:
            yield opportunity, history
