"""S5 against its formula computed anew for every moment, and as people would meet it."""

import pytest
from hypothesis import given, settings

from dealgraph.graph.model import ActionKind, Level, Severity, Side, Stage, Topic
from dealgraph.stream.signals.delivery_concern import DeliveryConcern, DeliveryConcernThresholds
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.conformance import run
from tests.support.observed import DAY, HOUR, START, observed, streams

LIMITS = load_thresholds().section("delivery_concern", DeliveryConcernThresholds)
DETECTOR = DeliveryConcern(LIMITS)
LATER = START + 10_000 * DAY
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


def end_after(past: list[Observed]) -> int:
    """When an episode that is open after `past` ends if nothing more is said."""
    ends = []
    quiet = quiet_since(past)
    if quiet is not None:
        ends.append(quiet + DAY)
    left = unanswered(past, past[-1].at)
    # The moments at which asks leave the window; it ends when no more than half of three are left.
    leaving = [a.at + 14 * DAY for a in left]
    ends += [at for n, at in enumerate(leaving) if len(leaving) - n - 1 <= 1.5]
    return min(ends)


def moments(stream: list[Observed]) -> list[tuple[int, bool, float]]:
    """(at, open, intensity) of each change of state, from the formula alone."""
    talk = [a for a in stream if a.topics >> Topic.DELIVERY & 1]
    changes: list[tuple[int, bool, float]] = []

    def change(at: int, heard: list[Observed], *, is_open: bool) -> None:
        asks = [a for a in heard if is_ask(a)]
        changes.append((at, is_open, 0.05 + sum(2.0 ** (-(at - a.at) / (3 * DAY)) for a in asks)))

    is_open, ended = False, None
    for place, action in enumerate(talk):
        past, heard, at = talk[:place], talk[: place + 1], action.at
        if is_open and end_after(past) <= at:
            is_open, ended = False, end_after(past)
            change(ended, past, is_open=False)
        now = unanswered(heard, at)
        if is_open or not is_ask(action) or len(now) < 3:
            continue
        if ended is not None and at - ended < DAY:
            continue
        if len({(a.session, a.at // DAY) for a in now}) >= 2:
            is_open = True
            change(at, heard, is_open=True)
    if is_open:
        change(end_after(talk), talk, is_open=False)
    return changes


@settings(max_examples=200, deadline=None)
@given(streams([0, HOUR, 5 * HOUR, DAY, 4 * DAY, 9 * DAY]))
def test_raises_and_clears_exactly_when_the_formula_says(stream: list[Observed]) -> None:
    changes = []
    is_open = False
    for episode in replay(DETECTOR, stream, LATER):
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
    assert (episode.severity, episode.level) == (Severity.INFO, Level.RECORDED)
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


def test_an_answer_after_which_nobody_asks_for_a_day_clears_by_itself() -> None:
    found = list(replay(DETECTOR, [*raised(), answer(3, START + DAY)], LATER))
    assert [episode.cleared_at for episode in found] == [None, START + 2 * DAY]
    assert found[-1].evidence == ("000000", "000001", "000002", "000003")
    assert found[-1].explanation == (
        "Delivery was answered on 4 March 2026, and the customer has not asked again."
    )


def test_asking_again_soon_after_the_answer_keeps_the_episode_going() -> None:
    stream = [*raised(), answer(3, START + DAY), ask(4, START + DAY + HOUR, "s9")]
    found = [episode for _, episode in run(DETECTOR, stream)]
    assert [(e.number, e.cleared_at) for e in found] == [(0, None), (0, None)]


def test_more_asks_are_pushed_and_then_critical() -> None:
    stream = [ask(n, START + n * HOUR, f"s{n}") for n in range(7)]
    found = [episode for _, episode in run(DETECTOR, stream)]
    levels = [Level.RECORDED] * 2 + [Level.PUSHED] * 3
    assert [e.level for e in found] == levels
    assert [e.severity for e in found[-3:]] == [
        Severity.WARNING,
        Severity.WARNING,
        Severity.CRITICAL,
    ]


def test_asks_that_leave_the_window_clear_by_themselves() -> None:
    found = list(replay(DETECTOR, raised(), LATER))
    assert [episode.cleared_at for episode in found] == [None, START + HOUR + 14 * DAY]


def test_the_end_of_the_deal_clears() -> None:
    lost = observed(9, START + DAY, kind=ActionKind.STAGE_CHANGE, stage=Stage.LOST)
    assert [e.cleared_at for _, e in run(DETECTOR, [*raised(), lost])] == [None, lost.at]
    assert (
        run(DETECTOR, [lost, *(ask(20 + n, START + (2 + n) * DAY, f"s{n}") for n in range(9))])
        == []
    )
