"""Compares simulated delays with the table that `dealgraph signals evaluate` measures against."""

from collections.abc import Sequence

import pytest

from dealgraph.graph.model import Level
from dealgraph.stream.evaluation.delays import expected_delays
from dealgraph.stream.world.scenario import Plant

Found = Sequence[float | None]
"""Delays of simulated deals, None where the change was not found, or something was raised before it."""

Row = tuple[Plant, Level, float]


def rows(*plants: Plant) -> list[Row]:
    """All rows of the table for some plants: plant, level, strength."""
    return [
        (plant, level, strength)
        for plant in plants
        for level in Level
        for strength in expected_delays()[plant].strengths
    ]


def assert_fits(row: Row, found: Found) -> None:
    """Fail unless nearly all are found, and the mean is what the table says to 5 %."""
    plant, level, strength = row
    delays = [delay for delay in found if delay is not None]
    mean = sum(delays) / len(delays)
    print(plant, level.name, strength, f"{len(delays) / len(found):.2f} {mean:.2f}")
    assert len(delays) >= 0.8 * len(found)
    assert mean == pytest.approx(expected_delays()[plant].at(strength, level), rel=0.05, abs=0.05)
