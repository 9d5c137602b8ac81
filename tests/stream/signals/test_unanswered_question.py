"""R3 against its definition computed anew from all turns, and as people would meet it."""

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, Severity, Side, Topic
from dealgraph.stream.signals.course import HOUR
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.thresholds import load_thresholds
from dealgraph.stream.signals.unanswered_question import detectors
from tests.support.conformance import run
from tests.support.observed import SECOND, START, observed, streams

(DETECTOR,) = detectors(load_thresholds())
ASKS = (ActionKind.QUESTION, ActionKind.DELIVERY_CONCERN)


def raised(stream: list[Observed]) -> list[int]:
    """When episodes begin, from the definition alone: each question against all that follows it."""
    found: list[int] = []
    free_from, open_until = 0, 0
    for place, turn in enumerate(stream):
        if turn.side is not Side.REP or turn.at < free_from or place < open_until:
            continue
        waiting = waits(stream, place)
        if waiting >= 90.0:
            found.append(turn.at)
            open_until, free_from = end_of(stream, place)
    return found


def question_before(stream: list[Observed], place: int) -> tuple[int, list[Observed]]:
    """The place of the last turn that took the floor before a turn of the rep, and what was asked then."""
    asked: list[Observed] = []
    last = -1
    for n in range(place - 1, -1, -1):
        turn = stream[n]
        asks = turn.side is Side.CUSTOMER and turn.kind in ASKS and turn.confidence >= 0.5
        if turn.side is Side.REP and last >= 0:
            break
        if turn.side is Side.SYSTEM or turn.side is Side.REP:
            continue
        if not asks and turn.exposure_ms < 2000:
            continue
        last = n if last < 0 else last
        if not asks:
            break
        asked.append(turn)
    return last, asked[:5]


def waits(stream: list[Observed], place: int) -> float:
    """Seconds that the questions still open after the turn at `place` have waited."""
    start, asked = question_before(stream, place)
    turns = [turn for turn in stream[start + 1 : place + 1] if turn.side is Side.REP]
    left = list(asked)
    touched = {question.id: 0 for question in asked}
    seconds, heard = 0.0, 0
    for turn in turns:
        if turn.kind is ActionKind.ANSWER and turn.exposure_ms >= 2000:
            left = []
        for question in list(left):
            if question.topics & turn.topics:
                touched[question.id] += turn.exposure_ms
                if not heard or touched[question.id] >= 15_000:
                    left.remove(question)
        if not left:
            return 0.0
        heard += 1
        if not any(question.topics & turn.topics for question in left):
            seconds += turn.exposure_ms / 1000
    return seconds


def end_of(stream: list[Observed], place: int) -> tuple[int, int]:
    """Where the episode that began at `place` ends: place, and the time from which the next may begin."""
    for n in range(place + 1, len(stream)):
        turn = stream[n]
        before = [t.at for t in stream[place:n] if t.side is Side.REP]
        if turn.at >= before[-1] + 600 * SECOND:
            return n, before[-1] + 600 * SECOND + 120 * SECOND
        asks = turn.side is Side.CUSTOMER and turn.kind in ASKS and turn.confidence >= 0.5
        floor = turn.side in (Side.CUSTOMER, Side.UNKNOWN) and (asks or turn.exposure_ms >= 2000)
        if floor or (turn.side is Side.REP and waits(stream, n) == 0.0):
            return n, turn.at + 120 * SECOND
    return len(stream), 1 << 62


def talkative(stream: list[Observed]) -> list[Observed]:
    """The same talk with a rep who talks longer and seldom answers."""
    return [
        replace(
            turn,
            side=Side.REP if n % 5 else turn.side,
            kind=turn.kind if n % 11 == 0 or n % 5 == 0 else ActionKind.STATEMENT,
            topics=turn.topics if n % 3 == 0 else 0,
        )
        for n, turn in enumerate(stream)
    ]


@settings(max_examples=150, deadline=None)
@given(streams([0, 5 * SECOND, 30 * SECOND, 180 * SECOND]))
def test_raises_exactly_when_the_definition_says(stream: list[Observed]) -> None:
    stream = talkative(stream)
    found = [e.at for _, e in run(DETECTOR, stream) if e.at == e.raised_at and e.cleared_at is None]
    assert found == raised(stream)


def talk(*said: tuple[Side, ActionKind, int, tuple[Topic, ...]]) -> list[Observed]:
    """Turns one after the other: side, kind, seconds, topics."""
    at, turns = START, []
    for number, (side, kind, seconds, topics) in enumerate(said):
        turns.append(observed(number, at, *topics, side=side, kind=kind, talk_ms=seconds * SECOND))
        at += seconds * SECOND
    return turns


ASKED = (Side.CUSTOMER, ActionKind.QUESTION, 4, (Topic.PRICE,))
TALK = (Side.REP, ActionKind.STATEMENT, 20, (Topic.TECHNICAL,))


def test_a_monologue_of_more_than_ninety_seconds_after_a_question_is_told() -> None:
    ((action, episode),) = run(DETECTOR, talk(ASKED, *[TALK] * 5))
    assert action.id == "000005"
    assert (episode.severity, episode.statistic) == (Severity.WARNING, 100.0)
    assert episode.evidence == ("000000", "000001", "000002", "000003", "000004", "000005")
    assert "1 question" in episode.explanation and "100 seconds" in episode.explanation


@pytest.mark.parametrize(
    "between",
    [
        (Side.REP, ActionKind.ANSWER, 4, ()),
        (Side.REP, ActionKind.STATEMENT, 15, (Topic.PRICE,)),
        (Side.CUSTOMER, ActionKind.STATEMENT, 4, ()),
        (Side.UNKNOWN, ActionKind.STATEMENT, 4, ()),
    ],
    ids=["an answer", "talk on it", "the customer's turn", "an unmapped speaker's turn"],
)
def test_is_silent_when_something_came_between(
    between: tuple[Side, ActionKind, int, tuple[Topic, ...]],
) -> None:
    assert run(DETECTOR, talk(ASKED, TALK, TALK, between, TALK, TALK, TALK)) == []


def test_a_first_turn_on_the_question_answers_it_however_short() -> None:
    answer = (Side.REP, ActionKind.STATEMENT, 3, (Topic.PRICE,))
    assert run(DETECTOR, talk(ASKED, answer, *[TALK] * 8)) == []


def test_a_backchannel_takes_no_floor_and_answers_nothing() -> None:
    customer = (Side.CUSTOMER, ActionKind.STATEMENT, 1, ())
    rep = (Side.REP, ActionKind.ANSWER, 1, ())
    assert run(DETECTOR, talk(ASKED, TALK, customer, TALK, rep, TALK, TALK, TALK)) != []


def test_several_open_questions_are_critical() -> None:
    found = run(DETECTOR, talk(ASKED, ASKED, *[TALK] * 5))
    assert found[0][1].severity is Severity.CRITICAL


def test_the_answer_ends_it() -> None:
    answer = (Side.REP, ActionKind.ANSWER, 6, (Topic.PRICE,))
    found = run(DETECTOR, talk(ASKED, *[TALK] * 5, answer))
    assert found[-1][1].cleared_at == found[-1][0].at
    assert found[-1][1].evidence[-1] == found[-1][0].id


def test_it_ends_by_itself_when_the_talk_is_over() -> None:
    stream = talk(ASKED, *[TALK] * 5)
    last = list(replay(DETECTOR, stream, START + HOUR))[-1]
    assert last.cleared_at == stream[-1].at + 600 * SECOND
