"""A segment whose people always ask twice as much: S1 alarms there for nothing until that was learnt.

`pytest -s -m long tests/stream/baselines/test_curious_segment.py` prints the figures of the README. The world
goes through the whole dataflow, which learns; deals that began after half a year are judged once by the
baselines of their day and once by the shipped ones.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec import Struct
from msgspec.structs import replace

from dealgraph.graph.model import Level, SignalKind
from dealgraph.server.compose import consent_policy, open_tagger
from dealgraph.server.settings import Settings, TaggingSettings
from dealgraph.stream.baselines.book import BaselineBook
from dealgraph.stream.baselines.record import all_baselines
from dealgraph.stream.calendar import DAY_MS, WEEK_MS
from dealgraph.stream.evaluation.histories import Histories, histories
from dealgraph.stream.evaluation.judging import rises
from dealgraph.stream.evaluation.plants import minimums
from dealgraph.stream.signals.detector import Detector
from dealgraph.stream.signals.thresholds import load_thresholds
from dealgraph.stream.world.people import competitors
from dealgraph.stream.world.scenario import Plant, Planting, Scenario, shipped_scenario
from dealgraph.stream.world.world import World
from tests.support.dealgraphs import opened

SEED: Final = 171
SETTINGS: Final = Settings(tagging=TaggingSettings(competitors=competitors()))
LATE: Final = 1_900_000_000_000
LEARNT_AFTER: Final = 180 * DAY_MS
GRACE: Final = 14 * DAY_MS
SURGE: Final = (SignalKind.TECH_QUESTION_SURGE, "")

DetectorsAt = Callable[[int], Sequence[Detector[Any]]]


class Figures(Struct):
    """Weeks of clean deals, false signals per level, plants asked for and found (recorded)."""

    deals: int = 0
    weeks: float = 0.0
    recorded: int = 0
    pushed: int = 0
    planted: int = 0
    found: int = 0


def scenario() -> Scenario:
    """The scenario for judging, for longer, with a curious segment and surges in one deal of ten."""
    return replace(
        shipped_scenario("judging"),
        days=420,
        opening_days=330.0,
        reps=40,
        deals_per_rep=12.0,
        curious={"large": 2.0},
        signals={Plant.TECH_QUESTION_SURGE: Planting(0.1, (2.2, 3.2))},
        hints={},
    )


def learn_from(world: World, folder: Path) -> BaselineBook:
    """Run a world through the dataflow, and return what was learnt on the way."""
    with opened(folder, SETTINGS, lambda: LATE) as dealgraph:
        chunk = []
        for event in world.events():
            world.truth.clear()
            if not event.broken:
                chunk.append(event.interaction)
            if len(chunk) == 5000:
                dealgraph.gate.publish(chunk)
                chunk = []
        dealgraph.gate.publish(chunk)
        dealgraph.runner.run_to_end()
        return BaselineBook(load_thresholds(), {}, list(all_baselines(dealgraph.log)))


def judged(seen: Histories, detectors_at: DetectorsAt, segments: Iterable[str]) -> Figures:
    """Return how S1 did in the later deals of some segments."""
    figures, wanted = Figures(), set(segments)
    since = min(truth.opened for truth in seen.deals.values()) + LEARNT_AFTER
    for name, truth in seen.deals.items():
        actions = seen.observed.get(name, [])
        if truth.segment not in wanted or not actions or truth.opened < since:
            continue
        until = min(truth.last + GRACE, seen.end)
        rules = [one for one in detectors_at(actions[0].at) if one.rule == "S1"]
        found = [rise for rise in rises(rules, actions, until) if rise.name == SURGE]
        if truth.clean:
            figures.deals += 1
            figures.weeks += (min(truth.close, until) - truth.opened) / WEEK_MS
            figures.recorded += sum(rise.level is Level.RECORDED for rise in found)
            figures.pushed += sum(rise.level is Level.PUSHED for rise in found)
        for plant in truth.planted:
            least = minimums().get(plant.plant)
            if least and least.reached(plant, until, actions, truth.legal_observed):
                figures.planted += 1
                figures.found += any(plant.start <= rise.at <= plant.end + GRACE for rise in found)
    return figures


def per_false(figures: Figures) -> float:
    """Weeks per false signal that is recorded."""
    return figures.weeks / max(1, figures.recorded)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_curious_segment_alarms_no_more_than_others_once_it_is_known(tmp_path: Path) -> None:
    book = learn_from(World(scenario(), SEED), tmp_path)
    tagger, policy = open_tagger(SETTINGS.tagging), consent_policy(SETTINGS)
    seen = histories(scenario(), SEED, tagger, policy)
    shipped = BaselineBook(load_thresholds(), {})
    figures = {
        (by, segments): judged(seen, one.detectors_at, segments)
        for by, one in (("shipped", shipped), ("learnt", book))
        for segments in (("large",), ("small", "middle"))
    }
    for (by, segments), one in figures.items():
        print(by, segments, one, f"one false in {per_false(one):.0f} weeks")
    before, after = (figures[by, ("large",)] for by in ("shipped", "learnt"))
    unlearnt, others = (figures[by, ("small", "middle")] for by in ("shipped", "learnt"))
    assert per_false(after) > 2 * per_false(before)
    assert min(per_false(after), per_false(others)) > per_false(unlearnt)
    assert after.found + others.found >= 0.8 * (after.planted + others.planted)
