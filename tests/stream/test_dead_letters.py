"""Dead letters: read in pages, tried again, never doubled."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dealgraph.graph.model import Channel
from dealgraph.stream import codec
from dealgraph.stream.consent import ConsentPolicy
from dealgraph.stream.dead_letters import DeadLetters, dead_letter_record
from dealgraph.stream.ingest import Gate, Outcome
from dealgraph.stream.interaction import DeadLetter, Interaction, Purpose, Reason, Rejected
from dealgraph.stream.log import EventLog, NewRecord, Topic
from tests.support.interactions import MONDAY, TENANT, consent, message
from tests.support.logs import NOON, open_gate, open_log


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    opened = open_log(tmp_path)
    yield opened
    opened.close()


def fixed_parser(
    letter: DeadLetter, known: bytes, corrected: bytes
) -> Sequence[Interaction | Rejected]:
    """A connector after a fix: every line is a message, an empty one is nothing."""
    lines = letter.payload.decode().splitlines()
    return [
        Rejected(letter.source, letter.position, Reason.UNREADABLE, "still broken", letter.payload)
        if line == "broken"
        else message(line, native_id=line, source=letter.source)
        for line in lines
    ]


def letters_of(
    log: EventLog,
    gate: Gate | None = None,
    parse: Callable[[DeadLetter, bytes, bytes], Sequence[Interaction | Rejected]] = fixed_parser,
) -> DeadLetters:
    chosen = gate or open_gate(log)
    return DeadLetters(log, lambda items: chosen.publish(items, keep_rejected=False), parse)


def reject(log: EventLog, *raw: str, source: str = "wecom") -> list[str]:
    """Put raw records into the dead letters; return their ids."""
    rejected = [
        Rejected(source, str(number), Reason.UNREADABLE, "broken", record.encode())
        for number, record in enumerate(raw)
    ]
    open_gate(log).publish(rejected)
    return [dead_letter_record(item, 0).id for item in rejected]


def test_letters_come_in_pages_oldest_first(log: EventLog) -> None:
    ids = reject(log, "a", "b", "c")
    letters = letters_of(log)

    first = letters.page(limit=2)
    rest = letters.page(limit=2, after=first[-1].offset)

    assert [kept.letter.id for kept in first + rest] == ids
    assert letters.page(after=rest[-1].offset) == []


def test_letters_can_be_chosen_by_source_and_reason(log: EventLog) -> None:
    reject(log, "a", source="mail")
    reject(log, "b", source="wecom")
    open_gate(log).publish([message(at=1)])
    letters = letters_of(log)

    def sources(**chosen: str) -> list[str]:
        return [kept.letter.source for kept in letters.page(**chosen)]  # type: ignore[arg-type]

    assert sources() == ["mail", "wecom", "wecom"]
    assert sources(source="wecom") == ["wecom", "wecom"]
    assert sources(source="wecom", reason="UNREADABLE") == ["wecom"]
    assert sources(reason="ID_REUSED") == []


def test_letters_are_found_beyond_many_others(log: EventLog) -> None:
    reject(log, *(str(number) for number in range(1200)))
    reject(log, "last", source="mail")

    [kept] = letters_of(log).page(source="mail", limit=1)

    assert kept.letter.payload == b"last"


def test_a_letter_that_is_taken_in_is_marked(log: EventLog) -> None:
    [id_] = reject(log, "hello")
    letters = letters_of(log)

    [replayed] = letters.replay([id_])

    assert (replayed.id, replayed.receipt.outcome) == (id_, Outcome.ACCEPTED)
    [kept] = letters.page()
    assert (kept.letter.id, kept.replayed) == (id_, True)
    assert log.end(Topic.INTERACTIONS) == 1


def test_a_letter_that_fails_again_stays_and_makes_no_other(log: EventLog) -> None:
    ids = reject(log, "broken", "ok\nbroken")
    letters = letters_of(log)

    results = letters.replay(ids)

    assert [result.receipt.detail for result in results] == ["still broken"] * 2
    assert [(kept.letter.id, kept.replayed) for kept in letters.page()] == [
        (ids[0], False),
        (ids[1], False),
    ]


def test_replaying_again_changes_nothing(log: EventLog) -> None:
    [id_] = reject(log, "hello")
    letters = letters_of(log)
    letters.replay([id_])

    [again] = letters.replay([id_, id_])

    assert again.receipt.outcome is Outcome.DUPLICATE
    assert log.end(Topic.INTERACTIONS) == 1
    assert len(letters.page()) == 1


def test_an_encoded_letter_is_decoded_again(log: EventLog) -> None:
    ahead = message(at=NOON + 10**9)
    open_gate(log).publish([ahead])
    [kept] = letters_of(log).page()
    later = open_gate(log, now=ahead.occurred_at)

    [replayed] = letters_of(log, later).replay([kept.letter.id])

    assert (kept.letter.reason, kept.letter.encoded) == (Reason.FUTURE_TIMESTAMP, True)
    assert replayed.receipt.outcome is Outcome.ACCEPTED


def test_a_value_of_a_later_contract_can_be_tried_again(log: EventLog) -> None:
    unknown = codec.interaction_to_message(message())
    unknown.kind = 99  # type: ignore[assignment]
    open_gate(log).publish([codec.interaction_from_message(unknown)])
    letters = letters_of(log)
    [kept] = letters.page()

    [replayed] = letters.replay([kept.letter.id])

    assert replayed.receipt.reason == Reason.UNKNOWN_VALUE
    assert not letters.page()[0].replayed


def test_a_replay_asks_for_consent_again(log: EventLog) -> None:
    [id_] = reject(log, "hello")
    gate = open_gate(log)
    gate.publish([consent(granted=False, at=MONDAY, channel=Channel.CHAT, source="wecom")])

    [replayed] = letters_of(log, gate).replay([id_])

    assert replayed.receipt.reason == Reason.NO_CONSENT
    assert [found.id for found in log.read(Topic.INTERACTIONS, 1, 9)] == []


def test_a_cut_record_cannot_be_tried_again(log: EventLog) -> None:
    [id_] = reject(log, "x" * 70_000)

    [replayed] = letters_of(log).replay([id_])

    assert replayed.receipt.reason == Reason.TRUNCATED
    assert "from its source" in replayed.receipt.detail


def test_a_record_in_which_nothing_is_found_stays(log: EventLog) -> None:
    [id_] = reject(log, "\n")
    letters = letters_of(log, parse=lambda *_: [])

    [replayed] = letters.replay([id_])

    assert replayed.receipt.outcome is Outcome.REJECTED


def test_an_id_that_nobody_knows_is_told(log: EventLog) -> None:
    [replayed] = letters_of(log).replay(["nowhere"])

    assert (replayed.id, replayed.receipt.reason) == ("nowhere", "NOT_FOUND")


def test_find_leaves_out_what_does_not_exist(log: EventLog) -> None:
    ids = reject(log, "a", "b")

    found = letters_of(log).find([*ids, "nowhere"])

    assert {id_: kept.letter.payload for id_, kept in found.items()} == {
        ids[0]: b"a",
        ids[1]: b"b",
    }


def test_a_letter_of_the_dataflow_is_a_letter_like_others(log: EventLog) -> None:
    failed = Rejected("wecom", "7", Reason.FAILED, "the tagger failed \ud800", b"raw")
    made: NewRecord = dead_letter_record(failed, NOON)
    log.append(Topic.DEAD_LETTERS, [made, made])

    [kept] = letters_of(log).page()

    assert (kept.letter.id, kept.letter.detail) == (made.id, "the tagger failed ?")


def test_a_replay_that_cannot_be_stored_changes_nothing(log: EventLog) -> None:
    [id_] = reject(log, "hello")
    gate = open_gate(log, policy=ConsentPolicy(reps={Channel.CHAT: frozenset(Purpose)}))
    letters = letters_of(log, gate)

    with pytest.raises(ZeroDivisionError), log.transaction(Topic.DEAD_LETTERS):
        letters.replay([id_])
        raise ZeroDivisionError

    assert not letters.page()[0].replayed
    assert log.end(Topic.INTERACTIONS) == 0
    assert letters.replay([id_])[0].receipt.outcome is Outcome.ACCEPTED
    assert TENANT.encode() in log.read(Topic.INTERACTIONS, 0, 1)[0].body
