"""The gate: what is acknowledged is stored once, and what is refused is kept nowhere."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.model import Channel, Side
from dealgraph.stream import codec
from dealgraph.stream.consent import ConsentLedger, ConsentPolicy
from dealgraph.stream.identity import Identities
from dealgraph.stream.ingest import Gate, Outcome, Receipt, RequestReusedError
from dealgraph.stream.interaction import (
    ConsentChange,
    DeadLetter,
    Interaction,
    Person,
    Provenance,
    Purpose,
    Reason,
    Rejected,
    action_id,
)
from dealgraph.stream.log import EventLog, Topic
from dealgraph.stream.meter import SilentMeter
from tests.support.interactions import (
    HOUR,
    MONDAY,
    TENANT,
    consent,
    interactions,
    merge,
    message,
    utterance,
    voice_grants,
)
from tests.support.logs import NOON, open_gate, open_log

CANARY = "canary-7f3a91"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    opened = open_log(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def gate(log: EventLog) -> Gate:
    return open_gate(log)


def stored(log: EventLog) -> list[Interaction]:
    found = [
        codec.interaction_from_record(record.body)
        for record in log.read(Topic.INTERACTIONS, 0, 10_000)
    ]
    return [interaction for interaction in found if isinstance(interaction, Interaction)]


def letters(log: EventLog) -> list[DeadLetter]:
    return [
        codec.dead_letter_from_bytes(record.body)
        for record in log.read(Topic.DEAD_LETTERS, 0, 10_000)
    ]


def outcomes(receipts: Sequence[Receipt]) -> list[str]:
    return [receipt.reason or receipt.outcome.value for receipt in receipts]


def test_an_accepted_interaction_is_in_the_log_under_its_action_id(
    gate: Gate, log: EventLog
) -> None:
    said = message("hello")

    [receipt] = gate.publish([said])

    assert receipt == Receipt(Outcome.ACCEPTED, action_id(said.source, said.native_id))
    [record] = log.read(Topic.INTERACTIONS, 0, 9)
    assert (record.id, record.recorded_at) == (receipt.action_id, NOON)
    assert stored(log) == [replace(said, tenant=TENANT, recorded_at=NOON)]


def test_publishing_nothing_is_fine(gate: Gate) -> None:
    assert gate.publish([]) == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [(0, NOON), (NOON - HOUR, NOON - HOUR), (NOON, NOON), (NOON + 1, NOON)],
)
def test_an_honest_recorded_time_is_kept_and_one_in_the_future_is_not(
    gate: Gate, log: EventLog, said: int, kept: int
) -> None:
    gate.publish([message(recorded_at=said)])

    assert stored(log)[0].recorded_at == kept


def test_sending_again_is_a_duplicate(gate: Gate, log: EventLog) -> None:
    gate.publish([message("a"), message("b", native_id="b")])
    again = open_gate(log, now=NOON + HOUR)

    receipts = again.publish([message("a", tenant=TENANT), message("b", native_id="b")])

    assert outcomes(receipts) == ["duplicate", "duplicate"]
    assert len(stored(log)) == 2
    assert letters(log) == []


def test_the_same_record_from_a_moved_file_is_a_duplicate(gate: Gate) -> None:
    here = message(provenance=Provenance("wecom", "1", "", "here.jsonl:1"))
    there = message(provenance=Provenance("wecom", "2", "", "there.jsonl:1"))

    assert outcomes(gate.publish([here, there])) == ["accepted", "duplicate"]


def test_another_body_under_the_same_id_becomes_a_dead_letter(gate: Gate, log: EventLog) -> None:
    receipts = gate.publish([message("a"), message("b"), message("a")])

    assert outcomes(receipts) == ["accepted", "ID_REUSED", "duplicate"]
    [letter] = letters(log)
    assert (letter.source, letter.reason) == ("wecom", Reason.ID_REUSED)
    assert (letter.encoded, letter.truncated) == (True, False)
    assert codec.interaction_from_bytes(letter.payload) == message("b")


def test_a_record_that_is_rejected_again_is_one_dead_letter(gate: Gate, log: EventLog) -> None:
    raw = Rejected("wecom", "a.jsonl:3", Reason.UNREADABLE, "no JSON", b"{")
    for _ in range(2):
        open_gate(log).publish([message("a"), message("b"), message(at=5), raw])

    assert Counter(letter.reason for letter in letters(log)) == {
        Reason.ID_REUSED: 1,
        Reason.ANCIENT_TIMESTAMP: 1,
        Reason.UNREADABLE: 1,
    }


def test_a_connectors_rejection_is_kept_as_it_came(gate: Gate, log: EventLog) -> None:
    raw = Rejected("wecom", "a.jsonl:3", Reason.UNREADABLE, "no JSON", b"{")

    [receipt] = gate.publish([raw])

    assert receipt == Receipt(Outcome.REJECTED, "", "UNREADABLE", "no JSON")
    [letter] = letters(log)
    assert (letter.position, letter.payload) == ("a.jsonl:3", b"{")
    assert (letter.encoded, letter.truncated, letter.recorded_at) == (False, False, NOON)


def test_a_large_payload_is_cut_and_says_so(gate: Gate, log: EventLog) -> None:
    gate.publish([Rejected("wecom", "1", Reason.TOO_LARGE, "", b"x" * 70_000)])

    [letter] = letters(log)
    assert (len(letter.payload), letter.truncated) == (65_536, True)


def test_an_event_of_another_tenant_leaves_no_content_here(
    gate: Gate, log: EventLog, tmp_path: Path
) -> None:
    receipts = gate.publish([message(CANARY, tenant="other")])

    assert outcomes(receipts) == ["OTHER_TENANT"]
    assert letters(log)[0].truncated
    assert not _in_any_file(tmp_path, CANARY)


def test_half_a_character_is_told_and_nothing_else_is_lost(gate: Gate, log: EventLog) -> None:
    receipts = gate.publish([message("\ud800"), message("b", native_id="\ud800"), message("c")])

    assert outcomes(receipts) == ["BAD_ENCODING", "BAD_ENCODING", "accepted"]
    assert len(letters(log)) == 2


def test_consent_takes_effect_on_what_follows_in_the_same_batch(gate: Gate) -> None:
    said = [utterance(at=MONDAY + n) for n in range(3)]

    receipts = gate.publish(
        [said[0], *voice_grants(), said[1], consent(granted=False, at=MONDAY), said[2]]
    )

    assert [outcomes(receipts)[n] for n in (0, 4, 6)] == ["NO_CONSENT", "accepted", "NO_CONSENT"]


def test_consent_and_merges_are_known_after_a_restart(gate: Gate, log: EventLog) -> None:
    gate.publish(
        [
            consent(granted=False, channel=Channel.CHAT, subject="li@acme.example"),
            merge("wecom:wmLi", "li@acme.example"),
        ]
    )

    receipts = open_gate(log).publish([message(actor=Person(Side.CUSTOMER, "wmLi"))])

    assert outcomes(receipts) == ["NO_CONSENT"]


def test_a_statement_whose_id_was_used_before_has_no_effect(gate: Gate) -> None:
    gate.publish([message(native_id="1")])

    grants = [consent(source="wecom", native_id="1")]
    receipts = gate.publish([*grants, utterance(source="wecom")])

    assert outcomes(receipts) == ["ID_REUSED", "NO_CONSENT"]


def test_a_grant_whose_commit_was_undone_has_no_effect(gate: Gate, log: EventLog) -> None:
    with pytest.raises(ZeroDivisionError), log.transaction(Topic.INTERACTIONS):
        gate.publish(voice_grants())
        raise ZeroDivisionError

    assert outcomes(gate.publish([utterance()])) == ["NO_CONSENT"]
    assert log.end(Topic.REGISTRY) == 0


def test_what_is_refused_is_in_no_file(gate: Gate, log: EventLog, tmp_path: Path) -> None:
    withheld: list[Interaction | Rejected] = [
        utterance(CANARY),
        utterance(CANARY, at=NOON * 2),
        utterance(CANARY, at=1),
        utterance(CANARY, duration_ms=-1),
        utterance(CANARY + "\ud800"),
        utterance(actor=Person(Side.CUSTOMER, "1", CANARY)),
        Rejected("webvtt", "1", Reason.UNREADABLE, "", CANARY.encode(), channel=Channel.VOICE),
        Rejected("webvtt", "2", Reason.NO_CONSENT, CANARY, CANARY.encode()),
        Rejected("", "3", Reason.UNREADABLE, "", CANARY.encode(), encoded=True),
    ]

    receipts = gate.publish(withheld)

    assert {receipt.outcome for receipt in receipts} == {Outcome.REJECTED}
    assert all(letter.truncated for letter in letters(log))
    assert not _in_any_file(tmp_path, CANARY)


def test_what_is_covered_may_become_a_dead_letter_with_its_words(gate: Gate, log: EventLog) -> None:
    gate.publish([*voice_grants(), utterance(CANARY, duration_ms=-1)])

    [letter] = letters(log)
    assert CANARY.encode() in letter.payload


_EVENTS = st.lists(
    st.one_of(
        st.builds(
            consent,
            granted=st.booleans(),
            at=st.integers(MONDAY, MONDAY + 3),
            subject=st.sampled_from(["rep-1", "li@acme.example"]),
            channel=st.sampled_from([Channel.VOICE, Channel.CHAT]),
        ),
        st.builds(
            utterance,
            text=st.integers(0, 10**6).map(lambda n: f"{CANARY}/{n}/"),
            at=st.integers(MONDAY - 1, MONDAY + 4),
            channel=st.sampled_from([Channel.VOICE, Channel.CHAT]),
            rep=st.sampled_from(["", "rep-1"]),
            native_id=st.uuids().map(str),
        ),
        st.just(Rejected("wecom", "1", Reason.UNREADABLE, "", b"{")),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_EVENTS, max_size=3))
def test_nothing_is_stored_that_is_not_covered_as_far_as_known_at_that_moment(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Interaction | Rejected]]
) -> None:
    directory = tmp_path_factory.mktemp("gate")
    log = open_log(directory)
    ledger = ConsentLedger(ConsentPolicy(), Identities())
    refused: list[str] = []
    for batch in batches:
        receipts = open_gate(log).publish(batch)
        for item, receipt in zip(batch, receipts, strict=True):
            if isinstance(item, Rejected):
                continue
            if isinstance(item.detail, ConsentChange):
                ledger.record(item.detail, item.occurred_at, item.source)
            elif ledger.refusal(item, Purpose.CAPTURE) is None:
                assert receipt.outcome is Outcome.ACCEPTED
            else:
                assert receipt.reason == Reason.NO_CONSENT
                refused.append(item.text)
    accepted = {interaction.text for interaction in stored(log)}
    log.close()

    assert not any(_in_any_file(directory, text) for text in set(refused) - accepted)


@settings(max_examples=30, deadline=None)
@given(st.lists(interactions(), max_size=6))
def test_publishing_twice_is_publishing_once(
    tmp_path_factory: pytest.TempPathFactory, items: list[Interaction]
) -> None:
    log = open_log(tmp_path_factory.mktemp("gate"))
    policy = ConsentPolicy(reps=dict.fromkeys(Channel, frozenset(Purpose)))
    gate = open_gate(log, policy=policy)
    first = gate.publish(items)
    before = stored(log), letters(log), log.end(Topic.REGISTRY)

    second = gate.publish(items)

    assert (stored(log), letters(log), log.end(Topic.REGISTRY)) == before
    for one, other in zip(first, second, strict=True):
        if one.outcome is Outcome.ACCEPTED:
            # Consent that came after it in the batch may speak against it the second time.
            assert other.outcome is Outcome.DUPLICATE or other.reason == Reason.NO_CONSENT
    log.close()


class _CountingMeter(SilentMeter):
    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()

    def ingested(self, source: str, outcome: str, count: int) -> None:
        self.counts[source, outcome] += count

    def dead_letters(self, source: str, reason: str, count: int) -> None:
        self.counts["letter", source, reason] += count

    def consent_drops(self, reason: str, count: int) -> None:
        self.counts["drop", reason] += count


def test_everything_is_counted(log: EventLog) -> None:
    meter = _CountingMeter()
    gate = open_gate(log, meter=meter)

    gate.publish(
        [message(), message(), message("b"), utterance(), utterance(rep=""), message(at=1)]
    )

    assert meter.counts == {
        ("wecom", "accepted"): 1,
        ("wecom", "duplicate"): 1,
        ("wecom", "rejected"): 2,
        ("webvtt", "rejected"): 2,
        ("letter", "wecom", "ID_REUSED"): 1,
        ("letter", "wecom", "ANCIENT_TIMESTAMP"): 1,
        ("drop", "NO_GRANT"): 1,
        ("drop", "NO_REP"): 1,
    }


def test_a_request_that_comes_again_gets_the_same_receipts(gate: Gate, log: EventLog) -> None:
    cut = Rejected("x", "", Reason.TRUNCATED, "cut")
    items: list[Interaction | Rejected] = [message(), message("b"), utterance(), cut]

    first = gate.publish_once("r-1", b"digest", items)
    second = open_gate(log, now=NOON + HOUR).publish_once("r-1", b"digest", items)

    assert first == second
    assert outcomes(first) == ["accepted", "ID_REUSED", "NO_CONSENT", "TRUNCATED"]
    assert len(stored(log)) == 1


def test_a_request_id_with_another_body_does_nothing(gate: Gate, log: EventLog) -> None:
    gate.publish_once("r-1", b"one", [message()])

    with pytest.raises(RequestReusedError, match="another body"):
        gate.publish_once("r-1", b"other", [message("b", native_id="b")])

    assert len(stored(log)) == 1


def test_a_request_whose_commit_was_undone_may_come_again(gate: Gate, log: EventLog) -> None:
    with pytest.raises(ZeroDivisionError), log.transaction(Topic.INTERACTIONS):
        gate.publish_once("r-1", b"one", [message()])
        raise ZeroDivisionError

    assert outcomes(gate.publish_once("r-1", b"one", [message()])) == ["accepted"]


def test_many_threads_may_publish_at_once(gate: Gate, log: EventLog) -> None:
    def publish(thread: int) -> None:
        for number in range(20):
            gate.publish([message(native_id=f"{number}"), message(native_id=f"{thread}/{number}")])

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = [interaction.native_id for interaction in stored(log)]
    assert len(ids) == len(set(ids)) == 20 + 4 * 20


def _in_any_file(directory: Path, text: str) -> bool:
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    return any(text.encode() in path.read_bytes() for path in files)
