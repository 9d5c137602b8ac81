"""How soon S7 finds a change, from its formulas: the rows of `evaluation/delays.yaml`.

Letters are as in scenario `tuning`: chats and mails with a pace of their own, so answers of one day come
many at a time, and the more so the faster they are. `pytest -s` prints the figures.
"""

from collections.abc import Callable
from functools import cache
from math import exp, log, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
import pytest
from msgspec import Struct

from dealgraph.graph.model import Level
from dealgraph.stream.signals.reply_waits import ReciprocityThresholds
from dealgraph.stream.signals.thresholds import load_thresholds
from dealgraph.stream.world.scenario import Plant
from tests.support.delay_tables import Found, Row, assert_fits, rows
from tests.support.paces import MAILS, MORE_ANSWERS, THREADS, Bools, Draws, Floats, moments

DRIFT: Final = load_thresholds().section("reciprocity_drift", ReciprocityThresholds)
RUNS: Final = 1000
BETWEEN_DEALS: Final = 0.25
BEFORE: Final = 35
AFTER: Final = 60
"""Answers before and after a change."""
DAY_MINUTES: Final = 450.0
REP_MINUTES: Final = (12.0, 72.0)
"""Median wait of the rep, in a chat and in mails; lognormal with `REP_SPREAD`."""
REP_SPREAD: Final = 0.8
CHAT, MAIL = range(2)
MEDIAN: Final = (DRIFT.prior_chat_log_minutes, DRIFT.prior_mail_log_minutes)
SPREAD: Final = (DRIFT.prior_chat_spread, DRIFT.prior_mail_spread)


class Letters(Struct):
    """Answers of many deals, a column each: on the scale of waits, and what was there the day before.

    `new_day` says that an answer comes on another working day than the one before, `open` how long it had
    then been waited for at the end of the day before, on the scale, -inf where nothing was open.
    """

    u: Floats
    new_day: Bools
    open: Floats


def waits_of(draws: Draws, factor: float) -> list[tuple[float, float, int]]:
    """One deal's answers in order: when (working days, 0 the change), the wait in minutes, the channel."""
    level, found = BETWEEN_DEALS * draws.normal(), []
    early, late = -BEFORE / 2.0 - 20.0, AFTER / 2.0 + 40.0
    for channel, per_week, more in ((CHAT, THREADS, MORE_ANSWERS), (MAIL, MAILS, 0.0)):
        free = early
        for planned in moments(draws, per_week, early, late):
            at = max(planned, free)
            # The pace of a conversation is that of its beginning.
            pace = log(factor) if at >= 0.0 else 0.0
            for number in range(1 + draws.poisson(more)):
                if number:
                    at += REP_MINUTES[channel] * exp(REP_SPREAD * draws.normal()) / DAY_MINUTES
                wait = exp(MEDIAN[channel] + SPREAD[channel] * (level + draws.normal()) + pace)
                at += wait / DAY_MINUTES
                found.append((at, wait, channel))
            free = at
    return sorted(found)


def on_scale(minutes: Floats, channel: Floats) -> Floats:
    """Waits as u, by the priors of the channels; -inf for none."""
    median, spread = np.array(MEDIAN)[channel], np.array(SPREAD)[channel]
    with np.errstate(divide="ignore"):
        scaled: Floats = (np.log(np.maximum(minutes, 0.0)) - median) / spread
    return scaled


@cache
def letters(factor: float) -> Letters:
    """The last answers before a change of pace by a factor, and the first after it."""
    draws, columns = np.random.default_rng(11), list[tuple[Floats, Bools, Floats]]()
    while len(columns) < RUNS:
        at, wait, channel = (np.array(part) for part in zip(*waits_of(draws, factor), strict=True))
        first = int(np.searchsorted(at, 0.0))
        here = slice(first - BEFORE, first + AFTER)
        if first < BEFORE or len(at) < here.stop:
            continue
        day = np.floor(at)
        since = at - wait / DAY_MINUTES
        new_day = np.diff(day, prepend=-np.inf) > 0.0
        before = on_scale((day - since) * DAY_MINUTES, channel)
        columns.append((on_scale(wait, channel)[here], new_day[here], before[here]))
    return Letters(*(np.stack(part, axis=1) for part in zip(*columns, strict=True)))


