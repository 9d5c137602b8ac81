"""Interactions, alerts and dead letters survive the way to bytes and back."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.api.v1 import interaction_pb2 as pb
from dealgraph.graph.model import Channel, DecisionSignal, Severity, SignalKind, SignalState
from dealgraph.stream import codec
from dealgraph.stream.alerts import Alert
from dealgraph.stream.interaction import (
    DeadLetter,
    Interaction,
    InteractionKind,
    Provenance,
    Reason,
    Rejected,
)
from tests.support.interactions import MONDAY, consent, interactions, merge, utterance


@settings(max_examples=150, deadline=None)
@given(interactions())
def test_an_interaction_survives(interaction: Interaction) -> None:
    assert codec.interaction_from_bytes(codec.interaction_to_bytes(interaction)) == interaction


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_an_interaction_or_a_reason(body: bytes) -> None:
    read = codec.interaction_from_bytes(body)

    assert isinstance(read, Interaction) or read.reason in Reason


@given(interactions())
def test_a_record_of_the_log_holds_the_whole_interaction(interaction: Interaction) -> None:
    assert codec.interaction_from_record(codec.interaction_to_record(interaction)[1]) == interaction


@given(st.binary())
def test_any_record_is_read_or_rejected(body: bytes) -> None:
    read = codec.interaction_from_record(body)

    assert isinstance(read, Interaction) or read.reason is Reason.UNREADABLE


def test_a_record_of_an_older_version_lacks_the_newest_fields() -> None:
    body = msgspec.msgpack.encode(["wecom", "1", 2, 2, 5])

    assert codec.interaction_from_record(body) == Interaction(
        "wecom", "1", InteractionKind.MESSAGE, Channel.CHAT, 5
    )


def test_bytes_that_are_no_message_are_unreadable() -> None:
    assert codec.interaction_from_bytes(b"\xff\xff") == Rejected(
        "", "", Reason.UNREADABLE, "not an interaction of the contract", b"\xff\xff", True
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kind": 99}, "kind is 99"),
        ({"channel": 99}, "channel is 99"),
        ({"channel": -1}, "channel is -1"),
        ({"action_kind": 99}, "action_kind is 99"),
        ({"actor": pb.Actor(side=99)}, "side or role of a person is 99"),  # type: ignore[arg-type]
        ({"recipients": [pb.Actor(role=99)]}, "side or role of a person is 99"),  # type: ignore[arg-type]
        ({"merge": pb.Merge(side=99)}, "merge.side is 99"),  # type: ignore[arg-type]
        ({"consent": pb.ConsentChange(channel=1, purpose=99)}, "consent.purpose is 99"),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_nobody_knows_is_named(change: dict[str, object], named: str) -> None:
    message = codec.interaction_to_message(utterance())
    message.MergeFrom(pb.Interaction(**change))  # type: ignore[arg-type]

    rejected = codec.interaction_from_message(message)

    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.source) == (Reason.UNKNOWN_VALUE, "webvtt")
    assert named in rejected.detail
    assert pb.Interaction.FromString(rejected.payload) == message


@pytest.mark.parametrize("name", ["kind", "channel"])
def test_a_value_that_is_not_stated_is_missing(name: str) -> None:
    message = codec.interaction_to_message(utterance())
    setattr(message, name, 0)

    rejected = codec.interaction_from_message(message)

    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.detail) == (Reason.MISSING_FIELD, f"{name} is not stated")


def test_a_field_of_a_later_contract_is_passed_over() -> None:
    body = codec.interaction_to_bytes(utterance()) + b"\xfa\x3f\x03new"

    assert codec.interaction_from_bytes(body) == utterance()


@pytest.mark.parametrize(
    "interaction",
    [utterance("\ud800"), utterance(part=2**32), utterance(part=-1), utterance(duration_ms=2**63)],
)
def test_what_the_contract_cannot_hold_is_a_value_error(interaction: Interaction) -> None:
    with pytest.raises(ValueError, match=r"surrogates|range"):
        codec.interaction_to_bytes(interaction)


def test_the_digest_leaves_out_when_and_from_where_an_interaction_came() -> None:
    first = utterance(recorded_at=1, provenance=Provenance("webvtt", "1", "", "a.vtt:1"))
    second = utterance(recorded_at=2, provenance=Provenance("webvtt", "2", "", "b.vtt:1"))

    assert codec.interaction_to_record(first)[0] == codec.interaction_to_record(second)[0]
    assert codec.interaction_from_record(codec.interaction_to_record(second)[1]) == second


@pytest.mark.parametrize(
    "other",
    [
        utterance("bye"),
        utterance(at=MONDAY + 1, native_id="call-1/1"),
        utterance(channel=Channel.CHAT),
        utterance(attributes={"tone": "warm"}),
        utterance(rep="rep-2"),
    ],
)
def test_the_digest_tells_bodies_apart(other: Interaction) -> None:
    assert codec.interaction_to_record(utterance())[0] != codec.interaction_to_record(other)[0]


def test_the_digest_does_not_depend_on_the_order_of_attributes() -> None:
    one = utterance(attributes={"a": "1", "b": "2"})
    other = utterance(attributes={"b": "2", "a": "1"})

    assert codec.interaction_to_record(one)[0] == codec.interaction_to_record(other)[0]


@pytest.mark.parametrize("event", [consent(), consent(granted=False), merge("a", "b")])
def test_events_about_people_survive(event: Interaction) -> None:
    assert codec.interaction_from_bytes(codec.interaction_to_bytes(event)) == event


_TEXTS = st.text("a界😀\x00 ", max_size=6)
_NUMBERS = st.integers(-(2**63), 2**63 - 1)
_FLOATS = st.floats(allow_nan=False)
_SIGNALS = st.builds(
    DecisionSignal,
    id=_TEXTS,
    kind=st.sampled_from(SignalKind),
    state=st.sampled_from(SignalState),
    severity=st.sampled_from(Severity),
    evidence=st.lists(_TEXTS, max_size=3).map(tuple),
    explanation=_TEXTS,
    episode=_NUMBERS,
    at=_NUMBERS,
    recorded_at=_NUMBERS,
    window_ms=_NUMBERS,
    statistic=_FLOATS,
    threshold=_FLOATS,
    baseline=_FLOATS,
    exposure_minutes=_FLOATS,
)


@settings(max_examples=50, deadline=None)
@given(_TEXTS, _SIGNALS)
def test_an_alert_survives(id_: str, signal: DecisionSignal) -> None:
    alert = Alert(id_, signal)

    assert codec.alert_from_bytes(codec.alert_to_bytes(alert)) == alert


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(Reason), _TEXTS, st.binary(max_size=99), st.booleans())
def test_a_dead_letter_survives(reason: Reason, text: str, payload: bytes, flag: bool) -> None:
    letter = DeadLetter("1", text, text, reason, text, MONDAY, payload, flag, not flag)

    assert codec.dead_letter_from_bytes(codec.dead_letter_to_bytes(letter)) == letter


def test_damaged_bytes_are_no_alert_and_no_dead_letter() -> None:
    with pytest.raises(ValueError, match="truncated"):
        codec.alert_from_bytes(b"\x82\xa2id")
    with pytest.raises(ValueError, match="Expected"):
        codec.dead_letter_from_bytes(b"\xa1a")
