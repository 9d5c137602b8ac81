"""Channels: what counts, what is held, what is refused, and when."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from dealgraph.graph.model import Side
from dealgraph.stream.channel_quality import ChannelQuality, GoldenRecord, is_readable
from dealgraph.stream.channels import (
    Check,
    RegisteredChannel,
    State,
    Verdict,
    expires_soon,
    in_canary,
    load_rules,
    promoted,
    spoiled,
    state_at,
    verdict,
)
from dealgraph.stream.ingest import Gate, Outcome
from dealgraph.stream.interaction import Interaction, Person
from dealgraph.stream.log import Topic
from tests.support.interactions import DAY, MINUTE, MONDAY, consent, message, recall
from tests.support.logs import NOON, open_gate, open_log

RULES = load_rules()
CHANNEL = RegisteredChannel("wecom", "Wang", "1", MONDAY + 30 * DAY, State.ACTIVE, "", MONDAY)
GOOD = [Check(name, 100, 100, bar) for name, bar in RULES.bars.items()]


def test_an_expired_channel_is_warned_of_then_stopped() -> None:
    at = CHANNEL.expires_at
    steps = [at - 15 * DAY, at - 14 * DAY, at, at + 7 * DAY - 1, at + 7 * DAY]

    assert [expires_soon(CHANNEL, now, RULES) for now in steps] == [False, True, True, True, True]
    assert [state_at(CHANNEL, now) for now in steps] == [State.ACTIVE] * 2 + [State.EXPIRED] * 3
    verdicts = [verdict(CHANNEL, "s", now, RULES) for now in steps]
    assert verdicts == [Verdict.COUNT] * 4 + [Verdict.REFUSE]


def test_what_counts_depends_on_the_state() -> None:
    now = MONDAY
    counted = {
        state: sum(
            verdict(replace(CHANNEL, state=state), f"s{n}", now, RULES) is Verdict.COUNT
            for n in range(1000)
        )
        for state in (State.CANDIDATE, State.CANARY, State.ACTIVE, State.QUARANTINED)
    }

    assert counted[State.CANDIDATE] == counted[State.QUARANTINED] == 0
    assert counted[State.ACTIVE] == 1000
    assert 60 < counted[State.CANARY] < 140
    assert in_canary("wecom", "s1", RULES) == in_canary("wecom", "s1", RULES)


def test_a_channel_goes_one_step_at_a_time_and_only_when_all_checks_are_passed() -> None:
    candidate = replace(CHANNEL, state=State.CANDIDATE)
    canary = promoted(candidate, GOOD, MONDAY, RULES)
    assert isinstance(canary, RegisteredChannel)
    assert canary.state is State.CANARY
    active = promoted(canary, GOOD, MONDAY, RULES)
    assert isinstance(active, RegisteredChannel)
    assert active.state is State.ACTIVE

    assert promoted(active, GOOD, MONDAY, RULES) == "it is active already"
    few = [Check("mapping", 10, 10, 0.9)]
    assert promoted(candidate, few, MONDAY, RULES) == "not passed: mapping has 10 of 50 records"
    bad = [Check("mapping", 50, 100, 0.9)]
    assert promoted(candidate, bad, MONDAY, RULES) == (
        "not passed: mapping 50.0% of 100, asked for 90%"
    )
    assert "time is over" in str(promoted(candidate, GOOD, CHANNEL.expires_at, RULES))


@pytest.mark.parametrize(
    ("good", "records", "stopped"), [(50, 100, True), (88, 100, False), (30, 40, False)]
)
def test_a_channel_is_stopped_once_it_is_sure_that_a_bar_is_missed(
    good: int, records: int, stopped: bool
) -> None:
    assert bool(spoiled([Check("mapping", good, records, 0.9)], RULES)) is stopped


def test_wilsons_interval_holds_known_values() -> None:
    low, high = Check("x", 8, 10, 0.5).bounds

    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)  # Wilson 1927, with z = 1.96


def registered(gate: Gate, **changes: object) -> None:
    with gate.changing_channels() as book:
        book.put(replace(CHANNEL, **changes))


def test_a_candidate_is_held_and_released_when_it_is_active(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    gate = open_gate(log, now=MONDAY + DAY)
    registered(gate, state=State.CANDIDATE)
    told = [message(at=MONDAY + n * MINUTE) for n in range(3)]

    receipts = gate.publish([*told, *told[:1], replace(told[0], source="other")])
    outcomes = [receipt.outcome for receipt in receipts]
    assert outcomes == [Outcome.ACCEPTED] * 3 + [Outcome.DUPLICATE, Outcome.ACCEPTED]
    assert len(log.read(Topic.INTERACTIONS, 0, 10)) == 1

    registered(gate, state=State.ACTIVE)
    with gate.changing_channels() as book:
        channel = book.find("wecom")
        assert channel is not None
        channel = book.release(channel, gate.publish)
        assert channel is not None
        assert book.release(channel, gate.publish) is None
    assert len(log.read(Topic.INTERACTIONS, 0, 10)) == 4


def test_consent_and_recalls_count_whatever_the_channel(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    gate = open_gate(log, now=MONDAY + DAY)
    registered(gate, state=State.QUARANTINED)

    gate.publish([consent(source="wecom"), recall(message()), message()])

    assert len(log.read(Topic.INTERACTIONS, 0, 10)) == 2


def test_what_comes_too_late_is_a_dead_letter_and_can_be_replayed(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    gate = open_gate(log, now=NOON)
    registered(gate)

    (receipt,) = gate.publish([message()])
    assert (receipt.outcome, receipt.reason) == (Outcome.REJECTED, "CHANNEL_EXPIRED")
    assert len(log.read(Topic.DEAD_LETTERS, 0, 10)) == 1

    registered(gate, expires_at=NOON + DAY)
    (receipt,) = gate.publish([message()])
    assert receipt.outcome is Outcome.ACCEPTED


def test_channels_outlive_a_restart_and_an_undone_commit(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    gate = open_gate(log)
    registered(gate, state=State.CANARY)
    with pytest.raises(RuntimeError), log.transaction(Topic.CHANNELS):
        registered(gate, state=State.QUARANTINED)
        raise RuntimeError

    with gate.changing_channels() as book:
        assert [one.state for one in book.channels()] == [State.CANARY]
    assert [one.state for one in open_gate(log).channels.channels()] == [State.CANARY]


def judged(*told: Interaction) -> dict[str, float]:
    """Return the ratio of each check of records of "new", beside what "crm" knows."""
    golden = GoldenRecord(lambda ref: [ref])
    golden.add(
        message(source="crm", actor=Person(Side.CUSTOMER, "li@acme.example"), rep="r@s.example")
    )
    quality = ChannelQuality(golden, RULES)
    for one in told:
        quality.look(one, MONDAY + DAY, counts=True)
        golden.add(one)
    return {check.name: check.ratio for check in quality.checks("new")}


def new(**changes: object) -> Interaction:
    own = {"source": "new", "rep": "r@s.example", "text": "We have a question on the offer."}
    return message(**(own | changes))  # type: ignore[arg-type]


def test_a_record_that_others_confirm_passes_all_checks() -> None:
    assert set(judged(new()).values()) == {1.0}


@pytest.mark.parametrize(
    ("record", "failed"),
    [
        (new(opportunity="deal-9"), {"mapping"}),
        (new(customer="other"), {"agreement"}),
        (new(actor=Person(Side.CUSTOMER, "u1")), {"identity"}),
        (new(actor=Person(Side.UNKNOWN)), {"identity"}),
        (new(actor=Person(Side.CUSTOMER, "r@s.example")), {"identity", "agreement"}),
        (new(at=MONDAY - 400 * DAY), {"timing"}),
        (new(text="�� �� �� ��"), {"content"}),
    ],
)
def test_each_fault_fails_its_check(record: Interaction, failed: set[str]) -> None:
    assert {name for name, ratio in judged(record).items() if ratio < 1} == failed


def test_a_channel_cannot_vouch_for_itself() -> None:
    strange = [
        new(opportunity="deal-9", native_id=f"n{n}", text=f"long words {n}") for n in range(9)
    ]

    assert judged(*strange)["mapping"] == 0


def test_what_is_said_again_in_the_same_way_is_noticed() -> None:
    assert judged(new(), new(native_id="again"))["content"] == 0.5


@pytest.mark.parametrize(
    ("text", "readable"), [("", True), ("报价太高了", True), ("Ã¤Ã¶Ã¼ ok", False)]
)
def test_mojibake_is_not_readable(text: str, readable: bool) -> None:
    assert is_readable(text) is readable
