"""How soon S2 finds a change, from its formulas: the rows of `evaluation/delays.yaml`.

`pytest -s` prints the figures.
"""

from collections.abc import Callable
from math import asinh
from typing import Final

import numpy as np
import pytest

from dealgraph.graph.model import Level
from dealgraph.stream.signals.legal_reference import LegalWindowThresholds
from dealgraph.stream.signals.thresholds import load_thresholds
from dealgraph.stream.world.scenario import Plant
from tests.support.delay_tables import Found, Row, assert_fits, rows
from tests.support.paces import Floats

LEGAL: Final = load_thresholds().section("legal_window_shift", LegalWindowThresholds)
RUNS: Final = 1500
TALK: Final = 0.77
"""Part of the working days on which the customer is heard."""
FIRST_PRESENCE: Final = 0.9
"""How likely legal is heard on a day of talk just after it came: its stage begins then."""
USUAL_DAYS: Final = 9.0
USUAL_SPREAD: Final = 0.3
"""From a proposal to legal in `tuning`, and the spread of its asinh: the unit of a plant's strength."""


def overdue_delays(plant: Plant, strength: float, level: Level) -> Found:
    """Working days from the proposal until so small a chance is left, with talk on a part of them."""
    chance = LEGAL.pushed_probability if level is Level.PUSHED else LEGAL.recorded_probability
    return list(working_days_until_overdue(TALK, chance))


def working_days_until_overdue(talk: float, chance: float) -> Floats:
    draws = np.random.default_rng(5)
    missed, reached = np.zeros(RUNS), np.zeros(RUNS)
    found = np.zeros(RUNS)
    for day in range(1, 61):
        now = LEGAL.usual.proposal.reached(day * 7.0 / 5.0)
        heard = draws.random(RUNS) < talk
        grown = (missed + now - reached) * (1.0 - LEGAL.presence)
        missed, reached = np.where(heard, grown, missed), np.where(heard, now, reached)
        found[heard & (missed + 1.0 - reached <= chance) & (found == 0)] = day
    return found


def silent_days_until_withdrawn(legal_days: int, other_days: int, chance: float) -> int:
    """Days of talk without legal until so small a chance is left."""
    a = LEGAL.presence_weight * LEGAL.presence + legal_days
    b = LEGAL.presence_weight * (1.0 - LEGAL.presence) + other_days
    left, days = 1.0, 0
    while left > chance or days < LEGAL.silent_days:
        left *= (b + days) / (a + b + days)
        days += 1
    return days


def withdrawn_delays(plant: Plant, strength: float, level: Level) -> Found:
    """Days of talk from legal's leaving, four working days after it came, to WITHDRAWN."""
    chance = LEGAL.pushed_probability if level is Level.PUSHED else LEGAL.recorded_probability
    draws, found = np.random.default_rng(13), list[float | None]()
    for _ in range(RUNS):
        heard = [True, *(draws.random(int((draws.random(3) < TALK).sum())) < FIRST_PRESENCE)]
        silent = heard[::-1].index(True)
        legal = sum(heard)
        needed = silent_days_until_withdrawn(legal, len(heard) - silent - legal, chance)
        found.append(float(max(1, needed - silent)))
    return found


def shifted_delays(plant: Plant, strength: float, level: Level) -> Found:
    """Days with legal from its coming so many spreads too early or late to EARLY or LATE: the first."""
    away = USUAL_SPREAD * (strength if plant is Plant.LEGAL_LATE else -strength)
    z = abs(asinh(USUAL_DAYS) + away - LEGAL.usual.proposal.median) / LEGAL.usual.proposal.spread
    least = LEGAL.pushed_z if level is Level.PUSHED else LEGAL.recorded_z
    return [1.0 if z >= least else None]


MODELS: Final[dict[Plant, Callable[[Plant, float, Level], Found]]] = {
    Plant.LEGAL_OVERDUE: overdue_delays,
    Plant.LEGAL_WITHDRAWN: withdrawn_delays,
    Plant.LEGAL_EARLY: shifted_delays,
    Plant.LEGAL_LATE: shifted_delays,
}


@pytest.mark.parametrize("row", rows(*MODELS))
def test_legal_that_shifts_is_found_as_soon_as_the_table_says(row: Row) -> None:
    plant, level, strength = row
    assert_fits(row, MODELS[plant](plant, strength, level))


@pytest.mark.parametrize(
    ("talk", "recorded", "pushed"), [(0.77, 12.8, 14.6), (0.38, 16.7, 19.1), (1.0, 11.9, 13.6)]
)
def test_the_less_is_recorded_the_later_legal_is_overdue(
    talk: float, recorded: float, pushed: float
) -> None:
    assert working_days_until_overdue(talk, 0.05).mean() == pytest.approx(recorded, rel=0.1)
    assert working_days_until_overdue(talk, 0.02).mean() == pytest.approx(pushed, rel=0.1)


def test_legal_has_withdrawn_after_so_many_days_without_it() -> None:
    silent = {
        seen: [silent_days_until_withdrawn(*seen, chance) for chance in (0.05, 0.02)]
        for seen in ((0, 0), (2, 1), (5, 1))
    }
    assert silent == {(0, 0): [5, 7], (2, 1): [4, 6], (5, 1): [3, 4]}
