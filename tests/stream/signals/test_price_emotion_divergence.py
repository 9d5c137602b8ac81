"""S6 against its formula in plain numpy, and as people would meet it."""

from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, Level, Polarity, Severity, Side, Stage, Topic
from dealgraph.stream.signals.detector import Episode, Observed
from dealgraph.stream.signals.price_emotion_divergence import (
    PriceEmotionDivergence,
    PriceEmotionDivergenceThresholds,
    moments,
)
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.observed import DAY, HOUR, MINUTE, SECOND, START, observed, random_stream

LIMITS: Final = load_thresholds().section(
    "price_emotion_divergence", PriceEmotionDivergenceThresholds
)
DETECTOR: Final = PriceEmotionDivergence(LIMITS)
GAPS: Final = [*[20 * SECOND] * 9, 2 * HOUR, 3 * DAY]
KAPPA: Final = 6.0


def found(stream: list[Observed]) -> list[Episode]:
    """What S6 says of a history, with time going on for forty days after it."""
    return list(replay(DETECTOR, stream, (stream[-1].at if stream else START) + 40 * DAY))


def looks_of(stream: list[Observed]) -> np.ndarray:
    """Rows (at, talk ms, share, valence) of the looks, from the definition alone."""
    talk = [a for a in stream if a.exposure_ms and a.emotion_confidence and a.side is Side.CUSTOMER]
    rows, part = [], []
    for here, following in zip(talk, [*talk[1:], None], strict=False):
        part.append(here)
        over = following is None or following.at - here.at >= HOUR
        spoken = np.array([a.exposure_ms for a in part])
        if not over or spoken.sum() < 2 * MINUTE:
            continue
        dear = np.array([a.topics >> Topic.PRICE & 1 for a in part])
        sure = np.array([a.emotion_confidence for a in part])
        mood = np.array([a.valence for a in part])
        share, valence = spoken[dear == 1].sum() / spoken.sum(), (sure * mood).sum() / sure.sum()
        rows.append((here.at + HOUR, spoken.sum(), share, valence))
        part = []
    return np.array(rows).reshape(-1, 4)


def usual(values: np.ndarray, mean: float, spread: float) -> tuple[float, float]:
    """Mean and spread of a baseline, from the formula of Normal–inverse-Gamma."""
    n = len(values)
    if not n:
        return mean, spread
    apart = values.mean() - mean
    squares = ((values - values.mean()) ** 2).sum() + KAPPA * n / (KAPPA + n) * apart**2
    variance = (KAPPA * spread**2 + squares) / (KAPPA + n)
    return (KAPPA * mean + values.sum()) / (KAPPA + n), max(0.04, float(np.sqrt(variance)))


def expected(stream: list[Observed]) -> list[tuple[int, bool]]:
    """(at, open) of each beginning and end, all looks at once."""
    looks = looks_of(stream)
    changes: list[tuple[int, bool]] = []
    learnt: list[int] = []
    prices: list[float] = []
    parts: list[float] = []
    is_open, pushed, ended, calm = False, False, None, None
    for now, (at, talk, share, valence) in enumerate(looks):
        if calm is not None and at - calm >= 7 * DAY:
            is_open, ended = False, int(calm + 7 * DAY)
            changes.append((ended, False))
            calm = None
            # The chart goes on from where it is.
        old = looks[[i for i in learnt if looks[i, 0] <= at - 7 * DAY]]
        mean, spread = usual(old[:, 2], LIMITS.prior_price_share, LIMITS.prior_price_share_spread)
        mood, feeling = usual(old[:, 3], LIMITS.prior_valence, LIMITS.prior_valence_spread)
        wider = np.sqrt(max(1.0, 5 * MINUTE / talk))
        prices.append((share - mean) / (spread * wider))
        parts.append((prices[-1] - (valence - mood) / (feeling * wider)) / np.sqrt(2.0))
        ages = np.arange(now, -1, -1)
        z = (0.2 * 0.8**ages * np.array(parts)).sum()
        kept = 0.8 ** (now + 1)
        level = z / np.sqrt(0.2 / 1.8 * (1 - kept**2) + (1 - kept) ** 2 / (KAPPA + len(old)))
        if is_open:
            pushed = pushed or level >= 3.0
            low = level < (1.5 if pushed else 1.0)
            calm = (at if calm is None else calm) if low else None
            continue
        if level < 2.0:
            learnt.append(now)
            continue
        last = looks[max(0, now - 4) : now + 1]
        falling = len(last) > 1 and np.cov(last[:, 0], last[:, 3])[0, 1] < 0.0
        dear = prices[-1] >= 2.0 and sum(p >= 2.0 for p in prices[-5:]) >= 2
        if dear and falling and (ended is None or at - ended >= DAY):
            is_open, pushed = True, level >= 3.0
            changes.append((int(at), True))
    if calm is not None:
        changes.append((int(calm + 7 * DAY), False))
    return changes


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 400), st.integers(0, 2**32 - 1))
def test_begins_and_ends_exactly_when_the_formula_says(length: int, seed: int) -> None:
    stream = random_stream(GAPS, length, seed)
    changes, is_open = [], False
    for episode in found(stream):
        if (episode.cleared_at is None) != is_open:
            is_open = episode.cleared_at is None
            changes.append((episode.at, is_open))
    assert changes == expected(stream)


