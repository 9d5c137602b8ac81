"""How soon S1, S5 and S6 find a change, from their formulas: the rows of `evaluation/delays.yaml`.

What is said in a deal of scenario `tuning` with the shipped priors as its usual rates. `pytest -s` prints
the figures. Beside it `test_rate_chart.py` and `test_deal_calibration.py` hold the table of the CUSUM with
a rate that is known, and what the detectors do with deals whose every meeting is alike.
"""

from collections.abc import Callable
from math import exp, log, log1p, sqrt
from typing import Final

import numpy as np
import pytest

from dealgraph.graph.model import Level
from dealgraph.stream.signals.delivery_commitment import DeliveryCommitmentThresholds
from dealgraph.stream.signals.delivery_concern import DeliveryConcernThresholds
from dealgraph.stream.signals.price_emotion_divergence import PriceEmotionDivergenceThresholds
from dealgraph.stream.signals.tech_question_surge import TechQuestionSurgeThresholds
from dealgraph.stream.signals.thresholds import load_thresholds
from dealgraph.stream.world.scenario import Plant
from tests.support.delay_tables import Found, Row, assert_fits, rows
from tests.support.paces import (
    MEETINGS,
    TALK_MINUTES,
    TALK_SPREAD,
    THREADS,
    Draws,
    Floats,
    calendar,
    moments,
)

SHIPPED: Final = load_thresholds()
SURGE: Final = SHIPPED.section("tech_question_surge", TechQuestionSurgeThresholds)
PRICE: Final = SHIPPED.section("price_emotion_divergence", PriceEmotionDivergenceThresholds)
CONCERN: Final = SHIPPED.section("delivery_concern", DeliveryConcernThresholds)
COMMITMENT: Final = SHIPPED.section("delivery_commitment", DeliveryCommitmentThresholds)
RUNS: Final = 800
BEFORE: Final = 25.0
AFTER: Final = 100.0
"""Working days."""
BASELINE_DAYS: Final = 28
BETWEEN_DEALS: Final = 0.1
"""Spread of the logarithm of the rate of questions."""
UNANSWERED: Final = 0.97
RECENT_LOOKS: Final = 5
RAMP_DAYS: Final = 7.0
PRICE_SHIFT: Final = 0.95
MOOD_SHIFT: Final = 0.165
"""What a price divergence of strength 1 does to the log-odds of the price share and to the mood, as the tags
have it (`tuning`, seeds 1 and 2), for so have the priors; the world plants 1.7 and 0.45."""


def meetings(draws: Draws) -> tuple[Floats, Floats]:
    """When meetings are (days of the calendar, 0 the change), and the customer's minutes in them."""
    at = calendar(moments(draws, MEETINGS, -BEFORE, AFTER), int(draws.integers(5)))
    return at, TALK_MINUTES * np.exp(TALK_SPREAD * draws.normal(size=len(at)))


def surge_delay(ratio: float, least: float, draws: Draws) -> float | None:
    """Questions from a surge to TECH_QUESTION_SURGE, those of the sitting that is judged included."""
    at, talk = meetings(draws)
    usual = SURGE.prior_rate_per_minute * exp(BETWEEN_DEALS * draws.normal())
    asked = draws.poisson(usual * talk * np.where(at >= 0.0, ratio, 1.0)).astype(float)
    level, since = 0.0, 0
    a = b = before = 0.0
    for place in range(len(at)):
        if level <= 0.0:
            until = np.floor(at[place]) - SURGE.memory_days
            day = np.floor(at[:place])
            known = (day >= until - BASELINE_DAYS) & (day < until)
            a = SURGE.prior_weight + asked[:place][known].sum()
            b = SURGE.prior_weight / SURGE.prior_rate_per_minute + talk[:place][known].sum()
            since, before = place, 0.0
        n, e = asked[since : place + 1].sum(), talk[since : place + 1].sum()
        ratio_now = n * log(SURGE.ratio) - (a + n) * log((b + SURGE.ratio * e) / (b + e))
        level, before = max(0.0, level + ratio_now - before), ratio_now
        if level >= least and n >= SURGE.minimum_questions and e >= SURGE.minimum_minutes:
            return float(asked[: place + 1][at[: place + 1] >= 0.0].sum()) or None
    return None


class Usual:
    """Mean and spread of a share or mood: a prior and the looks that taught it (Normal-inverse-Gamma)."""

    def __init__(self, mean: float, spread: float, least: float) -> None:
        self.prior, self.least, self.values = (mean, spread), least, list[float]()

    def z(self, value: float, minutes: float) -> float:
        """How many spreads of so long a look a value is from the usual."""
        (mean, spread), kappa, n = self.prior, PRICE.prior_weight, len(self.values)
        seen = sum(self.values) / n if n else mean
        apart = kappa * n / (kappa + n) * (seen - mean) ** 2
        squares = kappa * spread**2 + sum((x - seen) ** 2 for x in self.values) + apart
        wide = max(self.least, sqrt(squares / (kappa + n)))
        wide *= sqrt(max(1.0, PRICE.usual_talk_minutes / minutes))
        return (value - (kappa * mean + n * seen) / (kappa + n)) / wide


