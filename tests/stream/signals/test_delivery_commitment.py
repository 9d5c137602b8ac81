"""DELIVERY_COMMITMENT against its formula, and as people would meet it."""

from hypothesis import given, settings

from dealgraph.graph.model import Severity, Side, Topic
from dealgraph.stream.signals.delivery_commitment import (
    DeliveryCommitment,
    DeliveryCommitmentThresholds,
)
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.conformance import run
from tests.support.observed import DAY, HOUR, START, observed, streams

DETECTOR = DeliveryCommitment(
    load_thresholds().section("delivery_commitment", DeliveryCommitmentThresholds)
)


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
    for place, action in enumerate(talk):
        before = {a.person for a in talk[:place] if a.at > action.at - 14 * DAY}
        if is_open and len(before) <= 1:
            is_open, ended = False, action.at
        elif (
            not is_open
            and len(before | {action.person}) >= 2
            and (ended is None or action.at - ended >= DAY)
        ):
            is_open = True
        else:
            continue
        changes.append((action.at, is_open))
    return changes


@settings(max_examples=200, deadline=None)
@given(streams([0, HOUR, DAY, 5 * DAY, 15 * DAY]))
def test_raises_and_clears_exactly_when_the_formula_says(stream: list[Observed]) -> None:
    changes = []
    is_open = False
    for _, episode in run(DETECTOR, stream):
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


def test_it_ends_when_too_few_spoke_so_within_the_window() -> None:
    stream = [owns(0, START, "a"), owns(1, START, "b"), owns(2, START + 20 * DAY, "a")]
    assert [e.cleared_at for _, e in run(DETECTOR, stream)] == [None, START + 20 * DAY]
