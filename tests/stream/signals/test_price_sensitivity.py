"""R2 against its formula computed anew for every look, and as people would meet it."""

from math import sqrt
from statistics import fmean

import pytest
from hypothesis import given, settings

from dealgraph.graph.model import Severity, Side, Topic
from dealgraph.stream.signals.chart import Baseline, Prior, ewma_spreads
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.price_sensitivity import (
    PriceSensitivity,
    PriceSensitivityThresholds,
)
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.conformance import run
from tests.support.observed import MINUTE, SECOND, START, observed, streams

LIMITS = load_thresholds().section("price_sensitivity", PriceSensitivityThresholds)
DETECTOR = PriceSensitivity(LIMITS)
WINDOW = 120 * SECOND
STEP = 10 * SECOND
GAPS = [seconds * SECOND for seconds in (0, 5, 10, 10, 20, 20, 30, 150)]


def is_price(action: Observed) -> bool:
    return bool(action.topics >> Topic.PRICE & 1)


def moments_of(
    values: list[float], mean: float, spread: float, least: float
) -> tuple[float, float]:
    """Mean and spread of `values` shrunk towards the prior, by the definition."""
    count = len(values)
    if not count:
        return mean, max(spread, least)
    average = fmean(values)
    squares = sum((value - average) ** 2 for value in values)
    between = 20 * count / (20 + count) * (average - mean) ** 2
    variance = (20 * spread**2 + squares + between) / (20 + count)
    return (20 * mean + sum(values)) / (20 + count), max(sqrt(variance), least)


def spread_of_chart(looks: int) -> float:
    """Standard deviation of the EWMA, by the double sum over its weights and correlations."""
    weights = [0.2 * 0.8**n for n in range(looks)]
    return sqrt(
        sum(
            one * other * max(0.0, 1.0 - abs(i - j) / 12.0)
            for i, one in enumerate(weights)
            for j, other in enumerate(weights)
        )
    )


def slope(window: list[Observed]) -> float:
    """Numerator of the least-squares slope of valence, which has its sign."""
    felt = [a for a in window if a.emotion_confidence > 0]
    if len(felt) < 3:
        return 0.0
    weight = sum(a.emotion_confidence for a in felt)
    middle = sum(a.emotion_confidence * (a.at - START) for a in felt) / weight
    mean = sum(a.emotion_confidence * a.valence for a in felt) / weight
    return sum(a.emotion_confidence * (a.at - START - middle) * (a.valence - mean) for a in felt)


def moments(stream: list[Observed]) -> list[tuple[int, bool, float]]:
    """(at, open, level) of each change of state, from the formula alone."""
    talk = [a for a in stream if a.side is Side.CUSTOMER and a.exposure_ms > 0]
    changes: list[tuple[int, bool, float]] = []
    past: list[tuple[int, float, float | None]] = []
    chart: list[float] = []
    is_open, ended, calm, last, high = False, None, None, None, False
    for place, action in enumerate(talk):
        at = action.at
        if last is not None and at - last < STEP:
            continue
        silent, last = last is not None and at - last >= WINDOW, at
        window = [a for a in talk[: place + 1] if a.at > at - WINDOW]
        old = [one for one in past if one[0] <= at - WINDOW]
        share_mean, share_spread = moments_of([share for _, share, _ in old], 0.12, 0.15, 0.08)
        moods = [mood for _, _, mood in old if mood is not None]
        mood_mean, mood_spread = moments_of(moods, 0.05, 0.25, 0.15)
        time = sum(a.exposure_ms for a in window)
        price = sum(a.exposure_ms for a in window if is_price(a))
        sure = sum(a.emotion_confidence for a in window)
        felt = sum(a.emotion_confidence * a.valence for a in window)
        price_z = ((price + 15_000 * share_mean) / (time + 15_000) - share_mean) / share_spread
        mood_z = ((felt + mood_mean) / (sure + 1.0) - mood_mean) / mood_spread
        chart = [] if silent else chart
        chart.append((price_z - mood_z) / sqrt(2))
        weighted = sum(0.2 * 0.8**n * value for n, value in enumerate(reversed(chart)))
        level = weighted / spread_of_chart(min(len(chart), 64))
        if not is_open and level < 2.0:
            past.append((at, price / time, felt / sure if sure else None))
        if is_open:
            calm = (at if calm is None else calm) if level < (1.5 if high else 1.0) else None
            if silent or (calm is not None and at - calm >= WINDOW):
                is_open, ended, calm = False, at, None
                changes.append((at, is_open, level))
            elif calm is None:
                high = high or (level >= 3.0)
        elif level >= 2.0 and price_z >= 2.0 and (ended is None or at - ended >= 5 * MINUTE):
            enough = time >= 10_000 and sum(map(is_price, window)) >= 3
            if enough and slope(window) < 0.0:
                is_open, calm, high = True, None, level >= 3.0
                changes.append((at, is_open, level))
    return changes


