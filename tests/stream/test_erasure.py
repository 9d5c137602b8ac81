"""What it means to erase a person: what goes, what is taken out of what stays, and what is left alone."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.model import Side
from dealgraph.stream.erasure import ERASED, Eraser, Footprint, Subject, people_in
from dealgraph.stream.interaction import Interaction, Person
from tests.support.interactions import (
    CHEN,
    LI,
    MINUTE,
    MONDAY,
    consent,
    field_change,
    interactions,
    mail,
    merge,
    message,
    stage_change,
)

NA = Person(Side.CUSTOMER, "na.li@acme.example", "Li Nana", confidence=1.0)
IDS = ("mail:na.li@acme.example", "tel:+8613800001111", "wecom:wmNA77")
WRITTEN = mail("We must wait.", actor=NA, session="t")
SUBJECT = Subject(IDS, ("Li Nana",), ("t",), ("deal-1",))
ERASER = Eraser(SUBJECT, "secret")


@pytest.mark.parametrize(
    "own",
    [
        WRITTEN,
        message("from another id", actor=Person(Side.CUSTOMER, "wmNA77", "N")),
        message("nobody mapped the speaker", actor=Person(name="Li Nana")),
        consent(subject="na.li@acme.example", side=Side.CUSTOMER),
        merge("na.li@acme.example", "hubspot:77"),
        field_change("phone", "1", opportunity="", contact="na.li@acme.example"),
    ],
)
def test_what_is_of_the_person_goes_whole(own: Interaction) -> None:
    assert ERASER.erased(own) is None


def test_the_words_of_others_stay_without_the_person() -> None:
    told = mail(
        "Dear Li Nana, call +86 138-0000-1111 or write to Na.Li@acme.example. Chen agrees.",
        side=Side.REP,
        session="t",
        contact="na.li@acme.example",
        recipients=(NA, CHEN),
        attributes={"to": "Li Nana <na.li@acme.example>"},
    )
    left = ERASER.erased(told)
    assert left is not None
    assert left.text == f"Dear {ERASED}, call {ERASED} or write to {ERASED}. Chen agrees."
    assert (left.contact, left.recipients, left.actor) == ("", (CHEN,), told.actor)
    assert left.attributes == {"to": f"{ERASED} <{ERASED}>"}


def test_a_stage_that_a_rep_changed_stays_without_the_rep() -> None:
    changed = stage_change(rep="rep-77")
    left = Eraser(Subject(("crm:rep-77",)), "secret").erased(changed)
    assert left == replace(changed, rep="")


def test_a_name_is_looked_for_only_where_the_person_took_part() -> None:
    elsewhere = mail("Li Nana says hello", session="other", opportunity="other")
    assert ERASER.erased(elsewhere) is elsewhere


@pytest.mark.parametrize(
    "text", ["xna.li@acme.example", "na.li@acme.example.org", "+86138000011112", "Li Nanami"]
)
def test_what_only_looks_like_the_person_stays(text: str) -> None:
    said = mail(text, session="t")
    assert ERASER.erased(said) is said


def test_a_conversation_that_has_the_persons_id_as_name_gets_another_one_for_all() -> None:
    said = [
        message("hello", at=MONDAY + n * MINUTE, session="wmNA77|WangFang", actor=LI)
        for n in range(2)
    ]
    one, other = (ERASER.erased(message) for message in said)
    assert one is not None and other is not None
    assert one.session == other.session != "wmNA77|WangFang"
    assert "NA77" not in one.session + one.native_id


def test_a_footprint_holds_names_and_conversations() -> None:
    found = Footprint([IDS[0]])
    for told in (WRITTEN, mail(session="elsewhere", opportunity="no")):
        found.add(told)
    assert found.subject() == Subject(IDS[:1], ("Li Nana",), ("t",), ("deal-1",))


@settings(max_examples=60, deadline=None)
@given(told=interactions(), place=st.integers(0, 5))
def test_whatever_names_the_person_does_not_afterwards(told: Interaction, place: int) -> None:
    native = "na.li@acme.example"
    named = [
        replace(told, actor=NA),
        replace(told, contact=native),
        replace(told, rep=native),
        replace(told, recipients=(*told.recipients, NA)),
        replace(told, session=f"mail/{native}", text=f"{native} said"),
        replace(told, attributes={**told.attributes, "contact_mail": native, "x": native}),
    ][place]
    left = ERASER.erased(named)
    if left is not None:
        assert people_in(left).isdisjoint(IDS)
        assert native.encode() not in msgspec.msgpack.encode(left)
        assert ERASER.erased(left) is left
