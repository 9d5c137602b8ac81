"""S5 against its formula computed anew for every moment, and as people would meet it."""

import pytest
from hypothesis import given, settings

from dealgraph.graph.model import ActionKind, Severity, Side, Topic
from dealgraph.stream.signals.delivery_concern import DeliveryConcern, DeliveryConcernThresholds
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.conformance import run
from tests.support.observed import DAY, HOUR, START, observed, streams

LIMITS = load_thresholds().section("delivery_concern", DeliveryConcernThresholds)
DETECTOR = DeliveryConcern(LIMITS)
ASKS = (ActionKind.DELIVERY_CONCERN, ActionKind.QUESTION, ActionKind.OBJECTION)
ANSWERS = (ActionKind.STATEMENT, ActionKind.ANSWER, ActionKind.COMMITMENT)


def ask(number: int, at: int, session: str = "s1") -> Observed:
    kind = ActionKind.DELIVERY_CONCERN
    return observed(number, at, Topic.DELIVERY, kind=kind, session=session)


def answer(number: int, at: int, kind: ActionKind = ActionKind.ANSWER) -> Observed:
    return observed(number, at, Topic.DELIVERY, side=Side.REP, kind=kind)


def is_ask(action: Observed) -> bool:
    return action.side is Side.CUSTOMER and action.kind in ASKS


def is_answer(action: Observed) -> bool:
    return action.side is Side.REP and action.kind in ANSWERS


def unanswered(past: list[Observed], at: int) -> list[Observed]:
    """Asks of `past` since the last answer in it that are within the window at `at`."""
    last = max((n for n, action in enumerate(past) if is_answer(action)), default=-1)
    return [a for a in past[last + 1 :] if is_ask(a) and a.at > at - 14 * DAY]


def quiet_since(past: list[Observed]) -> int | None:
    """When the first answer after the newest ask was given."""
    last = max((n for n, action in enumerate(past) if is_ask(action)), default=-1)
    return next((a.at for a in past[last + 1 :] if is_answer(a)), None)


def moments(stream: list[Observed]) -> list[tuple[int, bool, float]]:
    """(at, open, intensity) of each change of state, from the formula alone."""
    talk = [a for a in stream if a.topics >> Topic.DELIVERY & 1]
    changes = []
    is_open, ended = False, None
    for place, action in enumerate(talk):
        past, at = talk[:place], action.at
        quiet = quiet_since(past)
        earlier = past[-1].at if past else at
        left = unanswered(past, at)
        faded = len(left) < len(unanswered(past, earlier)) and len(left) <= 1.5
        heard = talk[: place + 1] if is_ask(action) else past
        asks = [a for a in heard if is_ask(a)]
        now = unanswered(talk[: place + 1], at)
        if is_open and (faded or (quiet is not None and at - quiet >= DAY)):
            is_open, ended = False, at
            asks = [a for a in past if is_ask(a)]
        elif (
            not is_open
            and is_ask(action)
            and len(now) >= 3
            and (ended is None or at - ended >= DAY)
        ):
            if len({a.session or a.at // DAY for a in now}) < 2:
                continue
            is_open = True
        else:
            continue
        changes.append((at, is_open, 0.05 + sum(2.0 ** (-(at - a.at) / (3 * DAY)) for a in asks)))
    return changes


@settings(max_examples=200, deadline=None)
@given(streams([0, HOUR, 5 * HOUR, DAY, 4 * DAY, 9 * DAY]))
def test_raises_and_clears_exactly_when_the_formula_says(stream: list[Observed]) -> None:
    changes = []
    is_open = False
    for _, episode in run(DETECTOR, stream):
        if (episode.cleared_at is None) != is_open:
            is_open = episode.cleared_at is None
            changes.append((episode.at, is_open, episode.statistic))
    expected = moments(stream)
    assert [change[:2] for change in changes] == [change[:2] for change in expected]
    for change, wanted in zip(changes, expected, strict=True):
        assert change[2] == pytest.approx(wanted[2])


def test_three_asks_in_two_conversations_without_an_answer_raise() -> None:
    asks = [ask(0, START), ask(1, START + HOUR), ask(2, START + 2 * DAY, "s2")]
    ((_, episode),) = run(DETECTOR, asks)
    assert episode.severity is Severity.WARNING
    assert episode.evidence == ("000000", "000001", "000002")
    assert episode.explanation == (
        "The customer asked about delivery 3 times in 2 conversations and got no answer yet."
    )


def test_the_last_answer_is_named_and_belongs_to_the_evidence() -> None:
    asks = [ask(1 + n, START + n * DAY + HOUR, f"s{n}") for n in range(3)]
    ((_, episode),) = run(DETECTOR, [answer(0, START), *asks])
    assert episode.evidence == ("000000", "000001", "000002", "000003")
    assert episode.explanation == (
        "The customer asked about delivery 3 times in 3 conversations "
        "since the last answer on 3 March 2026."
    )


def test_asks_within_one_conversation_do_not_raise() -> None:
    assert run(DETECTOR, [ask(n, START + n * HOUR) for n in range(5)]) == []


def test_an_answer_in_between_starts_the_count_anew() -> None:
    stream = [
        ask(0, START),
        ask(1, START + DAY, "s2"),
        answer(2, START + DAY + HOUR),
        ask(3, START + 2 * DAY, "s3"),
    ]
    assert run(DETECTOR, stream) == []


def test_a_question_of_the_rep_is_no_answer() -> None:
    question = answer(2, START + DAY, kind=ActionKind.QUESTION)
    stream = [ask(0, START), ask(1, START + HOUR), question, ask(3, START + 2 * DAY, "s2")]
    assert len(run(DETECTOR, stream)) == 1


def raised() -> list[Observed]:
    return [ask(n, START + n * HOUR, f"s{n}") for n in range(3)]


def test_an_answer_that_settles_it_clears_at_the_next_talk_a_day_later() -> None:
    stream = [*raised(), answer(3, START + DAY), answer(4, START + 2 * DAY)]
    found = [episode for _, episode in run(DETECTOR, stream)]
    assert [episode.cleared_at for episode in found] == [None, START + 2 * DAY]
    assert found[-1].explanation == (
        "Delivery was answered on 4 March 2026, and the customer has not asked again."
    )


def test_asking_again_soon_after_the_answer_keeps_the_episode_going() -> None:
    stream = [*raised(), answer(3, START + DAY), ask(4, START + DAY + HOUR, "s9")]
    found = [episode for _, episode in run(DETECTOR, stream)]
    assert [(e.number, e.cleared_at) for e in found] == [(0, None), (0, None)]


def test_five_asks_are_critical() -> None:
    stream = [ask(n, START + n * HOUR, f"s{n}") for n in range(5)]
    assert run(DETECTOR, stream)[-1][1].severity is Severity.CRITICAL


def test_asks_that_left_the_window_clear() -> None:
    stream = [*raised(), ask(3, START + 20 * DAY)]
    found = [episode for _, episode in run(DETECTOR, stream)]
    assert [episode.cleared_at for episode in found] == [None, START + 20 * DAY]
