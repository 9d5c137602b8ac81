"""Which interactions are taken in, and what the others are told."""

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.interaction import (
    ClockCorrection,
    ConsentChange,
    FieldChange,
    Interaction,
    InteractionKind,
    Merge,
    Person,
    Provenance,
    Purpose,
    Reason,
    Recall,
    Split,
    StageChange,
)
from dealgraph.stream.validation import Limits, check
from tests.support.interactions import (
    CHEN,
    DAY,
    MINUTE,
    MONDAY,
    TENANT,
    consent,
    field_change,
    interactions,
    merge,
    message,
    recall,
    stage_change,
    utterance,
)

NOW = MONDAY + 60 * DAY
LIMITS = Limits()


@settings(max_examples=100, deadline=None)
@given(interactions())
def test_a_valid_interaction_is_taken_in(interaction: Interaction) -> None:
    assert check(interaction, TENANT, NOW, LIMITS) is None


@pytest.mark.parametrize(
    ("interaction", "reason", "told"),
    [
        (utterance(source=""), Reason.MISSING_ID, "source is empty"),
        (utterance(native_id=""), Reason.MISSING_ID, "native_id is empty"),
        (utterance(tenant="other"), Reason.OTHER_TENANT, "acme-sales"),
        (utterance(part=-1), Reason.WRONG_TYPE, "part is -1"),
        (utterance(part=2**32), Reason.WRONG_TYPE, "part is 4294967296"),
        (utterance(source="a\x1fb"), Reason.BAD_ENCODING, "source holds a control character"),
        (utterance(native_id="a\x00"), Reason.BAD_ENCODING, "native_id holds"),
        (utterance(session="\ud800", native_id="1"), Reason.BAD_ENCODING, "session holds"),
        (utterance(rep="a\nb"), Reason.BAD_ENCODING, "rep holds"),
        (utterance(opportunity="x" * 513), Reason.TOO_LARGE, "opportunity has 513 characters"),
        (utterance(at=NOW + 6 * MINUTE), Reason.FUTURE_TIMESTAMP, "in the future"),
        (utterance(at=MONDAY * 1000), Reason.FUTURE_TIMESTAMP, "milliseconds"),
        (utterance(at=0), Reason.ANCIENT_TIMESTAMP, "1970-01-01"),
        (utterance(at=MONDAY // 1000), Reason.ANCIENT_TIMESTAMP, "in seconds?"),
        (utterance(at=-(10**18)), Reason.ANCIENT_TIMESTAMP, "-1000000000000000000 ms"),
        (utterance(recorded_at=-1), Reason.BAD_TIMESTAMP, "recorded_at is negative"),
        (utterance(duration_ms=-1), Reason.BAD_TIMESTAMP, "duration is -1 ms"),
        (utterance(duration_ms=2**60), Reason.BAD_TIMESTAMP, "duration is"),
        (utterance("x" * 1_000_001), Reason.TOO_LARGE, "text has 1000001 characters"),
        (utterance(language="x" * 513), Reason.TOO_LARGE, "language"),
        (utterance(attributes={str(n): "" for n in range(101)}), Reason.TOO_LARGE, "101 attr"),
        (utterance(attributes={"a": "x" * 10_001}), Reason.TOO_LARGE, "a value of 10001"),
        (utterance(attributes={"": "x"}), Reason.MISSING_FIELD, "no name"),
        (utterance(recipients=(CHEN,) * 1001), Reason.TOO_LARGE, "1001 recipients"),
        (utterance(actor=Person(confidence=float("nan"))), Reason.WRONG_TYPE, "confidence"),
        (utterance(recipients=(Person(confidence=2),)), Reason.WRONG_TYPE, "confidence"),
        (utterance(actor=Person(native_id="a\tb")), Reason.BAD_ENCODING, "id of a person"),
        (utterance(actor=Person(name="x" * 10_001)), Reason.TOO_LARGE, "a name has"),
        (stage_change(detail=None), Reason.MISSING_FIELD, "needs the detail StageChange"),
        (stage_change(detail=Recall("a")), Reason.WRONG_TYPE, "not Recall"),
        (utterance(detail=StageChange("won")), Reason.WRONG_TYPE, "UTTERANCE has no detail"),
        (stage_change(stage=""), Reason.MISSING_ID, "stage is empty"),
        (field_change(field=""), Reason.MISSING_ID, "field is empty"),
        (field_change(value="x" * 10_001), Reason.TOO_LARGE, "a value has more than"),
        (consent(subject=""), Reason.MISSING_ID, "subject is empty"),
        (recall(utterance(), native_id="call-1/" + str(MONDAY)), Reason.UNKNOWN_VALUE, "itself"),
        (recall(utterance(), detail=Recall("")), Reason.MISSING_ID, "native_id of what"),
        (merge("a", ""), Reason.MISSING_ID, "other_native_id is empty"),
        (merge("", "a"), Reason.MISSING_ID, "native_id is empty"),
        (merge("a", "crm:a"), Reason.UNKNOWN_VALUE, "the same id twice"),
        (merge("A@b.example", "mail:a@B.example"), Reason.UNKNOWN_VALUE, "the same id twice"),
        (merge("a", "b", side=Side.UNKNOWN), Reason.MISSING_FIELD, "needs a side"),
    ],
)
def test_what_is_wrong_is_told(interaction: Interaction, reason: Reason, told: str) -> None:
    rejected = check(interaction, TENANT, NOW, LIMITS)

    assert rejected is not None
    assert (rejected.reason, rejected.payload) == (reason, b"")
    assert told in rejected.detail


@pytest.mark.parametrize("tenant", ["", TENANT])
def test_an_interaction_may_leave_the_tenant_out(tenant: str) -> None:
    assert check(utterance(tenant=tenant), TENANT, NOW, LIMITS) is None


def test_clocks_may_differ_a_little() -> None:
    assert check(utterance(at=NOW + 5 * MINUTE), TENANT, NOW, LIMITS) is None


def test_a_part_of_a_record_may_take_another_part_back() -> None:
    taken = recall(utterance(part=1), native_id=f"call-1/{MONDAY}", part=2)

    assert check(taken, TENANT, NOW, LIMITS) is None


def test_text_may_hold_any_character() -> None:
    assert check(message("line\nnext\x00\t"), TENANT, NOW, LIMITS) is None


def test_long_ids_may_be_long_together() -> None:
    long = utterance(native_id="1", session="s" * 512, opportunity="客" * 512)

    assert check(long, TENANT, NOW, LIMITS) is None


def test_a_rejection_says_where_the_record_was() -> None:
    known = utterance(at=0, provenance=Provenance(position="call.vtt:7"))

    for interaction, position in ((known, "call.vtt:7"), (utterance(at=0), "call-1/0")):
        rejected = check(interaction, TENANT, NOW, LIMITS)
        assert rejected is not None
        assert (rejected.source, rejected.position) == ("webvtt", position)
        assert rejected.channel is Channel.VOICE


def test_every_kind_that_changes_something_needs_its_own_detail() -> None:
    details = [
        StageChange("won"),
        FieldChange("amount", "1"),
        ConsentChange("rep-1", Channel.CHAT, Purpose.CAPTURE, True),
        Recall("other"),
        Merge("a", "b", Side.REP),
        Split("a", "b", Side.REP),
        ClockCorrection("wecom", 60_000),
    ]
    fitting = {
        (kind, type(detail))
        for kind in InteractionKind
        for detail in details
        if check(replace(utterance(), kind=kind, detail=detail), TENANT, NOW, LIMITS) is None
    }

    assert fitting == {
        (InteractionKind.STAGE_CHANGE, StageChange),
        (InteractionKind.FIELD_CHANGE, FieldChange),
        (InteractionKind.CONSENT, ConsentChange),
        (InteractionKind.RECALL, Recall),
        (InteractionKind.DELETE, Recall),
        (InteractionKind.MERGE, Merge),
        (InteractionKind.SPLIT, Split),
        (InteractionKind.CLOCK, ClockCorrection),
    }
