"""How soon S2 and S7 find a change: the tables of the README, simulated from the formulas."""

from math import log

import numpy as np
import numpy.typing as npt
import pytest

from dealgraph.stream.signals.legal_reference import LegalWindowThresholds
from dealgraph.stream.signals.reply_waits import ReciprocityThresholds
from dealgraph.stream.signals.thresholds import load_thresholds

DRIFT = load_thresholds().section("reciprocity_drift", ReciprocityThresholds)
LEGAL = load_thresholds().section("legal_window_shift", LegalWindowThresholds)
RUNS = 1500
BETWEEN_DEALS = 0.25
Bools = npt.NDArray[np.bool_]


class Pace:
    """Many deals at once: the usual of each, learnt answer by answer, and C⁺ on top of it."""

    def __init__(self, runs: int, answers_a_day: float) -> None:
        self.draws = np.random.default_rng(11)
        self.answers_a_day = answers_a_day
        self.level = self.draws.normal(0.0, BETWEEN_DEALS, runs)
        self.chart, self.days, self.z = np.zeros(runs), np.zeros(runs), np.zeros(runs)
        self.steps = np.zeros(runs)
        self.mean, self.squares, self.count = np.zeros(runs), np.zeros(runs), 0

    def next_day(self) -> Bools:
        """Say in which deals the day is over: the next answer comes on another one."""
        return self.draws.random(len(self.level)) < 1.0 / self.answers_a_day

    def raised(self, level: float) -> Bools:
        """Say where C⁺, its days and the change since it was zero are large enough."""
        change = self.z / np.maximum(1.0, self.steps) * DRIFT.prior_chat_spread
        enough = np.exp(change) >= DRIFT.least_ratio
        return (self.chart >= level) & (self.days >= DRIFT.least_days) & enough

    def answer(self, shift: float, new_day: Bools) -> None:
        """Let every deal have its next answer, `shift` above its level."""
        runs, n = len(self.level), self.count
        kappa, nu = DRIFT.prior_weight, DRIFT.prior_spread_weight
        u = self.level + shift + self.draws.normal(size=runs)
        known = kappa + n
        squares = nu + self.squares + kappa * n / known * self.mean**2
        spread = np.sqrt(squares / (nu + n - 1.0)) if n else np.ones(runs)
        z = (u - self.mean * n / known) / (spread * np.sqrt(1.0 + 1.0 / known))
        z = np.clip(z, -DRIFT.most_z, DRIFT.most_z)
        if n >= DRIFT.warm_up:
            self.chart = np.maximum(0.0, self.chart + z - DRIFT.drift)
            on = self.chart > 0.0
            self.days = np.where(on, self.days + (new_day | (self.days == 0)), 0.0)
            self.z, self.steps = np.where(on, self.z + z, 0.0), np.where(on, self.steps + 1, 0.0)
        self.count += 1
        apart = u - self.mean
        self.mean = self.mean + apart / self.count
        self.squares = self.squares + apart * (u - self.mean)


def answers_to_alarm(level: float, factor: float, answers_a_day: float) -> tuple[float, float]:
    """Share of deals in which a change after 35 answers is found within 40, and after how many."""
    pace = Pace(RUNS, answers_a_day)
    quiet, found = np.ones(RUNS, dtype=bool), np.zeros(RUNS)
    for number in range(-35, 41):
        over = pace.next_day()
        if number <= 0:
            quiet &= ~pace.raised(level)
        else:
            found[over & pace.raised(level) & (found == 0)] = number
        pace.answer(log(factor) / DRIFT.prior_chat_spread if number >= 0 else 0.0, over)
    hit = quiet & (found > 0)
    return float(hit.sum() / quiet.sum()), float(found[hit].mean())


def clean_answers_per_alarm(level: float, answers: int) -> float:
    """Answers of clean deals of so many answers, per deal that raises."""
    pace = Pace(6 * RUNS, 2.2)
    raised = np.zeros(6 * RUNS, dtype=bool)
    for _ in range(answers):
        over = pace.next_day()
        raised |= over & pace.raised(level)
        pace.answer(0.0, over)
    return float(answers * len(raised) / raised.sum())


def working_days_until_overdue(talk: float, chance: float) -> float:
    """Working days after the proposal until so small a chance is left, with talk on a part of them."""
    draws = np.random.default_rng(5)
    missed, reached = np.zeros(RUNS), np.zeros(RUNS)
    found = np.zeros(RUNS)
    for day in range(1, 61):
        now = LEGAL.usual.proposal.reached(day * 7.0 / 5.0)
        heard = draws.random(RUNS) < talk
        grown = (missed + now - reached) * (1.0 - LEGAL.presence)
        missed, reached = np.where(heard, grown, missed), np.where(heard, now, reached)
        found[heard & (missed + 1.0 - reached <= chance) & (found == 0)] = day
    return float(found.mean())


def silent_days_until_withdrawn(legal_days: int, other_days: int, chance: float) -> int:
    """Days of talk without legal until so small a chance is left."""
    a = LEGAL.presence_weight * LEGAL.presence + legal_days
    b = LEGAL.presence_weight * (1.0 - LEGAL.presence) + other_days
    left, days = 1.0, 0
    while left > chance or days < LEGAL.silent_days:
        left *= (b + days) / (a + b + days)
        days += 1
    return days


@pytest.mark.parametrize(
    ("answers_a_day", "factor", "recorded", "pushed"),
    [(2.0, 3.0, 9.0, 11.8), (2.0, 4.5, 6.4, 7.6), (2.0, 6.0, 5.7, 6.5), (3.5, 4.5, 10.3, 11.0)],
)
def test_a_change_of_pace_is_found_after_so_many_answers(
    answers_a_day: float, factor: float, recorded: float, pushed: float
) -> None:
    for level, asked in ((DRIFT.recorded, recorded), (DRIFT.pushed, pushed)):
        share, answers = answers_to_alarm(level, factor, answers_a_day)
        assert share > 0.9
        assert answers == pytest.approx(asked, rel=0.1)


def test_clean_deals_raise_a_drift_once_in_so_many_answers() -> None:
    assert clean_answers_per_alarm(DRIFT.recorded, 60) == pytest.approx(890, rel=0.15)
    assert clean_answers_per_alarm(DRIFT.pushed, 60) == pytest.approx(4250, rel=0.25)


@pytest.mark.parametrize(
    ("talk", "recorded", "pushed"), [(0.77, 12.8, 14.6), (0.38, 16.7, 19.1), (1.0, 11.9, 13.6)]
)
def test_legal_is_overdue_after_so_many_working_days(
    talk: float, recorded: float, pushed: float
) -> None:
    assert working_days_until_overdue(talk, 0.05) == pytest.approx(recorded, rel=0.1)
    assert working_days_until_overdue(talk, 0.02) == pytest.approx(pushed, rel=0.1)


def test_legal_has_withdrawn_after_so_many_days_without_it() -> None:
    silent = {
        seen: [silent_days_until_withdrawn(*seen, chance) for chance in (0.05, 0.02)]
        for seen in ((0, 0), (2, 1), (5, 1))
    }
    assert silent == {(0, 0): [5, 7], (2, 1): [4, 6], (5, 1): [3, 4]}