class Pace:
    """Many deals at once: the usual of each, learnt answer by answer, and C⁺ on top of it."""

    def __init__(self, runs: int) -> None:
        self.chart, self.days, self.z = np.zeros(runs), np.zeros(runs), np.zeros(runs)
        self.steps = np.zeros(runs)
        self.mean, self.squares, self.count = np.zeros(runs), np.zeros(runs), 0

    def raised(self, level: float, waiting: Floats | float = -np.inf) -> Bools:
        """Say where C⁺ is large enough at the end of a day, with a message that waits for `waiting` (u)."""
        change = self.z / np.maximum(1.0, self.steps) * DRIFT.prior_chat_spread
        enough = np.exp(change) >= DRIFT.least_ratio
        chart = self.chart + np.maximum(0.0, self._z(waiting) - DRIFT.drift)
        return (chart >= level) & (self.days >= DRIFT.least_days) & enough

    def _z(self, u: Floats | float) -> Floats:
        n, kappa, nu = self.count, DRIFT.prior_weight, DRIFT.prior_spread_weight
        known = kappa + n
        squares = nu + self.squares + kappa * n / known * self.mean**2
        spread = np.sqrt(squares / (nu + n - 1.0)) if n else np.ones(len(self.mean))
        z = (u - self.mean * n / known) / (spread * np.sqrt(1.0 + 1.0 / known))
        clipped: Floats = np.clip(z, -DRIFT.most_z, DRIFT.most_z)
        return clipped

    def answer(self, u: Floats, new_day: Bools) -> None:
        """Let every deal have its next answer."""
        z = self._z(u)
        if self.count >= DRIFT.warm_up:
            self.chart = np.maximum(0.0, self.chart + z - DRIFT.drift)
            on = self.chart > 0.0
            self.days = np.where(on, self.days + (new_day | (self.days == 0)), 0.0)
            self.z, self.steps = np.where(on, self.z + z, 0.0), np.where(on, self.steps + 1, 0.0)
        self.count += 1
        apart = u - self.mean
        self.mean = self.mean + apart / self.count
        self.squares = self.squares + apart * (u - self.mean)


def drift_delays(plant: Plant, strength: float, level: Level) -> Found:
    """Answers from a change of pace to SLOWING, or to WARMING, which is SLOWING of waits turned round."""
    slower = plant is Plant.SLOWING
    least = DRIFT.pushed if level is Level.PUSHED else DRIFT.recorded
    all_of = letters(strength if slower else 1.0 / strength)
    pace, quiet, found = Pace(RUNS), np.ones(RUNS, dtype=bool), np.zeros(RUNS)
    for row in range(BEFORE + AFTER):
        waiting = all_of.open[row] if slower else -np.inf
        over = all_of.new_day[row] & pace.raised(least, waiting)
        if row <= BEFORE:
            quiet &= ~over
        else:
            found[over & (found == 0)] = row - BEFORE
        pace.answer(all_of.u[row] if slower else -all_of.u[row], all_of.new_day[row])
    return [float(one) or None for one in found[quiet]]


def ghost_delays(plant: Plant, strength: float, level: Level) -> Found:
    """Working days from the customer's last word to GHOST; the rep goes on writing as before."""
    draws, found = np.random.default_rng(12), list[float | None]()
    recorded, pushed = (
        -NormalDist().inv_cdf(p)
        for p in (DRIFT.ghost_recorded_probability, DRIFT.ghost_pushed_probability)
    )
    for _ in range(RUNS):
        chats = moments(draws, THREADS, 0.0, 60.0)
        chats = chats[
            np.diff(np.floor(chats), prepend=-1.0) > 0.0
        ]  # one a day waits, the others do not
        written = [(at, CHAT) for at in chats] + [
            (at, MAIL) for at in moments(draws, MAILS, 0.0, 60.0)
        ]

        def at_last(z: float, nth: int, written: list[tuple[float, int]] = written) -> float:
            wider = z * sqrt(1.0 + 1.0 / (DRIFT.prior_weight + BEFORE))
            due = [at + exp(MEDIAN[c] + SPREAD[c] * wider) / DAY_MINUTES for at, c in written]
            return sorted(due)[nth - 1]

        both = at_last(pushed, DRIFT.ghost_contacts)
        found.append(both if level is Level.PUSHED else min(both, at_last(recorded, 1)))
    return found


MODELS: Final[dict[Plant, Callable[[Plant, float, Level], Found]]] = {
    Plant.SLOWING: drift_delays,
    Plant.WARMING: drift_delays,
    Plant.GHOST: ghost_delays,
}


@pytest.mark.parametrize("row", rows(*MODELS))
def test_a_change_of_pace_is_found_as_soon_as_the_table_says(row: Row) -> None:
    plant, level, strength = row
    assert_fits(row, MODELS[plant](plant, strength, level))


@pytest.mark.parametrize(("level", "answers"), [(DRIFT.recorded, 890), (DRIFT.pushed, 4250)])
def test_clean_deals_raise_a_drift_once_in_so_many_answers(level: float, answers: int) -> None:
    draws, deals, each = np.random.default_rng(11), 6 * RUNS, 60
    pace, raised = Pace(deals), np.zeros(deals, dtype=bool)
    usual = draws.normal(0.0, BETWEEN_DEALS, deals)
    for _ in range(each):
        over = draws.random(deals) < 1.0 / 2.2
        raised |= over & pace.raised(level)
        pace.answer(usual + draws.normal(size=deals), over)
    assert each * deals / raised.sum() == pytest.approx(answers, rel=0.25)
