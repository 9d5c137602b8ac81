"""How often competitors usually come up in ten minutes of customer talk (R1)."""

from typing import Final

from dealgraph.stream.baselines.bounds import Values
from dealgraph.stream.baselines.lesson import NOTHING_SEEN, History, Lesson, as_they_are
from dealgraph.stream.baselines.sums import Seen, Sums, kept_part, shrunk
from dealgraph.stream.signals.competitor_rate import CompetitorRateThresholds, moments
from dealgraph.stream.signals.thresholds import Thresholds

_SECTION: Final = "competitor_rate"
_ALL: Final = ("", "")


def _prior(thresholds: Thresholds) -> float:
    return thresholds.section(_SECTION, CompetitorRateThresholds).usual_per_10_minutes


def _seen(history: History, thresholds: Thresholds) -> Seen:
    mentions, minutes = moments(history)
    if minutes <= 0.0:
        return NOTHING_SEEN
    counted, heard = kept_part(mentions, minutes, _prior(thresholds) / 10.0)
    return {_ALL: (mentions * counted, minutes * heard)}


def _usual(sums: Sums, thresholds: Thresholds) -> Values:
    if _ALL not in sums:
        return {}
    mentions, minutes = sums.numbers(_ALL)
    found = shrunk(_prior(thresholds), 10.0 * mentions / minutes, sums.deals(_ALL))
    return {"usual_per_10_minutes": max(0.01, found)}


COMPETITORS: Final = Lesson(
    _SECTION, frozenset({"usual_per_10_minutes"}), _seen, _usual, as_they_are(_SECTION)
)
"""R1."""
