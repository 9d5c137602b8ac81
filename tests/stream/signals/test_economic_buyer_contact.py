"""NO_POWER: the monitor of precedence(contact with a buyer, PROPOSAL)."""

import random
from math import ceil, log

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, Channel, Level, Role, Severity, Stage
from dealgraph.stream.signals.detector import Episode, Observed
from dealgraph.stream.signals.economic_buyer_contact import detectors
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.thresholds import load_thresholds
from dealgraph.stream.stages import CLOSED
from tests.support.observed import DAY, HOUR, MINUTE, START, observed

(DETECTOR,) = detectors(load_thresholds())
LATER = START + 400 * DAY
LEAST = ceil(log(0.1) / log(1 - 0.39))
LEAST_PUSHED = ceil(log(0.01) / log(1 - 0.39))


def talk(number: int, at: int, role: Role = Role.CHAMPION) -> Observed:
    """A conversation of one action."""
    return observed(number, at, session=f"s{number}", role=role, talk_ms=2 * MINUTE)


def talks(count: int) -> list[Observed]:
    return [talk(n, START + n * DAY) for n in range(count)]


def move(number: int, at: int, stage: Stage) -> Observed:
    return observed(number, at, kind=ActionKind.STAGE_CHANGE, stage=stage)


def found(stream: list[Observed], until: int = LATER) -> list[Episode]:
    return list(replay(DETECTOR, sorted(stream, key=lambda a: (a.at, a.id)), until))


def states(stream: list[Observed], at: int) -> tuple[bool, Level]:
    """Whether the monitor is violated at a moment and how, from all that was before it."""
    past = [a for a in stream if a.at < at]
    stages = [a for a in past if a.kind is ActionKind.STAGE_CHANGE]
    offers = [a for a in stages if Stage.PROPOSAL <= a.stage <= Stage.LEGAL]
    contacts = [a for a in past if a.role is Role.ECONOMIC_BUYER]
    said = [a for a in past if a.role is Role.CHAMPION and a.at + HOUR <= at]
    if not offers or contacts or len(said) < LEAST or (stages and stages[-1].stage in CLOSED):
        return False, Level.RECORDED
    final = at >= offers[0].at + 5 * DAY and len(said) >= LEAST_PUSHED
    return True, Level.PUSHED if final else Level.RECORDED


def random_deal(seed: int) -> list[Observed]:
    chance, at, stream = random.Random(seed), START, list[Observed]()
    for number in range(chance.randrange(25)):
        at += chance.choice([3 * HOUR, DAY, 3 * DAY])
        draw = chance.random()
        if draw < 0.12:
            stage = chance.choice([Stage.DEMO, Stage.PROPOSAL, Stage.NEGOTIATION])
            stream.append(move(number, at, stage))
        else:
            stream.append(talk(number, at, Role.ECONOMIC_BUYER if draw > 0.97 else Role.CHAMPION))
    return stream


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_it_is_violated_exactly_when_the_monitor_says(seed: int) -> None:
    stream = random_deal(seed)
    for end in range(START, START + 40 * DAY, 31 * HOUR):
        past = [a for a in stream if a.at < end]
        episodes = found(past, end)
        is_open = bool(episodes) and episodes[-1].cleared_at is None
        expected, level = states(stream, end)
        assert is_open == expected
        assert not is_open or episodes[-1].level == level


def test_a_proposal_without_a_buyer_is_recorded_and_pushed_when_it_stays_so() -> None:
    offer = move(90, START + 12 * DAY, Stage.PROPOSAL)
    first, second = found([*talks(12), offer])
    assert (first.at, first.level, first.severity) == (offer.at, Level.RECORDED, Severity.INFO)
    assert (second.at, second.level) == (offer.at + 5 * DAY, Level.PUSHED)
    assert second.severity is Severity.WARNING
    assert first.evidence[-1] == "000090"
    assert first.explanation == (
        "The deal stands at a proposal since 15 March 2026, and no economic buyer or executive "
        "took part in any of 12 conversations."
    )


def test_it_is_critical_in_the_negotiation() -> None:
    offer = move(90, START + 12 * DAY, Stage.PROPOSAL)
    later = move(91, START + 20 * DAY, Stage.NEGOTIATION)
    assert found([*talks(12), offer, later])[-1].severity is Severity.CRITICAL


def test_a_message_of_the_buyer_satisfies_it() -> None:
    hello = replace(talk(50, START + HOUR, Role.ECONOMIC_BUYER), channel=Channel.CHAT)
    assert found([*talks(12), hello, move(90, START + 12 * DAY, Stage.PROPOSAL)]) == []


def test_a_buyer_who_comes_after_the_proposal_ends_it() -> None:
    offer = move(90, START + 12 * DAY, Stage.PROPOSAL)
    last = found([*talks(12), offer, talk(91, START + 14 * DAY, Role.EXECUTIVE)])[-1]
    assert last.cleared_at == START + 14 * DAY
    assert last.evidence[-1] == "000091"
    assert last.explanation == (
        "The economic buyer or executive was heard for the first time on 17 March 2026."
    )


def test_too_little_that_was_recorded_says_nothing_until_there_is_more() -> None:
    offer = move(90, START + HOUR, Stage.PROPOSAL)
    assert found([*talks(LEAST - 1), offer]) == []
    (first, *_) = found([*talks(LEAST), offer])
    assert first.at == START + (LEAST - 1) * DAY + HOUR


def test_a_deal_that_is_closed_ends_it() -> None:
    offer, lost = move(90, START + 12 * DAY, Stage.PROPOSAL), move(91, START + 13 * DAY, Stage.LOST)
    assert found([*talks(12), offer, lost])[-1].cleared_at == lost.at
