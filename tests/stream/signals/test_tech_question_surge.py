"""S1 against its formula in plain numpy, and as people would meet it."""

from typing import Final

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, Level, Polarity, Role, Severity, Side, Stage
from dealgraph.stream.signals.detector import Episode, Observed
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.tech_question_surge import (
    TechQuestionSurge,
    TechQuestionSurgeThresholds,
    moments,
)
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.observed import DAY, HOUR, MINUTE, SECOND, START, observed, streams

LIMITS: Final = load_thresholds().section("tech_question_surge", TechQuestionSurgeThresholds)
DETECTOR: Final = TechQuestionSurge(LIMITS)
GAPS: Final = [20 * SECOND, 20 * SECOND, 20 * SECOND, 2 * HOUR, DAY, 9 * DAY]
ROLES: Final = [Role.UNKNOWN, Role.TECH_LEAD, Role.ENGINEER, Role.CHAMPION]


def found(stream: list[Observed], until: int | None = None) -> list[Episode]:
    """What S1 says of a history, with time going on for forty days after it."""
    last = stream[-1].at if stream else START
    return list(replay(DETECTOR, stream, last + 40 * DAY if until is None else until))


def expected(stream: list[Observed]) -> list[tuple[int, bool]]:
    """(at, open) of each beginning and end, from the formula alone, all sittings at once."""
    talk = [a for a in stream if a.exposure_ms and a.side in (Side.CUSTOMER, Side.UNKNOWN)]
    if not talk:
        return []
    at = np.array([a.at for a in talk], dtype=np.int64)
    first = np.flatnonzero(np.diff(at, prepend=-HOUR) >= HOUR)
    spoken = np.add.reduceat([a.exposure_ms for a in talk], first)
    asks = [a.kind is ActionKind.QUESTION and a.role in (1, 2) for a in talk]
    count = np.add.reduceat(np.array(asks, dtype=int), first)
    over = at[np.append(first[1:], len(at)) - 1] + HOUR
    day = at[first] // DAY
    changes: list[tuple[int, bool]] = []
    level, run, is_open, pushed, ended, calm = 0.0, 0, False, False, None, None
    for now in range(len(first)):
        if calm is not None and over[now] - calm >= 7 * DAY:
            ended = int(min(over[now], calm + 7 * DAY))
            is_open, calm = False, None
            changes.append((ended, False))
        if level <= 0.0:
            run = now
            known = (day < day[now] - 7) & (day >= day[now] - 35) & (np.arange(len(day)) < now)
            a = LIMITS.prior_weight + count[known].sum()
            b = LIMITS.prior_weight / LIMITS.prior_rate_per_minute + spoken[known].sum() / MINUTE
        ratios = []
        for end in (now, now + 1):
            n, e = count[run:end].sum(), spoken[run:end].sum() / MINUTE
            ratios.append(n * np.log(2) - (a + n) * np.log((b + 2 * e) / (b + e)))
        level = float(np.clip(level + ratios[1] - ratios[0], 0.0, 8.0))
        pushed = level >= 5.0 or (is_open and pushed)
        n, e = count[run : now + 1].sum(), spoken[run : now + 1].sum() / MINUTE
        if is_open:
            low = level < (2.5 if pushed else 1.5)
            calm = (int(over[now]) if calm is None else calm) if low else None
        elif level >= 3.0 and n >= 5 and e >= 10 and (ended is None or over[now] - ended >= DAY):
            is_open = True
            changes.append((int(over[now]), True))
    if calm is not None:
        changes.append((calm + 7 * DAY, False))
    return changes


def with_roles(stream: list[Observed], seed: int) -> list[Observed]:
    draws = np.random.default_rng(seed)
    return [replace(action, role=ROLES[draws.integers(4)]) for action in stream]


@settings(max_examples=150, deadline=None)
@given(streams(GAPS, length=200), st.integers(0, 1000))
def test_begins_and_ends_exactly_when_the_formula_says(stream: list[Observed], seed: int) -> None:
    stream = with_roles(stream, seed)
    changes, is_open = [], False
    for episode in found(stream):
        if (episode.cleared_at is None) != is_open:
            is_open = episode.cleared_at is None
            changes.append((episode.at, is_open))
    assert changes == expected(stream)


def meeting(
    number: int,
    at: int,
    questions: int,
    *,
    minutes: int = 5,
    role: Role = Role.TECH_LEAD,
    stage: Stage = Stage.VALIDATION,
    kind: ActionKind = ActionKind.QUESTION,
) -> list[Observed]:
    """A meeting in which the customer talks for so many minutes and asks so often."""
    return [
        observed(
            100 * number + place,
            at + place * 30 * SECOND,
            kind=kind if place < questions else ActionKind.STATEMENT,
            role=role if place < questions else Role.CHAMPION,
            talk_ms=30 * SECOND,
            stage=stage,
        )
        for place in range(2 * minutes)
    ]


def deal(*questions: int, **changes: Stage | Role | ActionKind) -> list[Observed]:
    """A meeting every five days, with so many questions each."""
    return [
        action
        for number, asked in enumerate(questions)
        for action in meeting(number, START + number * 5 * DAY, asked, **changes)  # type: ignore[arg-type]
    ]


