"""One number for the whole graph, to compare two graphs that hold the same facts."""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from dealgraph.graph.model import OPEN, NodeKind, SignalState
from dealgraph.graph.schema import IMPLIED_BY_SIGNAL
from dealgraph.graph.store import GraphStore

_RETRACTED: Final = SignalState.RETRACTED.name.lower()


def graph_hash(store: GraphStore) -> str:
    """Return the SHA-256 of what the graph believes now, in hexadecimal digits.

    Equal facts give equal hashes, in whatever order and in whatever batches they came. So what tells
    only the way to the present belief is left out: recorded times, and of decision signals whether
    they were raised or revised to what they are, and those retracted with their edges.
    """
    digest = hashlib.sha256()
    encode = msgspec.msgpack.Encoder().encode
    for fact in _beliefs(store):
        digest.update(encode(fact))
    return digest.hexdigest()


def _beliefs(store: GraphStore) -> Iterator[tuple[Any, ...]]:
    for node in store.scan_nodes():
        facts = dict(node.attributes)
        since = node.valid_from
        if node.ref.kind is NodeKind.DECISION_SIGNAL:
            if facts.pop("state") == _RETRACTED:
                continue
            since = 0  # when its first version began depends on what came late
        yield node.ref, sorted(facts.items()), since
    for edge in store.scan_edges():
        since = edge.valid_from
        if edge.kind in IMPLIED_BY_SIGNAL:
            if edge.valid_to != OPEN:
                continue
            since = 0
        yield edge.kind, edge.source, edge.target, since, edge.valid_to, edge.confidence, edge.rule
