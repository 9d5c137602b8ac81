"""What is planted into a deal, how strong, from when, and how it moves the deal's hidden states.

A plant changes rates from `start` on (business time), never words: detectors must find the change in what
people do. `STATE_SHIFTS` say what the same event does to the hidden states, and so to the outcome.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.scenario import Plant, Planting, Scenario

STATES: Final = ("need", "power", "champion", "budget", "competition", "pain", "paper")
"""The hidden states of a deal, each about N(0, 1) over deals."""

STATE_SHIFTS: Final[Mapping[Plant, Mapping[str, float]]] = {
    Plant.TECH_QUESTION_SURGE: {"need": 0.6},
    Plant.LEGAL_EARLY: {"paper": 1.0},
    Plant.LEGAL_LATE: {"paper": -1.0},
    Plant.LEGAL_OVERDUE: {"paper": -2.0, "power": -0.5},
    Plant.LEGAL_WITHDRAWN: {"paper": -2.0, "need": -0.5},
    Plant.WIDEN: {"power": 0.5, "need": 0.5},
    Plant.NARROW: {"need": -0.8},
    Plant.SINGLE_THREADED: {"power": -0.8},
    Plant.CHAMPION_SILENT: {"champion": -2.0},
    Plant.BUYER_ENTERED: {"power": 1.2},
    Plant.BUYER_FELL: {"power": -1.5},
    Plant.NO_POWER: {"power": -1.5},
    Plant.DELIVERY_CONCERN: {"need": -0.8},
    Plant.DELIVERY_ANSWERED_LATE: {},
    Plant.DELIVERY_COMMITMENT: {"need": 1.0},
    Plant.PRICE_DIVERGENCE: {"pain": 1.8},
    Plant.SLOWING: {"champion": -1.0},
    Plant.WARMING: {"champion": 1.0},
    Plant.GHOST: {"champion": -2.5, "need": -2.0},
}

WIN_WEIGHTS: Final[Mapping[str, float]] = {
    "need": 0.6, "power": 0.5, "champion": 0.6, "budget": 0.4,
    "competition": -0.5, "pain": -0.5, "paper": 0.2,
}  # fmt: skip
"""Weights of the hidden states in the log-odds of winning."""

ENDS_BADLY: Final = frozenset({Plant.LEGAL_OVERDUE, Plant.LEGAL_WITHDRAWN, Plant.GHOST})
"""After these a deal does not end well."""


class Planted(Struct):
    """A plant in a deal. `start` and `end` in ms since 1970 UTC; `strength` in the unit of the plant.

    `baseline` is the rate that it changes, just before; `implied` says that it follows from the way the
    deal takes and was not chosen. What was said is summed up while it is said: customer talk before and
    after the start, all and as far as it was observed, in ms; what counts for the plant (`hits`:
    questions, asks, mentions …), and the first ids of evidence.
    """

    plant: Plant
    strength: float
    start: int
    end: int
    baseline: float = 0.0
    implied: bool = False
    talk_before_ms: int = 0
    talk_after_ms: int = 0
    observed_before_ms: int = 0
    observed_after_ms: int = 0
    hits_before: int = 0
    hits_after: int = 0
    observed_hits_after: int = 0
    evidence: list[str] = []
    observed_evidence: list[str] = []

    def active(self, at: int) -> bool:
        """Say whether it works at a moment."""
        return self.start <= at < self.end


def choose_plant(scenario: Scenario, draws: Draws) -> tuple[Plant, Planting] | None:
    """Draw at most one plant for a deal, each with its share; None leaves the deal clean."""
    left = draws.unit()
    for plant, planting in scenario.signals.items():
        left -= planting.share
        if left < 0.0:
            return plant, planting
    return None


def choose_way(scenario: Scenario, draws: Draws) -> str:
    """Draw the way of a deal: each path with its share, else the standard one."""
    left = draws.unit()
    for path, share in scenario.paths.items():
        left -= share
        if left < 0.0:
            return path
    return "STANDARD"