def meeting(
    number: int,
    at: int,
    price: int,
    mood: float,
    *,
    remarks: int = 20,
    sure: float = 0.6,
    stage: Stage = Stage.NEGOTIATION,
) -> list[Observed]:
    """A meeting with so many remarks of 15 s, `price` of them about the price, all in one mood."""
    return [
        observed(
            100 * number + place,
            at + place * 20 * SECOND,
            *([Topic.PRICE] if place < price else []),
            talk_ms=15 * SECOND,
            valence=mood,
            emotion_confidence=sure,
            stage=stage,
        )
        for place in range(remarks)
    ]


CALM: Final = ((3, 0.05), (4, 0.0), (2, 0.1), (3, 0.0), (3, 0.05), (4, 0.02))
ANXIOUS: Final = ((8, -0.1), (9, -0.2), (9, -0.25))


def deal(*parts: tuple[int, float], gap: int = 4 * DAY) -> list[Observed]:
    """A meeting every four days, with so much of price and in this mood."""
    return [
        action
        for number, (price, mood) in enumerate(parts)
        for action in meeting(number, START + number * gap, price, mood)
    ]


def test_usual_price_talk_in_a_usual_mood_raises_nothing() -> None:
    assert found(deal(*CALM * 5)) == []


def test_price_taking_over_in_a_falling_mood_is_pushed_and_says_so() -> None:
    first = found(deal(*CALM, *ANXIOUS))[0]
    assert first.level is Level.PUSHED and first.severity >= Severity.WARNING
    assert first.polarity is Polarity.NEGATIVE
    assert first.statistic >= first.threshold == 3.0
    assert first.at == START + 7 * 4 * DAY + 19 * 20 * SECOND + HOUR
    assert first.explanation == (
        "Price took 45% of the customer's talk last time (16% is usual in this deal), and the mood was "
        "-0.20 (+0.03 is usual, from -1 to 1)."
    )
    assert len(first.evidence) == 10


def test_one_conversation_about_price_raises_nothing_however_bad_the_mood() -> None:
    assert found(deal(*CALM, (18, -0.9), *CALM)) == []


def test_price_talk_in_a_good_mood_raises_nothing() -> None:
    assert found(deal(*CALM, (8, 0.2), (9, 0.3), (9, 0.3), (9, 0.35))) == []


def test_a_sinking_mood_without_price_raises_nothing() -> None:
    assert found(deal(*CALM, (3, -0.2), (3, -0.4), (3, -0.5), (3, -0.6))) == []


def test_a_deal_in_which_price_was_always_much_talked_of_raises_nothing() -> None:
    assert found(deal(*((5 + n % 2, 0.02 * (-1) ** n) for n in range(20)))) == []


def test_a_smaller_drift_is_only_recorded() -> None:
    story = found(deal(*CALM, *CALM, (7, 0.0), (7, -0.02), (7, -0.04), (7, -0.06)))
    assert story and story[0].level is Level.RECORDED and story[0].severity is Severity.INFO


def test_without_consent_to_emotion_it_stays_silent() -> None:
    unsure = [replace(action, emotion_confidence=0.0) for action in deal(*CALM, *ANXIOUS)]
    assert found(unsure) == []


def test_short_talks_are_joined_until_there_are_two_minutes() -> None:
    short = [
        action
        for number in range(12)
        for action in meeting(number, START + number * DAY, 1, 0.0, remarks=3)
    ]
    shares = [share for share, _ in moments(short, LIMITS)]
    assert shares == pytest.approx([1 / 3] * 4)


def test_it_ends_after_a_week_without_it() -> None:
    eased = [(2, 0.3)] * 8
    story = found(deal(*CALM, *ANXIOUS, *eased))
    ended = story[-1]
    assert ended.cleared_at is not None and ended.statistic < 1.5
    assert {e.number for e in story} == {0}


def test_time_alone_ends_nothing() -> None:
    assert all(e.cleared_at is None for e in found(deal(*CALM, *ANXIOUS)))


def test_a_closed_deal_ends_it_and_asks_for_no_waking() -> None:
    stream = deal(*CALM, *ANXIOUS)
    at = stream[-1].at + 2 * DAY
    lost = observed(5000, at, kind=ActionKind.STAGE_CHANGE, side=Side.REP, stage=Stage.LOST)
    after = meeting(60, at + DAY, 10, -0.5, stage=Stage.LOST)
    story = found([*stream, lost, *after])
    assert story[-1].cleared_at == at
    state = DETECTOR.begin()
    for action in [*stream, lost, *after]:
        DETECTOR.observe(state, action)
    assert state.due > at + 1000 * DAY


def test_the_least_effect_falls_with_the_number_of_looks() -> None:
    often = found(deal(*CALM, *ANXIOUS, gap=2 * DAY))[0].minimum_effect
    seldom = found(deal(*CALM, *ANXIOUS, gap=9 * DAY))[0].minimum_effect
    assert 0.5 < often < seldom < 5.0
