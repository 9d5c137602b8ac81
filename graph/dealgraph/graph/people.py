"""One person behind several ids, and what each person did in an opportunity."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from dealgraph.graph.model import ActionKind, Node, NodeRef, Role
from dealgraph.graph.store import CommitteeMember


class Tally(Struct, frozen=True):
    """What one contact did: `count` actions of one kind in one role.

    `valence` is the sum of valence times confidence, `weight` the sum of confidence, over those
    that express an emotion.
    """

    contact: NodeRef
    kind: ActionKind
    role: Role
    count: int
    first_at: int
    last_at: int
    valence: float
    weight: float


def components(pairs: Iterable[tuple[NodeRef, NodeRef]]) -> dict[NodeRef, NodeRef]:
    """Return for each node of `pairs` the smallest node that a chain of pairs joins it to."""
    first: dict[NodeRef, NodeRef] = {}

    def find(ref: NodeRef) -> NodeRef:
        root = ref
        while first.setdefault(root, root) != root:
            root = first[root]
        while first[ref] != root:
            first[ref], ref = root, first[ref]
        return root

    for one, other in pairs:
        low, high = sorted((find(one), find(other)))
        first[high] = low
    return {ref: find(ref) for ref in list(first)}


def committee_of(
    tallies: Sequence[Tally],
    canonical: Mapping[NodeRef, NodeRef],
    nodes: Mapping[NodeRef, Node],
) -> list[CommitteeMember]:
    """Group what contacts did by person, the most active first, then by id.

    `canonical` maps all ids of these people to their first id, and `nodes` holds their facts.
    """
    ids: dict[NodeRef, list[NodeRef]] = {}
    for ref, first in sorted(canonical.items()):
        ids.setdefault(first, []).append(ref)
    grouped: dict[NodeRef, list[Tally]] = {}
    for tally in tallies:
        grouped.setdefault(canonical[tally.contact], []).append(tally)
    members = [
        _member(first, ids[first], [nodes[ref] for ref in ids[first] if ref in nodes], group)
        for first, group in grouped.items()
    ]
    return sorted(members, key=lambda m: (-sum(m.action_counts.values()), m.contact))


def _member(
    first: NodeRef, ids: Sequence[NodeRef], nodes: Sequence[Node], tallies: Sequence[Tally]
) -> CommitteeMember:
    names = [node.attributes["name"] for node in nodes if node.attributes.get("name")]
    roles = {tally.role for tally in tallies} | {_role(node) for node in nodes}
    counts = {
        kind: sum(tally.count for tally in tallies if tally.kind is kind)
        for kind in sorted({tally.kind for tally in tallies})
    }
    weight = sum(tally.weight for tally in tallies)
    return CommitteeMember(
        contact=first,
        same_as=tuple(ref for ref in ids if ref != first),
        name=names[0] if names else "",
        roles=tuple(sorted(roles - {Role.UNKNOWN})),
        action_counts=counts,
        first_seen=min(tally.first_at for tally in tallies),
        last_seen=max(tally.last_at for tally in tallies),
        sentiment=sum(tally.valence for tally in tallies) / weight if weight > 0 else None,
    )


def _role(node: Node) -> Role:
    """Return the role that a node states; an unknown word is no role."""
    return Role.__members__.get(node.attributes.get("role", "").upper(), Role.UNKNOWN)
