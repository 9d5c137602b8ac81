"""How often the hints of a session come for nothing, and how soon after a planted change.

Sessions are simulated under the priors that thresholds.yaml states: an hour, a stretch of customer talk
every 15 seconds.
"""

import random
from collections.abc import Callable
from typing import Any

from dealgraph.graph.model import Severity, Topic
from dealgraph.stream.signals.detector import Detector, Episode, Observed
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.conformance import run
from tests.support.observed import SECOND, START, observed

RULES = {detector.rule: detector for detector in detectors(load_thresholds())}
SESSIONS = 300
STRETCHES = 240
CHANGE = 120
STEP = 15 * SECOND

Speaker = Callable[[random.Random, int, bool], Observed]


def on_competitors(chance: random.Random, number: int, changed: bool) -> Observed:
    """0.5 mentions per 10 minutes of talk; after the change one in five stretches has one."""
    rate = 0.2 if changed else 0.05 * 10 / 60
    topics = (Topic.COMPETITOR,) if chance.random() < rate else ()
    return observed(number, START + number * STEP, *topics)


def on_price(chance: random.Random, number: int, changed: bool) -> Observed:
    """12 % on price in a neutral mood; after the change half on price, in a mood that sinks."""
    topics = (Topic.PRICE,) if chance.random() < (0.6 if changed else 0.12) else ()
    sunk = min(0.7, 0.06 * (number - CHANGE)) if changed else 0.0
    valence = max(-1.0, min(1.0, chance.gauss(0.05 - sunk, 0.4)))
    return observed(number, START + number * STEP, *topics, valence=valence)


def sessions(detector: Detector[Any], speak: Speaker, *, change: bool) -> list[list[Episode]]:
    """What is found in each session, `change` planted in the middle or not at all."""
    found = []
    for seed in range(SESSIONS):
        chance = random.Random(seed)
        stream = [speak(chance, n, change and n >= CHANGE) for n in range(STRETCHES)]
        found.append([episode for _, episode in run(detector, stream)])
    return found


def share_of_false_alarms(detector: Detector[Any], speak: Speaker, least: Severity) -> float:
    alarmed = [
        any(episode.severity >= least for episode in found)
        for found in sessions(detector, speak, change=False)
    ]
    return sum(alarmed) / SESSIONS


def delays(detector: Detector[Any], speak: Speaker) -> list[float]:
    """Minutes from the planted change to the first episode after it, for the sessions that have one."""
    change = START + CHANGE * STEP
    first = [
        next((e.at for e in found if e.raised_at >= change), None)
        for found in sessions(detector, speak, change=True)
    ]
    return [(at - change) / 60_000 for at in first if at is not None]


def test_competitor_rate_rarely_alarms_for_nothing() -> None:
    assert share_of_false_alarms(RULES["R1"], on_competitors, Severity.INFO) <= 0.05


def test_competitor_rate_finds_a_planted_change_within_minutes() -> None:
    found = delays(RULES["R1"], on_competitors)
    assert len(found) >= 0.95 * SESSIONS
    assert sum(found) / len(found) <= 8.0


def test_price_sensitivity_rarely_warns_for_nothing() -> None:
    assert share_of_false_alarms(RULES["R2"], on_price, Severity.WARNING) <= 0.05


def test_price_sensitivity_finds_a_planted_change_within_minutes() -> None:
    found = delays(RULES["R2"], on_price)
    assert len(found) >= 0.9 * SESSIONS
    assert sum(found) / len(found) <= 5.0
