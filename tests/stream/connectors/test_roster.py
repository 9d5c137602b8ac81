from pathlib import Path

import pytest

from dealgraph.graph.model import Channel, Role, Side
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.roster import load_roster, parse_roster
from dealgraph.stream.interaction import (
    ConsentChange,
    InteractionKind,
    Merge,
    Person,
    Purpose,
    action_id,
)
from tests.support.files import ROSTER, options


def test_a_speaker_of_the_roster_is_that_person_with_role_and_confidence() -> None:
    person = parse_roster(ROSTER).speaker("Li Na (Acme)")
    assert person == Person(
        Side.CUSTOMER, "mail:li@acme.example", "Li Na", Role.ECONOMIC_BUYER, 0.9
    )


def test_labels_are_compared_after_nfc_and_trimming() -> None:
    roster = parse_roster(
        "people: [{id: 'a:b', side: rep, speakers: ['Zoe\\u0301']}]".replace("\\u0301", "\u0301")
    )
    assert roster.speaker("  Zo\u00e9 ").confidence == 1.0


@pytest.mark.parametrize("label", ["Li na", "LiNa", "Li", "Li Na (Acme) 2"])
def test_a_label_that_is_only_similar_stays_unknown(label: str) -> None:
    assert parse_roster(ROSTER).speaker(label) == Person(name=label)


def test_a_person_is_found_by_each_of_their_ids() -> None:
    roster = parse_roster(ROSTER)
    by_chat, by_mail = (
        roster.person("wecom", "WangFang"),
        roster.person("mail", "Wang@Seller.example"),
    )
    assert by_chat is not None
    assert by_mail is not None
    assert (by_chat.native_id, by_mail.native_id) == ("wecom:WangFang", "mail:wang@seller.example")
    assert by_chat.name == by_mail.name == "Wang Fang"


def test_a_domain_that_is_stated_puts_an_address_on_its_side() -> None:
    roster = parse_roster(ROSTER)
    customer = roster.person("mail", "new@ACME.example", "New")
    assert customer == Person(Side.CUSTOMER, "mail:new@acme.example", "New", confidence=1.0)
    assert roster.person("mail", "x@other.example") is None
    assert roster.person("mail", "x@sub.acme.example") is None


def test_the_roster_tells_consent_and_merges_before_the_file() -> None:
    events = list(parse_roster(ROSTER).events())
    assert events[0].detail == Merge("wecom:WangFang", "mail:wang@seller.example", Side.REP)
    granted = [event.detail for event in events[1:]]
    assert granted == [
        ConsentChange(subject, Channel.VOICE, purpose, True)
        for subject in ("wecom:WangFang", "mail:wang@seller.example")
        for purpose in (Purpose.ANALYSE, Purpose.CAPTURE)
    ]
    assert {event.kind for event in events[1:]} == {InteractionKind.CONSENT}
    assert {event.occurred_at for event in events} == {1_768_406_400_000}
    assert events[1].consent_basis == "agreement of January"


def test_what_is_stated_twice_has_the_same_ids_and_bodies() -> None:
    first, second = (list(parse_roster(ROSTER).events()) for _ in range(2))
    assert first == second
    assert len({action_id(e.source, e.native_id, e.part) for e in first}) == len(first)


def test_a_change_of_what_is_stated_changes_the_id() -> None:
    changed = parse_roster(ROSTER.replace("agreement of January", "agreement of May"))
    before = {event.native_id for event in parse_roster(ROSTER).events()}
    shared = before & {event.native_id for event in changed.events()}
    assert len(shared) == 1  # the merge


def test_options_go_before_the_defaults_of_the_roster() -> None:
    defaults = options(ROSTER, opportunity="deal-2").defaults()
    assert (defaults.opportunity, defaults.customer) == ("deal-2", "acme")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "people: [{id: 'a:b', sid: rep}]",
            r"line 1, people\[0\].sid: unknown key `sid`; did you mean `side`",
        ),
        (
            "people:\n  - id: li\n    side: rep",
            r"people\[0\]: the id 'li' does not say where it comes from",
        ),
        ("people:\n  - id: a:b\n    side: seller", r"line 3, people\[0\].side: .*seller"),
        (
            "people:\n  - id: a:b\n    side: rep\n    consent: {voice: [capture]}",
            "`since` is missing",
        ),
        (
            "people:\n  - id: a:b\n    side: rep\n    since: 2026-01-01\n    consent: {voice: [capture]}",
            "`basis` is missing",
        ),
        ("people: [{id: 'a:b', side: rep, confidence: 0}]", "`confidence` lies above 0"),
        ("people: [{id: 'a:b', side: rep, since: yesterday}]", "yesterday"),
        ("started_at: soon", "soon"),
        ("people: 3", "people"),
        ("- a", "array"),
        ("a: [", "line 1: not YAML"),
        ("rep: a\nrep: b", "line 2: 'rep' is no key, or is written twice"),
        (
            "people: [{id: 'a:b', side: rep, speakers: [X]}, {id: 'a:c', side: rep, speakers: [X]}]",
            "the speaker 'X' to a:b and to a:c",
        ),
        ("rep_domains: [x.example]\ncustomer_domains: [x.example]", "on both sides"),
    ],
)
def test_a_wrong_roster_is_told_with_place_and_fix(text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        parse_roster(text)


def test_a_roster_that_grows_by_aliases_is_refused() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(SourceError, match="aliases"):
        parse_roster("\n".join(levels))


def test_a_missing_roster_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"Cannot read the roster .*none\.yaml"):
        load_roster(tmp_path / "none.yaml")


def test_a_roster_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "roster.yaml"
    path.write_bytes("customer: 穗禾".encode("gb18030"))
    with pytest.raises(SourceError, match="not UTF-8"):
        load_roster(path)


def test_the_example_that_is_shipped_maps_speakers_and_ids_and_grants_consent() -> None:
    roster = load_roster(Path(__file__).parents[3] / "deploy" / "rosters" / "example.yaml")
    assert roster.speaker("王芳").native_id == roster.defaults.rep == "wecom:WangFang"
    assert roster.speaker("Speaker 3").confidence == 0.7
    contact = roster.person("wecom", "wmLiNaAcme")
    assert contact is not None
    assert contact.role is Role.ECONOMIC_BUYER
    kinds = [event.kind for event in roster.events()]
    assert kinds.count(InteractionKind.MERGE) == 2
    assert kinds.count(InteractionKind.CONSENT) == 16
