"""DELIVERY_COMMITMENT against its formula, and as people would meet it."""

from hypothesis import given, settings

from dealgraph.graph.model import ActionKind, Level, Severity, Side, Stage, Topic
from dealgraph.stream.signals.delivery_commitment import (
    DeliveryCommitment,
    DeliveryCommitmentThresholds,
)
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.conformance import run
from tests.support.observed import DAY, HOUR, START, observed, streams

DETECTOR = DeliveryCommitment(
    load_thresholds().section("delivery_commitment", DeliveryCommitmentThresholds)
)

LATER = START + 10_000 * DAY


def owns(number: int, at: int, person: str) -> Observed:
    return observed(number, at, Topic.OWNERSHIP, person=person)


def moments(stream: list[Observed]) -> list[tuple[int, bool]]:
    """(at, open) of each change of state, from the formula alone."""
    talk = [
        action
        for action in stream
        if action.topics >> Topic.OWNERSHIP & 1 and action.side is Side.CUSTOMER and action.person
    ]
    changes = []
    is_open, ended = False, None

    def newest_of_each(past: list[Observed]) -> list[int]:
        """When each person said it last."""
        return sorted({a.person: a.at for a in past}.values())

    for place, action in enumerate(talk):
        before = newest_of_each(talk[:place])
        # Of all that spoke within the window, the second last leaves at:
        if is_open and before[-2] + 14 * DAY <= action.at:
            is_open, ended = False, before[-2] + 14 * DAY
            changes.append((ended, False))
        now = [at for at in newest_of_each(talk[: place + 1]) if at > action.at - 14 * DAY]
        if not is_open and len(now) >= 2 and (ended is None or action.at - ended >= DAY):
            is_open = True
            changes.append((action.at, True))
    if is_open:
        changes.append((newest_of_each(talk)[-2] + 14 * DAY, False))
    return changes


@settings(max_examples=200, deadline=None)
@given(streams([0, HOUR, DAY, 5 * DAY, 15 * DAY]))
def test_raises_and_clears_exactly_when_the_formula_says(stream: list[Observed]) -> None:
    changes = []
    is_open = False
    for episode in replay(DETECTOR, stream, LATER):
        if (episode.cleared_at is None) != is_open:
            is_open = episode.cleared_at is None
            changes.append((episode.at, is_open))
    assert changes == moments(stream)


def test_two_people_raise_good_news() -> None:
    ((_, episode),) = run(DETECTOR, [owns(0, START, "a"), owns(1, START + DAY, "b")])
    assert episode.severity is Severity.INFO
    assert episode.evidence == ("000000", "000001")
    assert episode.explanation == (
        "2 people at the customer spoke of the delivery as their own since 3 March 2026."
    )


def test_one_person_does_not_raise_however_often_they_say_it() -> None:
    assert run(DETECTOR, [owns(n, START + n * HOUR, "a") for n in range(9)]) == []


def test_people_nobody_mapped_do_not_count() -> None:
    assert run(DETECTOR, [owns(n, START + n * HOUR, "") for n in range(9)]) == []


def test_a_third_person_is_told_of_and_a_second_word_of_the_first_is_not() -> None:
    stream = [owns(n, START + n * HOUR, person) for n, person in enumerate("abac")]
    assert [action.id for action, _ in run(DETECTOR, stream)] == ["000001", "000003"]


def test_it_ends_by_itself_when_too_few_spoke_so_within_the_window() -> None:
    stream = [owns(0, START, "a"), owns(1, START + DAY, "b")]
    found = list(replay(DETECTOR, stream, LATER))
    assert [e.cleared_at for e in found] == [None, START + 14 * DAY]


def test_three_people_are_pushed() -> None:
    stream = [owns(n, START + n * HOUR, person) for n, person in enumerate("abc")]
    assert [e.level for _, e in run(DETECTOR, stream)] == [Level.RECORDED, Level.PUSHED]


def test_the_end_of_the_deal_ends_it() -> None:
    won = observed(9, START + DAY, kind=ActionKind.STAGE_CHANGE, stage=Stage.WON)
    stream = [owns(0, START, "a"), owns(1, START + HOUR, "b"), won]
    assert [e.cleared_at for _, e in run(DETECTOR, stream)] == [None, won.at]
    assert (
        run(DETECTOR, [won, owns(10, START + 2 * DAY, "a"), owns(11, START + 2 * DAY, "b")]) == []
    )
