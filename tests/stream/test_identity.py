"""Names of people, and people under several names."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.model import NodeKind, NodeRef, Side
from dealgraph.stream.identity import Identities, pair_of, person_id, person_ref
from dealgraph.stream.interaction import Entity, Merge, Split

_IDS = st.text("ab:@.Mtel+0123", min_size=1, max_size=12) | st.sampled_from(["mail", "tel"])


@pytest.mark.parametrize(
    ("source", "native_id", "expected"),
    [
        ("wecom", "wmXYZ", "wecom:wmXYZ"),
        ("wecom", "Li@Acme.Example", "mail:li@acme.example"),
        ("crm", "wecom:wmXYZ", "wecom:wmXYZ"),
        ("crm", "mail:Li@Acme.Example", "mail:li@acme.example"),
        ("会议", "张三", "会议:张三"),
        ("calls", "+86 (0)138-0013-8000", "tel:+8613800138000"),
        ("calls", "tel:0086 138 0013 8000", "tel:+8613800138000"),
        ("crm", "0086138001380", "crm:0086138001380"),
        ("crm", "tel:+86 138 0013 8000", "tel:+8613800138000"),
        ("calls", "138 0013 8000", "calls:138 0013 8000"),
        ("mail", "M", "mail:m"),
    ],
)
def test_a_person_has_an_id_with_a_namespace(source: str, native_id: str, expected: str) -> None:
    assert person_ref(Side.CUSTOMER, source, native_id) == NodeRef(NodeKind.CONTACT, expected)


def test_a_rep_is_another_kind_of_node_than_a_contact() -> None:
    assert person_ref(Side.REP, "crm", "7") == NodeRef(NodeKind.REP, "crm:7")


@pytest.mark.parametrize("side", [Side.UNKNOWN, Side.SYSTEM])
def test_who_is_on_no_side_is_nobody(side: Side) -> None:
    assert person_ref(side, "crm", "7") is None


def test_an_empty_id_is_nobody() -> None:
    assert person_ref(Side.REP, "crm", "") is None


@settings(max_examples=100)
@given(_IDS, _IDS, _IDS)
def test_an_id_with_a_namespace_stays_as_it_is(source: str, other: str, native_id: str) -> None:
    once = person_id(source, native_id)

    assert person_id(other, once) == once


def _contact(name: str) -> NodeRef:
    return NodeRef(NodeKind.CONTACT, name)


def test_who_was_never_merged_is_themselves() -> None:
    identities = Identities()

    assert identities.canonical(_contact("a")) == _contact("a")
    assert identities.members(_contact("a")) == {_contact("a")}
    assert identities.aliases() == []


def _pair(one: str, other: str) -> tuple[NodeRef, NodeRef]:
    first, second = sorted((one, other))
    return _contact(first), _contact(second)


def test_a_merge_says_whose_first_id_changed() -> None:
    identities = Identities()
    a, b, c = (_contact(name) for name in "abc")

    assert identities.state((b, c), 1, joined=True) == ((c, b),)
    assert identities.state((a, c), 1, joined=True) == ((b, a), (c, a))
    assert identities.state((b, c), 1, joined=True) == ()
    assert identities.aliases() == [(b, a), (c, a)]


def test_a_split_parts_who_hung_together_by_this_pair_alone() -> None:
    identities = Identities()
    a, b, c, d = (_contact(name) for name in "abcd")
    for pair in ((a, b), (b, c), (c, d)):
        identities.state(pair, 1, joined=True)

    assert identities.state((b, c), 2, joined=False) == ((c, c), (d, c))
    assert identities.members(a) == {a, b}
    assert identities.members(d) == {c, d}
    assert identities.apart(c, b)


def test_the_last_statement_in_the_world_holds_and_of_two_at_once_the_split() -> None:
    identities = Identities()
    pair = _pair("a", "b")

    identities.state(pair, 5, joined=False)
    identities.state(pair, 3, joined=True)
    identities.state(pair, 5, joined=True)
    assert identities.aliases() == []

    identities.state(pair, 6, joined=True)
    assert identities.aliases() == [(_contact("b"), _contact("a"))]


def test_customers_and_opportunities_are_joined_by_their_own_ids() -> None:
    customer = Merge("b-ltd", "a-ltd", Side.UNKNOWN, Entity.CUSTOMER)
    deal = Split("b", "a", Side.UNKNOWN, Entity.OPPORTUNITY)

    assert pair_of("crm", customer) == (
        NodeRef(NodeKind.CUSTOMER, "a-ltd"),
        NodeRef(NodeKind.CUSTOMER, "b-ltd"),
    )
    assert pair_of("crm", deal) == (
        NodeRef(NodeKind.OPPORTUNITY, "a"),
        NodeRef(NodeKind.OPPORTUNITY, "b"),
    )


def test_a_change_is_noticed() -> None:
    identities = Identities()
    before = identities.version

    identities.state(_pair("a", "b"), 1, joined=True)
    after = identities.version
    identities.state(_pair("a", "b"), 2, joined=True)

    assert before < after == identities.version


_NAMES = "abcdef"
_STATEMENTS = st.lists(
    st.tuples(st.sampled_from(_NAMES), st.sampled_from(_NAMES), st.integers(1, 5), st.booleans()),
    max_size=12,
).map(lambda drawn: [one for one in drawn if one[0] != one[1]])


@settings(max_examples=150)
@given(_STATEMENTS, st.randoms(use_true_random=False))
def test_people_do_not_depend_on_the_order_of_merges_and_splits(
    statements: list[tuple[str, str, int, bool]], random: Random
) -> None:
    shuffled = list(statements)
    random.shuffle(shuffled)
    one, other = Identities(), Identities()
    for told, order in ((one, statements), (other, shuffled)):
        for a, b, at, joined in order:
            told.state(_pair(a, b), at, joined=joined)

    assert one.aliases() == other.aliases()
    for ref in map(_contact, _NAMES):
        assert one.members(ref) == other.members(ref)
        assert one.canonical(ref) == min(one.members(ref))


@settings(max_examples=150)
@given(_STATEMENTS)
def test_a_statement_names_exactly_the_ids_whose_first_id_changed(
    statements: list[tuple[str, str, int, bool]],
) -> None:
    identities = Identities()
    refs = [_contact(name) for name in _NAMES]
    for a, b, at, joined in statements:
        before = {ref: identities.canonical(ref) for ref in refs}
        changed = identities.state(_pair(a, b), at, joined=joined)
        assert changed == tuple(
            (ref, identities.canonical(ref))
            for ref in refs
            if identities.canonical(ref) != before[ref]
        )
