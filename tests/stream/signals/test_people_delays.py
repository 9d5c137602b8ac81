"""How soon S3 and S4 find a change, from their formulas: the rows of `evaluation/delays.yaml`.

The deal is one of scenario `tuning`: a champion, a technical lead, a buyer, and others who come to half of
the meetings; a message in a chat and a mail are of one person, buyers excepted. `pytest -s` prints what comes
out.
"""

from collections.abc import Callable
from functools import cache
from math import ceil, exp, log, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
import pytest
from msgspec import Struct

from dealgraph.graph.model import Level
from dealgraph.stream.signals.champion_silence import ChampionThresholds
from dealgraph.stream.signals.economic_buyer_contact import BuyerContactThresholds
from dealgraph.stream.signals.economic_buyer_shift import EconomicBuyerThresholds
from dealgraph.stream.signals.stakeholder_breadth_shift import BreadthThresholds
from dealgraph.stream.signals.thresholds import load_thresholds
from dealgraph.stream.world.scenario import Plant
from tests.support.delay_tables import Found, Row, assert_fits, rows
from tests.support.paces import (
    MAILS,
    MEETINGS,
    MORE_ANSWERS,
    THREADS,
    Bools,
    Draws,
    Floats,
    calendar,
    moments,
)

SHIPPED: Final = load_thresholds()
BREADTH: Final = SHIPPED.section("stakeholder_breadth_shift", BreadthThresholds)
BUYER: Final = SHIPPED.section("economic_buyer_shift", EconomicBuyerThresholds)
CONTACT: Final = SHIPPED.section("economic_buyer_contact", BuyerContactThresholds)
CHAMPION: Final = SHIPPED.section("champion_silence", ChampionThresholds)
RUNS: Final = 400
BEFORE: Final = 25.0
"""Working days before a change."""
AFTER: Final = 40.0
CHAMPION_SEAT, LEAD_SEAT, BUYER_SEAT = range(3)
SIZES: Final = ((1, 2), (2, 4), (4, 6))
SEGMENTS: Final = (0.4, 0.4, 0.2)
"""Of six more people so many belong to the committee, by segment, and how frequent segments are."""
BUYER_READY: Final = 0.25
NEEDED: Final = {Plant.WIDEN: 6, Plant.NARROW: 3, Plant.SINGLE_THREADED: 0}
"""People whom a deal needs for the change."""
ANSWER_DAYS: Final = 0.13
"""From one answer in a chat to the next: an hour."""
BUYER_BEFORE: Final = {Plant.BUYER_ENTERED: (14.0, 32.0), Plant.BUYER_FELL: (20.0, 34.0)}
"""Working days of the deal before the change."""
LEAST_BEFORE: Final = 6
"""Meetings that a plant must have before it to be asked for: thirty minutes of talk."""
DRIFTS: Final = {Plant.BUYER_ENTERED: (BUYER.entered, 1.0), Plant.BUYER_FELL: (BUYER.fell, -1.0)}


class People(Struct, frozen=True):
    """A committee: how likely each comes to a meeting, and who seldom writes (columns: seats)."""

    ready: Floats
    buyers: Bools


def committee(draws: Draws, needed: int) -> People:
    """Champion, lead, buyer, those whom a plant needs, and some of the users and executives of the world."""
    low, high = SIZES[draws.choice(3, p=SEGMENTS)]
    more = draws.permutation(6)[: draws.integers(low, high + 1)]
    # The first of the six is an executive, the second of the paper process and not there yet.
    executives, others = int((more == 0).sum()), int((more > 1).sum())
    ready = [0.9, 1.0, BUYER_READY, *draws.uniform(0.35, 0.65, needed + others)]
    seats = np.arange(len(ready) + executives)
    return People(
        np.array(ready + [BUYER_READY] * executives),
        (seats == BUYER_SEAT) | (seats >= len(ready)),
    )


def appearances(draws: Draws, people: People, before: Bools, after: Bools) -> tuple[Floats, Bools]:
    """When somebody appears (working days), and who, if some are away before the change or after it."""
    seats = np.arange(len(people.ready))
    found: list[tuple[float, Bools]] = []
    for at in moments(draws, MEETINGS, -BEFORE, AFTER):
        ready = np.where(before if at < 0.0 else after, 0.0, people.ready)
        there = draws.random(len(seats)) < ready
        found.append((at, there if there.any() else seats == np.argmax(ready)))
    for per_week, more in ((THREADS, MORE_ANSWERS), (MAILS, 0.0)):
        for at in moments(draws, per_week, -BEFORE, AFTER):
            writers = seats[~(people.buyers | (before if at < 0.0 else after))]
            for number in range(1 + draws.poisson(more)):
                found.append((at + ANSWER_DAYS * number, seats == draws.choice(writers)))
    found.sort(key=lambda one: one[0])
    return np.array([at for at, _ in found]), np.array([there for _, there in found])


