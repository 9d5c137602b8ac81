"""Names of people, and people under several names."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.model import NodeKind, NodeRef, Side
from dealgraph.stream.identity import Identities, person_id, person_ref

_IDS = st.text("ab:@.Mmail", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("source", "native_id", "expected"),
    [
        ("wecom", "wmXYZ", "wecom:wmXYZ"),
        ("wecom", "Li@Acme.Example", "mail:li@acme.example"),
        ("crm", "wecom:wmXYZ", "wecom:wmXYZ"),
        ("crm", "mail:Li@Acme.Example", "mail:li@acme.example"),
        ("会议", "张三", "会议:张三"),
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


def test_a_merge_says_whose_first_id_changed() -> None:
    identities = Identities()

    assert identities.merge(_contact("c"), _contact("b")) == {_contact("c")}
    assert identities.merge(_contact("c"), _contact("a")) == {_contact("b"), _contact("c")}
    assert identities.merge(_contact("b"), _contact("c")) == frozenset()
    assert identities.aliases() == [
        (_contact("b"), _contact("a")),
        (_contact("c"), _contact("a")),
    ]


def test_a_merge_that_changes_something_is_noticed() -> None:
    identities = Identities()
    before = identities.version

    identities.merge(_contact("a"), _contact("b"))
    after = identities.version
    identities.merge(_contact("b"), _contact("a"))

    assert before < after == identities.version


_PAIRS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=10)


@settings(max_examples=100)
@given(_PAIRS, st.integers())
def test_people_do_not_depend_on_the_order_of_merges(
    pairs: list[tuple[str, str]], seed: int
) -> None:
    shuffled = [pair[:: random.Random(seed + n).choice((1, -1))] for n, pair in enumerate(pairs)]
    random.Random(seed).shuffle(shuffled)
    one, other = Identities(), Identities()
    for a, b in pairs:
        one.merge(_contact(a), _contact(b))
    for a, b in shuffled:
        other.merge(_contact(a), _contact(b))

    assert one.aliases() == other.aliases()
    for name in "abcdefgh":
        ref = _contact(name)
        assert one.members(ref) == other.members(ref)
        assert one.canonical(ref) == min(one.members(ref))


@settings(max_examples=100)
@given(_PAIRS)
def test_a_merge_names_exactly_the_ids_whose_first_id_changed(pairs: list[tuple[str, str]]) -> None:
    identities = Identities()
    for a, b in pairs:
        before = {name: identities.canonical(_contact(name)) for name in "abcdefgh"}
        moved = identities.merge(_contact(a), _contact(b))
        assert moved == {
            _contact(name)
            for name, first in before.items()
            if identities.canonical(_contact(name)) != first
        }