def divergence_delay(strength: float, least: float, draws: Draws) -> float | None:
    """Meetings from the day on which price begins to take over to PRICE_EMOTION_DIVERGENCE."""
    at, talk = meetings(draws)
    ramp = strength * np.clip(at / RAMP_DAYS, 0.0, 1.0)
    odds = log(PRICE.prior_price_share) - log1p(-PRICE.prior_price_share)
    middle = 1.0 / (1.0 + np.exp(-odds - PRICE_SHIFT * ramp))
    wider = np.sqrt(PRICE.usual_talk_minutes / talk)
    # As with any share its spread is largest at one half.
    wide = np.sqrt(
        middle * (1.0 - middle) / (PRICE.prior_price_share * (1.0 - PRICE.prior_price_share))
    )
    share = middle + PRICE.prior_price_share_spread * wide * wider * draws.normal(size=len(at))
    share = np.clip(share, 0.0, 1.0)
    mood = PRICE.prior_valence - MOOD_SHIFT * ramp
    mood = mood + PRICE.prior_valence_spread * wider * draws.normal(size=len(at))
    shares = Usual(
        PRICE.prior_price_share, PRICE.prior_price_share_spread, PRICE.least_price_share_spread
    )
    moods = Usual(PRICE.prior_valence, PRICE.prior_valence_spread, PRICE.least_valence_spread)
    calm, dear, ewma, keep = list[int](), list[bool](), 0.0, 1.0 - PRICE.smoothing
    for place, now in enumerate(at):
        while calm and at[calm[0]] <= now - PRICE.guard_days:
            old = calm.pop(0)
            shares.values.append(share[old])
            moods.values.append(mood[old])
        price_z = shares.z(share[place], talk[place])
        ewma = keep * ewma + PRICE.smoothing * (price_z - moods.z(mood[place], talk[place])) / sqrt(
            2.0
        )
        dear.append(price_z >= PRICE.minimum_price_z)
        gone = keep ** (place + 1)
        spread = PRICE.smoothing / (2.0 - PRICE.smoothing) * (1.0 - gone**2)
        spread += (1.0 - gone) ** 2 / (PRICE.prior_weight + len(shares.values))
        level = ewma / sqrt(spread)
        if level < PRICE.mild_level:
            calm.append(place)
            continue
        recent = slice(max(0, place + 1 - RECENT_LOOKS), place + 1)
        falls = place > 0 and np.polyfit(at[recent], mood[recent], 1)[0] < 0.0
        if dear[-1] and sum(dear[recent]) >= PRICE.minimum_price_looks and falls and level >= least:
            return float((at[: place + 1] >= 0.0).sum()) or None
    return None


def concern_delay(strength: float, least: float, draws: Draws) -> float | None:
    """Asks from the day on which nobody answers any more to DELIVERY_CONCERN_RECURRENCE."""
    at = moments(draws, MEETINGS + THREADS, 0.0, AFTER)
    asks, sessions = list[float](), set[int]()
    heard = 0
    for conversation, now in enumerate(at):
        for _ in range(draws.poisson(strength)):
            heard += 1
            asks = [ask for ask in asks if ask > now - CONCERN.window_days * 5.0 / 7.0] + [now]
            sessions.add(conversation)
            if len(asks) >= least and len(sessions) >= CONCERN.sessions:
                return float(heard)
            if draws.random() >= UNANSWERED:
                asks, sessions = [], set()
    return None


def commitment_delay(strength: float, least: float, draws: Draws) -> float | None:
    """Remarks on the rollout as the customer's own to DELIVERY_COMMITMENT.

    Champion and technical lead are nearly always there, half of the four others; who is there speaks as
    readily as the next.
    """
    ready = np.array([0.9, 1.0, 0.5, 0.5, 0.5, 0.5])
    said = dict[int, float]()
    heard = 0
    for now in moments(draws, MEETINGS + THREADS, 0.0, AFTER):
        there = np.flatnonzero(draws.random(len(ready)) < ready)
        for _ in range(draws.poisson(strength)):
            heard += 1
            said[int(draws.choice(there))] = now
            oldest = now - COMMITMENT.window_days * 5.0 / 7.0
            if sum(at > oldest for at in said.values()) >= least:
                return float(heard)
    return None


Model = Callable[[float, float, Draws], float | None]
MODELS: Final[dict[Plant, tuple[Model, float, float]]] = {
    Plant.TECH_QUESTION_SURGE: (surge_delay, SURGE.recorded_level, SURGE.pushed_level),
    Plant.PRICE_DIVERGENCE: (divergence_delay, PRICE.mild_level, PRICE.high_level),
    Plant.DELIVERY_CONCERN: (concern_delay, CONCERN.asks, CONCERN.pushed_asks),
    Plant.DELIVERY_COMMITMENT: (commitment_delay, COMMITMENT.people, COMMITMENT.pushed_people),
}


def delays(plant: Plant, strength: float, level: Level) -> Found:
    """Delays of many deals."""
    model, recorded, pushed = MODELS[plant]
    draws = np.random.default_rng(7)
    return [
        model(strength, pushed if level is Level.PUSHED else recorded, draws) for _ in range(RUNS)
    ]


@pytest.mark.parametrize("row", rows(*MODELS))
def test_a_change_of_what_is_said_is_found_as_soon_as_the_table_says(row: Row) -> None:
    plant, level, strength = row
    assert_fits(row, delays(plant, strength, level))
