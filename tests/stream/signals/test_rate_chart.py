"""The chart of rates: equal to the Poisson CUSUM where the rate is known, and as fast as its calibration.

`TABLE` is the calibration table of the CUSUM (sittings until an alarm without a change, after a change to
twice and to three times the rate). It was made once by another simulation; here it is made anew.
"""

from typing import Final

import numpy as np
import pytest

from dealgraph.stream.signals.rate_chart import RateChart, RateLimits, Sitting
from tests.support.observed import DAY, MINUTE

TABLE: Final = {
    (1.0, 3.0): (153, 7.5, 3.6),
    (1.0, 5.0): (1172, 13.0, 5.4),
    (3.0, 3.0): (93, 3.3, 1.5),
    (3.0, 5.0): (770, 4.9, 2.3),
    (6.0, 3.0): (98, 2.0, 1.1),
    (6.0, 5.0): (765, 2.9, 1.3),
}
"""(questions a sitting, level) → mean sittings to an alarm at one, two and three times the rate."""
ROWS: Final = [
    (usual, level, ratio, row[ratio - 1])
    for (usual, level), row in TABLE.items()
    for ratio in (1, 2, 3)
]
KNOWN: Final = RateLimits(2.0, 0.2, 1e9, 7, 1e9)
"""A prior rate that is as good as known."""


def sittings_to_alarm(usual: float, level: float, ratio: float, runs: int = 1500) -> float:
    """Mean number of sittings until C ≥ level, from the formula alone, all runs at once."""
    draws = np.random.default_rng(7)
    chart, steps, left = np.zeros(runs), np.zeros(runs), np.ones(runs, dtype=bool)
    while left.any():
        counts = draws.poisson(usual * ratio, left.sum())
        chart[left] = np.maximum(0.0, chart[left] + counts * np.log(2.0) - usual)
        steps += left
        left &= chart < level
    return float(steps.mean())


def sitting(number: int, count: int, minutes: float) -> Sitting:
    talk_ms = round(minutes * MINUTE)
    return Sitting(number * DAY, 0, count, talk_ms, talk_ms)


@pytest.mark.parametrize(("usual", "level", "ratio", "asked"), ROWS)
def test_the_calibration_table_is_reached_within_a_fifth(
    usual: float, level: float, ratio: int, asked: float
) -> None:
    assert sittings_to_alarm(usual, level, ratio) == pytest.approx(asked, rel=0.2)


def test_a_known_rate_gives_the_poisson_cusum() -> None:
    counts = np.random.default_rng(3).poisson(1.2, 300)
    chart, level = RateChart(), 0.0
    for number, count in enumerate(counts.tolist()):
        chart.move(sitting(number, count, 5.0), KNOWN)
        level = max(0.0, level + count * np.log(2.0) - 0.2 * 5.0)
        assert chart.level == pytest.approx(level, abs=1e-5)


def test_the_less_is_known_of_the_rate_the_less_the_same_counts_say() -> None:
    levels = []
    for weight in (2.0, 12.0, 100.0, 1e9):
        chart = RateChart()
        for number in range(4):
            chart.move(sitting(number, 3, 5.0), RateLimits(2.0, 0.2, weight, 7, 1e9))
        levels.append(chart.level)
    assert levels == sorted(levels) and levels[0] < levels[-1] / 2


def test_the_baseline_leaves_out_the_week_before_and_what_is_older_than_five() -> None:
    chart, limits = RateChart(), RateLimits(2.0, 0.2, 10.0, 7, 1e9)
    for day in range(60):
        chart.move(sitting(day, 0, 2.0), limits)
    assert chart.usual_count == 10.0
    assert chart.usual_minutes == pytest.approx(10.0 / 0.2 + 28 * 2.0)


def test_a_change_does_not_become_its_own_baseline() -> None:
    chart, limits = RateChart(), RateLimits(2.0, 0.2, 10.0, 7, 1e9)
    for day in range(20):
        chart.move(sitting(day, 0, 5.0), limits)
    rates = set()
    for day in range(20, 80):
        chart.move(sitting(day, 4, 5.0), limits)
        rates.add(chart.usual_rate)
    assert len(rates) == 1 and chart.level > 30.0


def test_a_ceiling_lets_the_end_of_a_change_be_seen() -> None:
    chart, limits = RateChart(), RateLimits(2.0, 0.2, 100.0, 7, 8.0)
    for day in range(60):
        chart.move(sitting(day, 4, 5.0), limits)
    assert chart.level == 8.0
    after = 0
    while chart.level > 1.5:
        chart.move(sitting(60 + after, 1, 5.0), limits)
        after += 1
    assert after < 60