def clock_of(at: Floats) -> Floats:
    """The clock of the circle at each appearance (calendar days), 0 at the change."""
    clock = np.concatenate([[0.0], np.cumsum(np.minimum(np.diff(at), BREADTH.longest_gap_days))])
    first = int(np.searchsorted(at, 0.0))
    begun: Floats = clock - clock[first] + min(at[first], BREADTH.longest_gap_days)
    return begun


def breadth(clock: Floats, there: Bools, half_life: float) -> Floats:
    """B = Σ 2^(−Δτ / half-life) at each appearance."""
    last = np.maximum.accumulate(np.where(there, clock[:, None], -np.inf), axis=0)
    total: Floats = np.exp2((last - clock[:, None]) / half_life).sum(axis=1)
    return total


def change_of_breadth(clock: Floats, there: Bools) -> Floats:
    """z at each appearance, 0 where too little was known a lag before."""
    b = breadth(clock, there, BREADTH.half_life_days)
    then = np.searchsorted(clock, clock - BREADTH.lag_days, side="right") - 1
    known = (then >= 0) & (np.cumsum(there.sum(axis=1))[then] >= BREADTH.minimum_appearances)
    z = (b - b[then] - BREADTH.prior_change) / BREADTH.prior_change_spread
    return np.where(known, z, 0.0)


def first_after(clock: Floats, reached: Bools) -> float | None:
    """When something is reached, 0 being the change; None where it was reached before, or never is."""
    places = np.flatnonzero(reached)
    return None if not len(places) or clock[places[0]] < 0.0 else float(clock[places[0]])


def change_of_circle(plant: Plant, strength: float, draws: Draws) -> tuple[People, Bools, Bools]:
    """A committee, who is away before the change and who after it."""
    people = committee(draws, NEEDED[plant])
    seats = np.arange(len(people.ready))
    nobody = np.zeros(len(seats), dtype=bool)
    if plant is Plant.WIDEN:
        return people, (seats > BUYER_SEAT) & (seats <= BUYER_SEAT + round(strength)), nobody
    return people, nobody, seats > (LEAD_SEAT if plant is Plant.NARROW else CHAMPION_SEAT)


@cache
def circles(plant: Plant, strength: float) -> list[tuple[Floats, Bools]]:
    """The clock of deals with a change of the circle, and who appears when."""
    draws, found = np.random.default_rng(3), list[tuple[Floats, Bools]]()
    for _ in range(RUNS):
        at, there = appearances(draws, *change_of_circle(plant, strength, draws))
        found.append((clock_of(calendar(at, int(draws.integers(5)))), there))
    return found


def circle_delays(plant: Plant, strength: float, level: Level) -> Found:
    """Days of the clock of the circle from the change to WIDEN, NARROW or SINGLE_THREADED."""
    found, pushed = list[float | None](), level is Level.PUSHED
    for clock, there in circles(plant, strength):
        if plant is Plant.SINGLE_THREADED:
            few = BREADTH.single_pushed_people if pushed else BREADTH.single_people
            threads = breadth(clock, there, BREADTH.single_half_life_days)
            found.append(
                first_after(clock, (threads < few) & (clock >= 0.0))
            )  # there is an offer since
            continue
        side, limits = (1.0, BREADTH.widen) if plant is Plant.WIDEN else (-1.0, BREADTH.narrow)
        least = limits.pushed_level if pushed else limits.level
        found.append(first_after(clock, side * change_of_breadth(clock, there) >= least))
    return found


def longest_wait(waits: Floats, survival: float) -> float:
    """The wait (working days) that is survived with so small a chance, after those that were."""
    weight, count = CHAMPION.prior_weight, CHAMPION.prior_weight + len(waits)
    logs = np.log(np.maximum(CHAMPION.least_days, waits))
    mean = (weight * CHAMPION.prior_log_days + logs.sum()) / count
    square = weight * (CHAMPION.prior_log_spread**2 + CHAMPION.prior_log_days**2)
    spread = sqrt(((logs**2).sum() + square) / count - mean**2) * sqrt(1.0 + 1.0 / count)
    z = NormalDist().inv_cdf(1.0 - survival)
    return max(CHAMPION.minimum_days, exp(mean + (z + (z**3 + z) / (4.0 * count)) * spread))


