"""The statistic of a rule over a history: the episodes of the stream, in order, and what lies between."""

from typing import Any

import pytest
from hypothesis import given, settings

from dealgraph.stream.series import series
from dealgraph.stream.signals.detector import Episode, Observed, Scope
from dealgraph.stream.signals.gauge import Gauge
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.deals import deals, later, random_deal

WIDE = [d for d in detectors(load_thresholds()) if d.scope is Scope.OPPORTUNITY]


@pytest.mark.parametrize("detector", WIDE, ids=lambda detector: detector.rule)
@given(stream=deals(120, paper=0.3))
@settings(max_examples=8, deadline=None)
def test_every_version_of_an_episode_is_a_point_and_nothing_else_names_one(
    detector: Any, stream: list[Observed]
) -> None:
    until = later(stream, 30) if stream else 0
    found: dict[tuple[Any, str], list[Episode]] = {}
    for episode in replay(detector, stream, until):
        found.setdefault((episode.kind, episode.form), []).append(episode)
    for what, episodes in found.items():
        points = series(detector, stream, {}, until, what)
        assert [point.at for point in points] == sorted(point.at for point in points)
        named = [(p.at, p.episode, p.on, p.statistic) for p in points if p.episode is not None]
        assert named == [(e.at, e.number, e.cleared_at is None, e.statistic) for e in episodes]


class Counting:
    """A detector that raises nothing and whose statistic is the number of actions."""

    rule, version, scope, topics = "T", "1", Scope.OPPORTUNITY, 0

    def begin(self) -> Any:
        return WIDE[0].begin()

    def observe(self, state: Any, action: Observed) -> list[Episode]:
        self.seen = getattr(self, "seen", 0) + 1
        return []

    def wake(self, state: Any, at: int) -> list[Episode]:
        return []

    def gauge(self, state: Any, form: str, at: int) -> Gauge:
        return Gauge(self.seen, 3.0)


def test_a_detector_that_can_be_read_shows_its_statistic_while_nothing_is_on() -> None:
    stream = random_deal(20, 4)
    points = series(Counting(), stream, {}, later(stream, 1), (1, ""))  # type: ignore[arg-type]
    assert points[-1].statistic == 20
    assert {point.threshold for point in points} == {3.0}
    assert not any(point.on for point in points)
