"""How much of a conversation people with power usually take part in (S4)."""

from typing import Final

from dealgraph.stream.baselines.bounds import Values
from dealgraph.stream.baselines.lesson import NOTHING_SEEN, History, Lesson, as_they_are
from dealgraph.stream.baselines.sums import Seen, Sums, shrunk
from dealgraph.stream.signals.participation import listener, moments
from dealgraph.stream.signals.thresholds import Thresholds

_ALL: Final = ("", "")


def _seen(history: History, thresholds: Thresholds) -> Seen:
    count, total, _ = moments(history, listener(thresholds))
    return {_ALL: (float(count), total)} if count else NOTHING_SEEN


def _lesson(section: str, name: str) -> Lesson:
    def usual(sums: Sums, thresholds: Thresholds) -> Values:
        prior = thresholds.sections.get(section, {}).get(name)
        if _ALL not in sums or not isinstance(prior, int | float):
            return {}
        count, total = sums.numbers(_ALL)
        found = shrunk(float(prior), total / count, sums.deals(_ALL))
        return {name: min(0.99, max(0.01, found))}

    return Lesson(section, frozenset({name}), _seen, usual, as_they_are(section))


PARTICIPATION: Final = (
    _lesson("economic_buyer_shift", "prior_participation"),
    _lesson("economic_buyer_contact", "usual_participation"),
)
"""S4 and S4-NO-POWER."""