def champion_delay(draws: Draws, survival: float) -> float | None:
    """Working days from the change, in the midst of a wait of the champion, to CHAMPION_SILENT."""
    spread = CHAMPION.prior_log_spread
    heard = -BEFORE + np.cumsum(np.exp(CHAMPION.prior_log_days + spread * draws.normal(size=200)))
    heard = heard[heard < 0.0]
    missed = moments(draws, MEETINGS + THREADS + MAILS, heard[-1], AFTER)
    least = ceil(log(CHAMPION.missed_probability) / log(1.0 - CHAMPION.prior_share))
    told = max(heard[-1] + longest_wait(np.diff(heard), survival), missed[least - 1])
    return float(told) if told >= 0.0 else None


def champion_delays(plant: Plant, strength: float, level: Level) -> Found:
    """Working days from the change to CHAMPION_SILENT."""
    survival = CHAMPION.pushed_survival if level is Level.PUSHED else CHAMPION.survival
    draws = np.random.default_rng(4)
    return [champion_delay(draws, survival) for _ in range(RUNS)]


def buyer_delays(plant: Plant, strength: float, level: Level) -> Found:
    """Conversations from a change of the buyer's participation to ENTERED or FELL."""
    draws = np.random.default_rng(5)
    return [buyer_delay(plant, strength, level, draws) for _ in range(RUNS)]


def buyer_delay(plant: Plant, strength: float, level: Level, draws: Draws) -> float | None:
    """One deal; in every second one an executive comes as often as the buyer."""
    alarm, side = DRIFTS[plant]
    least = alarm.pushed_level if level is Level.PUSHED else alarm.level
    buyers = 1 + draws.integers(2)
    entered = plant is Plant.BUYER_ENTERED
    at = moments(draws, MEETINGS, -draws.uniform(*BUYER_BEFORE[plant]), AFTER)
    if (at < 0.0).sum() < LEAST_BEFORE:
        return buyer_delay(plant, strength, level, draws)
    days, number = calendar(at), 0
    chance = np.where((at >= 0.0) == entered, strength, 0.02 if entered else 0.0)
    came = draws.random(len(at)) < 1.0 - (1.0 - chance) ** buyers
    total, since = 0.0, 0
    for place, y in enumerate(came.astype(float)):
        old = days[:place] <= days[place] - BUYER.window_days
        count, seen = int(old.sum()), float(came[:place][old].sum())
        mean = (BUYER.prior_weight * BUYER.prior_participation + seen) / (
            BUYER.prior_weight + count
        )
        u = (y - mean) / max(BUYER.least_spread, sqrt(mean * (1.0 - mean)))
        total = max(0.0, total + side * u - alarm.drift)
        since = since if total > 0.0 else place + 1
        number += at[place] >= 0.0
        known = (
            count >= BUYER.minimum_conversations
            if entered
            else (came[:since].sum() >= BUYER.minimum_attended)
        )
        if known and total >= least and bool(y) == entered:
            return float(number) if number else None
    return None


def contact_delays(plant: Plant, strength: float, level: Level) -> Found:
    """Days from a proposal that nobody with power has heard of to NO_POWER."""
    draws, found, pushed = np.random.default_rng(6), list[float | None](), level is Level.PUSHED
    chance = CONTACT.pushed_probability if pushed else CONTACT.probability
    least = ceil(log(chance) / log(1.0 - CONTACT.usual_participation))
    for _ in range(RUNS):
        days = calendar(moments(draws, MEETINGS, -36.0, AFTER))
        found.append(max(CONTACT.grace_days if pushed else 0.0, float(days[least - 1])))
    return found


MODELS: Final[dict[Plant, Callable[[Plant, float, Level], Found]]] = {
    Plant.WIDEN: circle_delays,
    Plant.NARROW: circle_delays,
    Plant.SINGLE_THREADED: circle_delays,
    Plant.CHAMPION_SILENT: champion_delays,
    Plant.BUYER_ENTERED: buyer_delays,
    Plant.BUYER_FELL: buyer_delays,
    Plant.NO_POWER: contact_delays,
}


@pytest.mark.parametrize("row", rows(*MODELS))
def test_a_change_of_who_takes_part_is_found_as_soon_as_the_table_says(row: Row) -> None:
    plant, level, strength = row
    assert_fits(row, MODELS[plant](plant, strength, level))
