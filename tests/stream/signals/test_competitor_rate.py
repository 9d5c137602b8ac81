"""R1 against its formula computed anew for every moment, and as people would meet it."""

from math import exp, factorial

import pytest
from hypothesis import given, settings

from dealgraph.graph.model import Polarity, Severity, Side, Stage, Topic
from dealgraph.stream.baselines.lessons import learn
from dealgraph.stream.signals import competitor_rate
from dealgraph.stream.signals.competitor_rate import (
    CompetitorRate,
    CompetitorRateThresholds,
    critical_count,
)
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.conformance import run
from tests.support.observed import MINUTE, SECOND, START, observed, streams

LIMITS = load_thresholds().section("competitor_rate", CompetitorRateThresholds)
DETECTOR = CompetitorRate(LIMITS)
WINDOW = 10 * MINUTE
COOL_DOWN = 5 * MINUTE


def tail(count: int, mean: float) -> float:
    """P(N ≥ count) by the definition of the Poisson distribution."""
    return 1.0 - sum(exp(-mean) * mean**n / factorial(n) for n in range(count))


def moments(stream: list[Observed]) -> list[tuple[int, bool, float, float]]:
    """(at, open, rate, threshold) of each change of state, from the formula alone."""
    heard = [a for a in stream if a.side in (Side.CUSTOMER, Side.UNKNOWN)]
    changes = []
    is_open, ended = False, None
    for place, action in enumerate(heard):
        window = [a for a in heard[: place + 1] if a.at > action.at - WINDOW]
        minutes = sum(a.exposure_ms for a in window) / MINUTE
        count = sum(1 for a in window if a.topics >> Topic.COMPETITOR & 1)
        rate, limit = 0.0, 6.0
        if minutes > 0:
            rate = 10.0 * count / minutes
            critical = next(n for n in range(3, 1000) if tail(n, 0.05 * minutes) < 0.01)
            limit = min(6.0, 10.0 * critical / minutes)
        mentioned = action.topics >> Topic.COMPETITOR & 1
        if is_open and rate <= limit / 2.0:
            is_open, ended = False, action.at
            changes.append((action.at, is_open, rate, limit))
        elif not is_open and mentioned and count >= 3 and minutes >= 1.0 and rate >= limit:
            if ended is None or action.at - ended >= COOL_DOWN:
                is_open = True
                changes.append((action.at, is_open, rate, limit))
    return changes


@settings(max_examples=150, deadline=None)
@given(streams([0, 5 * SECOND, 30 * SECOND, 3 * MINUTE, 9 * MINUTE]))
def test_raises_and_clears_exactly_when_the_formula_says(stream: list[Observed]) -> None:
    changes = []
    is_open = False
    for _, episode in run(DETECTOR, stream):
        if (episode.cleared_at is None) != is_open:
            is_open = episode.cleared_at is None
            changes.append((episode.at, is_open, episode.statistic, episode.threshold))
    expected = moments(stream)
    assert [change[:2] for change in changes] == [change[:2] for change in expected]
    for change, wanted in zip(changes, expected, strict=True):
        assert change[2:] == pytest.approx(wanted[2:])


@pytest.mark.parametrize("mean", [0.001, 0.1, 0.5, 3.0, 20.0])
@pytest.mark.parametrize("probability", [0.001, 0.01, 0.2])
def test_the_critical_count_is_the_first_below_the_tail_probability(
    mean: float, probability: float
) -> None:
    count = critical_count(mean, probability)
    assert tail(count, mean) < probability
    assert count == 1 or tail(count - 1, mean) >= probability


def test_the_critical_count_of_a_large_mean_is_near_that_of_the_normal_distribution() -> None:
    assert critical_count(10_000.0, 0.01) == pytest.approx(10_233, abs=2)


def burst(
    stage: Stage = Stage.UNKNOWN, side: Side = Side.CUSTOMER, count: int = 4
) -> list[Observed]:
    """Two minutes of other talk, then `count` mentions, ten seconds each."""
    calm = [observed(n, START + n * 10 * SECOND, side=side) for n in range(12)]
    later = START + 2 * MINUTE
    mentions = [
        observed(100 + n, later + n * 10 * SECOND, Topic.COMPETITOR, side=side, stage=stage)
        for n in range(count)
    ]
    return calm + mentions


def test_a_burst_of_mentions_raises_at_the_third() -> None:
    found = run(DETECTOR, burst())
    action, episode = found[0]
    assert action.id == "000102"
    assert episode.evidence == ("000100", "000101", "000102")
    assert episode.explanation.startswith("Competitors came up 3 times in 2.5 minutes")


@pytest.mark.parametrize(
    ("stage", "severity", "polarity"),
    [
        (Stage.DISCOVERY, Severity.INFO, Polarity.NEUTRAL),
        (Stage.UNKNOWN, Severity.WARNING, Polarity.NEGATIVE),
        (Stage.NEGOTIATION, Severity.CRITICAL, Polarity.NEGATIVE),
    ],
)
def test_the_same_burst_is_no_risk_early_and_matters_more_the_later_the_stage(
    stage: Stage, severity: Severity, polarity: Polarity
) -> None:
    last = run(DETECTOR, burst(stage, count=6))[-1][1]
    assert (last.severity, last.polarity) == (severity, polarity)


def test_what_the_rep_says_does_not_count() -> None:
    assert run(DETECTOR, burst(side=Side.REP)) == []


def test_an_unmapped_speaker_counts() -> None:
    assert run(DETECTOR, burst(side=Side.UNKNOWN)) != []


def test_two_mentions_are_too_few_however_little_was_said() -> None:
    assert run(DETECTOR, burst(count=2)) == []


def test_calm_talk_clears_and_a_new_burst_is_a_new_episode() -> None:
    calm = [
        observed(200 + n, START + 3 * MINUTE + n * MINUTE, talk_ms=50 * SECOND) for n in range(30)
    ]
    again = [
        observed(300 + n, START + 40 * MINUTE + n * 25 * SECOND, Topic.COMPETITOR, talk_ms=25_000)
        for n in range(4)
    ]
    found = [episode for _, episode in run(DETECTOR, burst() + calm + again)]
    assert [e.number for e in found if e.cleared_at is not None] == [0]
    assert found[-1].number == 1


def test_calibration_learns_how_often_competitors_usually_come_up() -> None:
    calm = [observed(n, START + n * MINUTE, talk_ms=MINUTE) for n in range(8)]
    named = [observed(n, START + n * MINUTE, Topic.COMPETITOR, talk_ms=MINUTE) for n in (8, 9)]
    by_rep = [observed(10, START + 10 * MINUTE, Topic.COMPETITOR, side=Side.REP)]
    history = [*calm, *named, *by_rep]
    assert competitor_rate.moments(history) == (2, 10.0)
    found = learn([history] * 20, load_thresholds())
    usual = found.section("competitor_rate", CompetitorRateThresholds).usual_per_10_minutes
    assert usual == pytest.approx((0.5 + 2.0) / 2.0)
