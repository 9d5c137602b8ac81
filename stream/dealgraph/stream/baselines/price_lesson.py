"""How much of the talk is usually about price, and in what mood customers usually are (S6)."""

from math import sqrt
from typing import Final

from dealgraph.stream.baselines.bounds import Values
from dealgraph.stream.baselines.lesson import NOTHING_SEEN, History, Lesson, as_they_are
from dealgraph.stream.baselines.sums import Seen, Sums, shrunk
from dealgraph.stream.signals.price_emotion_divergence import (
    PriceEmotionDivergenceThresholds,
    moments,
)
from dealgraph.stream.signals.thresholds import Thresholds

_SECTION: Final = "price_emotion_divergence"
_ALL: Final = ("", "")


def _limits(thresholds: Thresholds) -> PriceEmotionDivergenceThresholds:
    return thresholds.section(_SECTION, PriceEmotionDivergenceThresholds)


def _seen(history: History, thresholds: Thresholds) -> Seen:
    """Add up looks, shares of price and their squares, valences and their squares."""
    looks = moments(history, _limits(thresholds))
    if not looks:
        return NOTHING_SEEN
    shares, moods = zip(*looks, strict=True)
    squares = (sum(x * x for x in shares), sum(x * x for x in moods))
    return {_ALL: (float(len(looks)), sum(shares), squares[0], sum(moods), squares[1])}


def _usual(sums: Sums, thresholds: Thresholds) -> Values:
    if _ALL not in sums:
        return {}
    limits = _limits(thresholds)
    looks, share, share_squares, mood, mood_squares = sums.numbers(_ALL)
    share_spread = _spread(looks, share, share_squares)
    mood_spread = _spread(looks, mood, mood_squares)
    found = {
        "prior_price_share": share / looks,
        "prior_price_share_spread": max(share_spread, limits.least_price_share_spread),
        "prior_valence": mood / looks,
        "prior_valence_spread": max(mood_spread, limits.least_valence_spread),
    }
    deals = sums.deals(_ALL)
    return {name: shrunk(getattr(limits, name), value, deals) for name, value in found.items()}


def _spread(count: float, total: float, squares: float) -> float:
    mean = total / count
    return sqrt(max(0.0, squares / count - mean * mean))


PRICE: Final = Lesson(
    _SECTION,
    frozenset(
        ("prior_price_share", "prior_price_share_spread", "prior_valence", "prior_valence_spread")
    ),
    _seen,
    _usual,
    as_they_are(_SECTION),
)
"""S6."""