@settings(max_examples=200, deadline=None)
@given(streams(GAPS))
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


def call(
    valences: list[float], *, about_price: bool = True, confidence: float = 0.8
) -> list[Observed]:
    """Five calm minutes, then one stretch of ten seconds for each valence."""
    topics = (Topic.PRICE,) if about_price else ()
    calm = [
        observed(n, START + n * 15 * SECOND, valence=0.2, emotion_confidence=confidence)
        for n in range(20)
    ]
    later = START + 5 * MINUTE
    tense = [
        observed(
            100 + n,
            later + n * 12 * SECOND,
            *topics,
            valence=valence,
            emotion_confidence=confidence,
        )
        for n, valence in enumerate(valences)
    ]
    return calm + tense


FALLING = [0.0, -0.3, -0.5, -0.7, -0.8, -0.8, -0.9, -0.9]


def test_price_talk_in_a_falling_mood_raises_within_a_minute_and_a_half() -> None:
    action, episode = run(DETECTOR, call(FALLING))[0]
    assert action.at - (START + 5 * MINUTE) <= 90 * SECOND
    assert episode.statistic >= episode.threshold
    assert set(episode.evidence) <= {f"{n:06}" for n in range(100, 108)}


def test_it_grows_from_mild_to_a_warning() -> None:
    severities = [episode.severity for _, episode in run(DETECTOR, call(FALLING))]
    assert severities[-1] is Severity.WARNING
    assert severities == sorted(severities)


def test_price_talk_in_a_good_mood_does_not_raise() -> None:
    assert run(DETECTOR, call([0.3, 0.4, 0.4, 0.5, 0.5, 0.6, 0.6, 0.6])) == []


def test_a_falling_mood_about_other_things_does_not_raise() -> None:
    assert run(DETECTOR, call(FALLING, about_price=False)) == []


def test_without_emotion_the_rule_stays_silent() -> None:
    assert run(DETECTOR, call(FALLING, confidence=0.0)) == []


def test_a_single_remark_on_price_at_the_start_of_a_session_does_not_raise() -> None:
    stream = [
        observed(0, START),
        observed(1, START + 20 * SECOND, Topic.PRICE, valence=-0.9),
        observed(2, START + 40 * SECOND),
    ]
    assert run(DETECTOR, stream) == []


def test_calm_talk_for_a_window_clears() -> None:
    tense = call(FALLING)
    calm = [observed(200 + n, tense[-1].at + (n + 1) * 15 * SECOND, valence=0.3) for n in range(40)]
    found = [episode for _, episode in run(DETECTOR, tense + calm)]
    assert found[-1].cleared_at is not None
    assert {episode.number for episode in found} == {0}


def test_a_silence_as_long_as_the_window_clears() -> None:
    tense = call(FALLING)
    later = observed(200, tense[-1].at + 3 * MINUTE)
    assert run(DETECTOR, [*tense, later])[-1][1].cleared_at == later.at


def test_the_explanation_speaks_of_shares_and_moods() -> None:
    _, episode = run(DETECTOR, call(FALLING))[0]
    assert episode.explanation.startswith("Price took ")
    assert "of the customer's talk in the last 2 minutes" in episode.explanation


def test_without_overlap_the_spread_of_the_chart_is_that_of_the_textbook() -> None:
    spreads = ewma_spreads(0.2, 1.0, 60)
    assert spreads[0] == pytest.approx(0.2)
    assert spreads[-1] == pytest.approx(sqrt(0.2 / 1.8))


def test_overlapping_windows_widen_the_chart() -> None:
    assert ewma_spreads(0.2, 12.0, 64) == pytest.approx([spread_of_chart(n) for n in range(1, 65)])


def test_a_baseline_starts_at_its_prior_and_moves_to_what_it_sees() -> None:
    prior = Prior(mean=0.1, spread=0.2, least_spread=0.05, weight=20.0)
    baseline = Baseline.of(prior)
    assert (baseline.mean, baseline.spread) == (0.1, 0.2)
    for _ in range(2000):
        baseline = baseline.with_value(0.5, prior)
    assert baseline.mean == pytest.approx(0.5, abs=0.01)
    assert baseline.spread == 0.05
