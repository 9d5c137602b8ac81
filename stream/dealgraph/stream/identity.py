"""Who a person is: the node id of a native id, and which ids turned out to be one person."""

from functools import lru_cache
from typing import Final

from dealgraph.graph.model import NodeKind, NodeRef, Side

_KINDS: Final = {Side.REP: NodeKind.REP, Side.CUSTOMER: NodeKind.CONTACT}


@lru_cache(maxsize=1 << 16)
def person_ref(side: Side, source: str, native_id: str) -> NodeRef | None:
    """Return the node of a person as a source names them, None when nobody is named.

    The id is "<source>:<native id>". A mail address is the same person whatever the source, so it is
    "mail:<address in lower case>"; an id with a colon has its namespace already.
    """
    kind = _KINDS.get(side)
    if kind is None or not native_id:
        return None
    return NodeRef(kind, person_id(source, native_id))


def person_id(source: str, native_id: str) -> str:
    """Return the namespaced id of a person; applied to its own result it changes nothing."""
    if ":" not in native_id:
        if "@" not in native_id:
            return f"{source}:{native_id}"
        native_id = f"mail:{native_id}"
    return native_id.lower() if native_id.startswith("mail:") else native_id


class Identities:
    """Which ids are one person. The state depends on the set of merges, not on their order."""

    def __init__(self) -> None:
        self._members: dict[NodeRef, frozenset[NodeRef]] = {}
        self._canonical: dict[NodeRef, NodeRef] = {}
        self.version = 0
        """Grows whenever ids become one person: what was remembered about people may be old."""

    def merge(self, a: NodeRef, b: NodeRef) -> frozenset[NodeRef]:
        """Note that `a` and `b` are one person; return the ids whose canonical id changed."""
        first, second = sorted((a, b), key=self.canonical)
        kept, moved = self.members(first), self.members(second)
        if kept == moved:
            return frozenset()
        canonical, together = self.canonical(first), kept | moved
        for ref in together:
            self._members[ref] = together
            self._canonical[ref] = canonical
        self.version += 1
        return moved

    def canonical(self, ref: NodeRef) -> NodeRef:
        """Return the smallest id of the person behind `ref`."""
        return self._canonical.get(ref, ref)

    def members(self, ref: NodeRef) -> frozenset[NodeRef]:
        """Return all ids of the person behind `ref`, itself included."""
        return self._members.get(ref) or frozenset((ref,))

    def aliases(self) -> list[tuple[NodeRef, NodeRef]]:
        """Return (id, first id of the person) for all other ids of people with several, sorted."""
        return sorted(pair for pair in self._canonical.items() if pair[0] != pair[1])
