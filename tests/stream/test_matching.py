"""Which ids are proposed as one, and which are not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.model import NodeKind, NodeRef
from dealgraph.stream.matching import Profile, compare, load_matching, propose
from dealgraph.stream.name_keys import company_words, spellings, words_of

MATCHING = load_matching()


def person(id_: str, *names: str, customer: str = "", deal: str = "") -> Profile:
    return Profile(
        NodeRef(NodeKind.CONTACT, id_),
        names,
        frozenset({customer} - {""}),
        frozenset({deal} - {""}),
    )


def proposed(*profiles: Profile) -> list[tuple[str, str]]:
    found = propose(profiles, MATCHING, lambda one, other: False)
    return [(proposal.one.ref.id, proposal.other.ref.id) for proposal in found.items]


@pytest.mark.parametrize(
    ("one", "other"),
    [("王芳", "Wang Fang"), ("Fang WANG", "wang, fang"), ("José Müller", "Muller Jose")],
)
def test_names_are_equal_across_scripts_accents_and_order(one: str, other: str) -> None:
    assert words_of(one) == words_of(other)


@pytest.mark.parametrize("other", ["Zhang Weiyang", "Weiyang Zhang", "ZHANG Wei Yang", "张伟洋"])
def test_given_names_are_equal_written_together_or_apart(other: str) -> None:
    assert set(spellings("张伟洋")) & set(spellings(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Acme Ltd.", "ACME Limited"), ("澄江科技有限公司", "澄江"), ("Ltd", "Ltd.")],
)
def test_companies_are_equal_without_their_legal_form(one: str, other: str) -> None:
    forms = MATCHING.legal_forms
    assert company_words(one, forms) == company_words(other, forms)


def test_a_name_in_hanzi_and_in_pinyin_at_one_customer_is_proposed() -> None:
    one = person("wecom:wm1", "王芳", customer="acme")
    other = person("mail:w.f@acme.example", "Wang Fang", customer="acme")

    assert proposed(one, other) == [(other.ref.id, one.ref.id)]


def test_a_mail_address_made_of_the_name_is_proposed() -> None:
    one = person("wecom:wm1", "Li Na", customer="acme", deal="d")
    other = person("mail:lina@acme.example", customer="acme", deal="d")

    assert proposed(one, other) == [(other.ref.id, one.ref.id)]
    assert {name for name, _ in compare(one, other, MATCHING).reasons} == {
        "mail_name",
        "same_customer",
        "same_deal",
    }


def test_a_number_without_country_code_is_proposed_not_merged() -> None:
    one = person("tel:+8613800138000", customer="acme")
    other = person("crm:138 0013 8000", customer="acme")

    assert proposed(one, other) == [(other.ref.id, one.ref.id)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            person("wecom:wm1", "王芳", customer="acme"),
            person("mail:x@b.co", "Wang Fang", customer="b"),
        ),
        (person("wecom:wm1", "王芳", customer="a"), person("wecom:wm2", "王芳", customer="a")),
        (person("wecom:wm1", "Li", customer="a"), person("crm:7", "Li", customer="a")),
        (person("wecom:wm1", "Li Na", customer="a"), person("crm:7", "Liu Yang", customer="a")),
        (person("wecom:1"), person("crm:1")),
    ],
)
def test_what_may_be_chance_is_not_proposed(one: Profile, other: Profile) -> None:
    assert proposed(one, other) == []


def test_companies_and_deals_are_proposed_by_their_names() -> None:
    acme = Profile(NodeRef(NodeKind.CUSTOMER, "Acme Ltd"), ("Acme Ltd",))
    again = Profile(NodeRef(NodeKind.CUSTOMER, "sf-001"), ("ACME Limited",))
    deals = [
        Profile(NodeRef(NodeKind.OPPORTUNITY, id_), ("Line 4 retrofit",), frozenset({"acme"}))
        for id_ in ("d-1", "d-2")
    ]

    assert proposed(acme, again, *deals) == [("d-1", "d-2"), ("Acme Ltd", "sf-001")]


def test_what_is_settled_is_not_proposed_again() -> None:
    one, other = person("a:1", "王芳", customer="x"), person("b:1", "Wang Fang", customer="x")

    assert propose([one, other], MATCHING, lambda a, b: True).items == ()


def test_a_word_that_too_many_share_is_passed_over_and_said() -> None:
    many = [person(f"s{n}:1", f"Alexander {'abcdefghij'[n % 10]}{n}") for n in range(400)]

    assert propose(many, MATCHING, lambda a, b: False).truncated


@settings(max_examples=60)
@given(st.text(max_size=12), st.text(max_size=12))
def test_a_score_lies_between_0_and_1_and_does_not_depend_on_the_order(a: str, b: str) -> None:
    one, other = person("crm:1", a, customer="x"), person("mail:a.b@c.example", b, customer="x")
    score = compare(one, other, MATCHING).score

    assert 0 <= score <= 1
    assert compare(other, one, MATCHING).score == score