CALM: Final = (1, 1, 2, 1, 1, 0, 2, 1)


def test_a_usual_number_of_questions_raises_nothing() -> None:
    assert found(deal(*CALM * 4)) == []


def test_three_times_as_many_are_recorded_then_pushed_then_critical() -> None:
    story = found(deal(*CALM, 5, 5, 5, 5, 5))
    grown = [
        e
        for e, before in zip(story, [None, *story[:-1]], strict=True)
        if before is None or e.severity > before.severity
    ]
    assert [(e.level, e.severity) for e in grown] == [
        (Level.RECORDED, Severity.INFO),
        (Level.PUSHED, Severity.WARNING),
        (Level.PUSHED, Severity.CRITICAL),
    ]
    assert {e.number for e in story} == {0}
    assert [e.threshold for e in grown] == [3.0, 5.0, 5.0]
    assert story[-1].cleared_at is None or story[-1].statistic == 8.0


def test_it_says_how_many_were_asked_and_how_many_are_usual() -> None:
    first = found(deal(*CALM, 5, 5))[0]
    assert first.explanation == (
        "The customer's technical people asked 10 questions in 10 minutes of customer talk since "
        "12 April 2026; 2.6 are usual in this deal."
    )
    assert len(first.evidence) == 10
    assert first.at == START + 45 * DAY + 9 * 30 * SECOND + HOUR


def test_five_questions_in_few_minutes_are_not_enough() -> None:
    assert found(deal(*CALM, 9)) == []


def test_questions_of_others_do_not_count() -> None:
    assert found(deal(5, 5, 5, 5, role=Role.CHAMPION)) == []


def test_other_remarks_of_technical_people_do_not_count() -> None:
    assert found(deal(5, 5, 5, 5, kind=ActionKind.OBJECTION)) == []


def test_questions_the_tagger_is_not_sure_of_do_not_count() -> None:
    unsure = [replace(action, confidence=0.5) for action in deal(5, 5, 5, 5)]
    assert found(unsure) == []


def test_more_talk_with_as_many_questions_a_minute_is_no_surge() -> None:
    long = [a for n in range(6) for a in meeting(n, START + n * DAY, 7, minutes=35)]
    assert found(long) == []


def test_what_a_rep_says_is_no_exposure() -> None:
    stream = deal(*CALM, 5, 5, 5)
    reps = [
        replace(action, id=f"{action.id}r", side=Side.REP, at=action.at + SECOND)
        for action in stream
    ]
    both = sorted([*stream, *reps], key=lambda action: (action.at, action.id))
    assert [e.statistic for e in found(both)] == [e.statistic for e in found(stream)]


def test_a_silence_of_weeks_neither_raises_nor_clears_before_the_memory_is_over() -> None:
    stream = deal(*CALM, 5, 5, 5)
    assert [e for e in found(stream) if e.cleared_at is not None] == []
    calm = [*stream, *meeting(90, START + 60 * DAY, 0, minutes=40)]
    ended = found(calm)[-1]
    assert ended.cleared_at == START + 60 * DAY + 79 * 30 * SECOND + HOUR + 7 * DAY


def test_after_the_demo_it_is_good_news_and_before_it_means_nothing() -> None:
    early = found(deal(*CALM, 5, 5, stage=Stage.DISCOVERY))[0]
    late = found(deal(*CALM, 5, 5, stage=Stage.DEMO))[0]
    assert (early.polarity, late.polarity) == (Polarity.NEUTRAL, Polarity.POSITIVE)


def test_a_closed_deal_ends_it_and_asks_for_no_waking() -> None:
    stream = deal(*CALM, 5, 5, 5)
    at = stream[-1].at + 2 * DAY
    won = observed(5000, at, kind=ActionKind.STAGE_CHANGE, side=Side.REP, stage=Stage.WON)
    after = meeting(60, at + DAY, 10, stage=Stage.WON)
    story = found([*stream, won, *after])
    assert story[-1].cleared_at == at
    state = DETECTOR.begin()
    for action in [*stream, won, *after]:
        DETECTOR.observe(state, action)
    assert state.due > at + 1000 * DAY


def test_a_deal_with_little_history_needs_more_than_one_that_is_known() -> None:
    """The usual rate is integrated out: what is not known of it weighs against a surge."""
    new = found(deal(3, 3, 3))
    known = found(deal(*CALM, 3, 3, 3))
    assert new == [] or new[0].statistic < known[0].statistic


def test_the_least_ratio_that_can_be_found_falls_with_the_talk_observed() -> None:
    short = found(deal(*CALM, 5, 5))[0].minimum_effect
    daily = [a for n in range(30) for a in meeting(n, START + n * DAY, 1)]
    surge = [a for n in range(30, 36) for a in meeting(n, START + n * DAY, 5)]
    assert 1.0 < found([*daily, *surge])[0].minimum_effect < short < 5.0


def test_a_history_adds_its_questions_and_minutes_to_the_prior() -> None:
    (shown,) = moments(deal(1, 2, 3), LIMITS).values()
    assert shown == (6, 15.0)
    assert moments(deal(1, 2, 3, stage=Stage.WON), LIMITS) == {}
