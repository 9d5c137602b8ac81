"""Who a person is: the node id of a native id, and which ids turned out to be one person."""

import re
from functools import lru_cache
from typing import Final

from dealgraph.graph.model import NodeKind, NodeRef, Side
from dealgraph.stream.interaction import Entity, Merge, Split

_KINDS: Final = {Side.REP: NodeKind.REP, Side.CUSTOMER: NodeKind.CONTACT}
_ENTITIES: Final = {
    Entity.CUSTOMER: NodeKind.CUSTOMER,
    Entity.OPPORTUNITY: NodeKind.OPPORTUNITY,
}

_NUMBER: Final = re.compile(r"(?:\+|00)[0-9 ()./\u2010-\u2013-]+", re.ASCII)
_NO_DIGIT: Final = re.compile(r"[^0-9]")


@lru_cache(maxsize=1 << 16)
def person_ref(side: Side, source: str, native_id: str) -> NodeRef | None:
    """Return the node of a person as a source names them, None when nobody is named.

    The id is "<source>:<native id>". A mail address is the same person whatever the source, so it is
    "mail:<address in lower case>", and so is a telephone number with its country code, "tel:<E.164>"; an
    id with a colon has its namespace already.
    """
    kind = _KINDS.get(side)
    if kind is None or not native_id:
        return None
    return NodeRef(kind, person_id(source, native_id))


def person_id(source: str, native_id: str) -> str:
    """Return the namespaced id of a person; applied to its own result it changes nothing."""
    if ":" not in native_id:
        if "@" in native_id:
            native_id = f"mail:{native_id}"
        else:
            number = e164(native_id) if native_id.startswith("+") else ""
            native_id = f"tel:{number}" if number else f"{source}:{native_id}"
    if native_id.startswith("mail:"):
        return native_id.lower()
    if native_id.startswith("tel:"):
        return f"tel:{e164(native_id[4:]) or native_id[4:]}"
    return native_id


def e164(number: str) -> str:
    """Return a telephone number written with its country code as E.164, "" when it is none.

    A number without country code (+ or 00) is not guessed: whose country would it be?
    """
    if not number.startswith(("+", "00")) or not _NUMBER.fullmatch(number):
        return ""
    # (0) is what one dials inside the country only.
    digits = _NO_DIGIT.sub("", number.replace("(0)", "")).removeprefix("00")
    return f"+{digits}" if 7 <= len(digits) <= 15 and digits[0] != "0" else ""


def pair_of(source: str, change: Merge | Split) -> tuple[NodeRef, NodeRef] | None:
    """Return the two nodes that a merge or split names, in order; None when it names no two."""
    kind = _ENTITIES.get(change.entity)
    if kind is not None:
        one: NodeRef | None = NodeRef(kind, change.native_id)
        other: NodeRef | None = NodeRef(kind, change.other_native_id)
    else:
        one = person_ref(change.side, source, change.native_id)
        other = person_ref(change.side, source, change.other_native_id)
    if one is None or other is None or one == other:
        return None
    return (one, other) if one < other else (other, one)


class Identities:
    """Which ids are one person, customer or opportunity.

    Of what was stated of a pair, the statement with the latest event time holds, of two at the same
    time the split. Ids are one when a chain of pairs that hold joins them. So the state depends on the
    set of statements, not on their order.
    """

    def __init__(self) -> None:
        self._members: dict[NodeRef, frozenset[NodeRef]] = {}
        self._canonical: dict[NodeRef, NodeRef] = {}
        self._stated: dict[tuple[NodeRef, NodeRef], tuple[int, bool]] = {}
        self._joined: dict[NodeRef, set[NodeRef]] = {}
        self.version = 0
        """Grows whenever ids become one or part: what was remembered about people may be old."""
        self.decisions = 0
        """Grows with every statement that holds, also when it changes nothing."""

    def state(
        self, pair: tuple[NodeRef, NodeRef], at: int, *, joined: bool
    ) -> tuple[tuple[NodeRef, NodeRef], ...]:
        """Note that the ids of an ordered pair are one from event time `at` on, or are not.

        Return (id, first id) for the ids whose first id changed by that, sorted.
        """
        statement = (at, not joined)
        before = self._stated.get(pair)
        if before is not None and statement <= before:
            return ()
        self._stated[pair] = statement
        self.decisions += 1
        was_joined = before is not None and not before[1]
        if joined == was_joined:
            return ()
        one, other = pair
        if joined:
            self._joined.setdefault(one, set()).add(other)
            self._joined.setdefault(other, set()).add(one)
            return self._regroup(self.members(one) | self.members(other))
        self._joined[one].discard(other)
        self._joined[other].discard(one)
        return self._regroup(self.members(one))

    def copy(self) -> "Identities":
        """Return the same state as a value of its own."""
        twin = Identities()
        twin._members, twin._canonical = self._members.copy(), self._canonical.copy()
        twin._stated = self._stated.copy()
        twin._joined = {ref: near.copy() for ref, near in self._joined.items()}
        twin.version, twin.decisions = self.version, self.decisions
        return twin

    def apart(self, one: NodeRef, other: NodeRef) -> bool:
        """Say whether the last word about these two ids is that they are not one."""
        stated = self._stated.get((one, other) if one < other else (other, one))
        return stated is not None and stated[1]

    def without(self, ref: NodeRef) -> list[frozenset[NodeRef]]:
        """Return the groups that the other ids of a person make once nothing is joined to `ref`."""
        return self._groups(self.members(ref) - {ref}, ref)

    def joined_with(self, ref: NodeRef) -> tuple[NodeRef, ...]:
        """Return the ids that a statement about the pair itself joins to `ref`, sorted."""
        return tuple(sorted(self._joined.get(ref, ())))

    def stated_at(self, one: NodeRef, other: NodeRef) -> int:
        """Return the event time of the statement that holds for a pair, 0 when there is none."""
        return self._stated.get((one, other) if one < other else (other, one), (0, False))[0]

    def canonical(self, ref: NodeRef) -> NodeRef:
        """Return the smallest id of the person behind `ref`."""
        return self._canonical.get(ref, ref)

    def members(self, ref: NodeRef) -> frozenset[NodeRef]:
        """Return all ids of the person behind `ref`, itself included."""
        return self._members.get(ref) or frozenset((ref,))

    def aliases(self) -> list[tuple[NodeRef, NodeRef]]:
        """Return (id, first id of the person) for all other ids of people with several, sorted."""
        return sorted(pair for pair in self._canonical.items() if pair[0] != pair[1])

    def _regroup(self, refs: frozenset[NodeRef]) -> tuple[tuple[NodeRef, NodeRef], ...]:
        """Find anew who of `refs` is one, and return the ids whose first id changed."""
        changed: list[tuple[NodeRef, NodeRef]] = []
        for together in self._groups(refs):
            first = min(together)
            for ref in together:
                if self.canonical(ref) != first:
                    changed.append((ref, first))
                self._canonical[ref] = first
                self._members[ref] = together
        self.version += 1
        return tuple(sorted(changed))

    def _groups(
        self, refs: frozenset[NodeRef], without: NodeRef | None = None
    ) -> list[frozenset[NodeRef]]:
        """Return `refs` by what is joined, as if nothing were joined to `without`; sorted."""
        groups: list[frozenset[NodeRef]] = []
        left = set(refs)
        while left:
            group, frontier = set[NodeRef](), {left.pop()}
            while frontier:
                group |= frontier
                near = {near for ref in frontier for near in self._joined.get(ref, ())}
                frontier = near - group - {without}
            left -= group
            groups.append(frozenset(group))
        return sorted(groups, key=min)
