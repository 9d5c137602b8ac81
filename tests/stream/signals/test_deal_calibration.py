"""How soon S1 and S6 are raised after a change, and how seldom without one: the tables of the README.

Deals are simulated under the priors of `thresholds.yaml`: a meeting every 4.5 days in which the customer
talks for five minutes, twelve meetings before a change and thirty after it. `pytest -s` prints the figures.
"""

import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

import pytest

from dealgraph.graph.model import ActionKind, Level, Role, Topic
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.observed import DAY, HOUR, SECOND, START, observed

RULES: Final = {detector.rule: detector for detector in detectors(load_thresholds())}
DEALS: Final = 60
BEFORE: Final = 12
AFTER: Final = 30
REMARKS: Final = 30
GAP: Final = 4 * DAY + 12 * HOUR
QUESTION_SHARE: Final = 0.27 / 6
"""Of remarks of ten seconds, at the prior rate of 0.27 a minute."""

Remark = Callable[[random.Random, int, int, float], Observed]


def asking(chance: random.Random, number: int, at: int, strength: float) -> Observed:
    """A remark; questions of a technical lead are `strength` times as frequent as usual."""
    asks = chance.random() < QUESTION_SHARE * strength
    kind = ActionKind.QUESTION if asks else ActionKind.STATEMENT
    return observed(number, at, kind=kind, role=Role.TECH_LEAD)


def drifting(chance: random.Random, number: int, at: int, strength: float) -> Observed:
    """A remark; price and mood are `strength` spreads of a meeting away from the usual, both ways."""
    topics = [Topic.PRICE] if chance.random() < 0.165 + 0.07 * strength else []
    mood = max(-1.0, min(1.0, chance.gauss(0.02 - 0.075 * strength, 0.4)))
    return observed(number, at, *topics, valence=mood)


WATCHED: Final = {"S1": (asking, 1.0), "S6": (drifting, 0.0)}
"""What is said for a rule to watch, and the strength at which nothing is changed."""


@cache
def delays(rule: str, strength: float) -> dict[Level, list[int]]:
    """Meetings from the change to the first episode that began or grew after it, where there is one."""
    detector, (remark, calm) = RULES[rule], WATCHED[rule]
    change = START + BEFORE * GAP
    found: dict[Level, list[int]] = {Level.RECORDED: [], Level.PUSHED: []}
    for seed in range(DEALS):
        stream = list(deal(remark, random.Random(seed), calm, strength))
        episodes = list(replay(detector, stream, stream[-1].at + DAY))
        for level, meetings in found.items():
            rises = (e.at for e in episodes if e.at >= change and e.level >= level)
            if (first := next(rises, None)) is not None:
                meetings.append((first - change) // GAP + 1)
    return found


def deal(remark: Remark, chance: random.Random, calm: float, strength: float) -> Iterator[Observed]:
    for number in range((BEFORE + AFTER) * REMARKS):
        meeting, place = divmod(number, REMARKS)
        at = START + meeting * GAP + place * 10 * SECOND
        yield remark(chance, number, at, calm if meeting < BEFORE else strength)


@pytest.mark.parametrize(
    ("rule", "strength", "level", "meetings"),
    [
        ("S1", 2.0, Level.RECORDED, 7.5),
        ("S1", 3.0, Level.RECORDED, 3.6),
        ("S1", 3.0, Level.PUSHED, 5.4),
        ("S6", 2.0, Level.RECORDED, 4.8),
        ("S6", 3.0, Level.RECORDED, 2.4),
        ("S6", 3.0, Level.PUSHED, 2.5),
    ],
)
def test_a_change_is_found_as_fast_as_the_table_says(
    rule: str, strength: float, level: Level, meetings: float
) -> None:
    found = delays(rule, strength)[level]
    print(rule, strength, level.name, len(found) / DEALS, sum(found) / len(found))
    assert len(found) >= 0.9 * DEALS
    assert sum(found) / len(found) == pytest.approx(meetings, rel=0.2)


@pytest.mark.parametrize(
    ("rule", "level", "most"),
    [
        ("S1", Level.RECORDED, 0.2),
        ("S1", Level.PUSHED, 0.03),
        ("S6", Level.RECORDED, 0.05),
        ("S6", Level.PUSHED, 0.02),
    ],
)
def test_calm_deals_seldom_raise(rule: str, level: Level, most: float) -> None:
    false = len(delays(rule, WATCHED[rule][1])[level]) / DEALS
    print(rule, level.name, false)
    assert false <= most
