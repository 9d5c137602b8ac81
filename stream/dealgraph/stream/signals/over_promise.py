"""R4 OVER_PROMISE: the rep promises what nobody can keep.

    n    turns of the rep in the session that over-promise (topic OVER_PROMISE), since the talk was last calm
    on:  n ≥ 1, CRITICAL from n ≥ `critical_mentions` on      off: none for `calm_minutes`

Source: signals.md R4. What counts as such a promise is the tagger's word list ("guarantee you triple
the return"); a denied one ("I won't promise 100 %") does not count, nor does a customer's. One is enough:
it can be taken back while the customer still listens.
"""

from dealgraph.graph.model import SignalKind, Topic
from dealgraph.stream.signals.course import count_of
from dealgraph.stream.signals.detector import Detector
from dealgraph.stream.signals.slips import Slips, SlipState, SlipThresholds
from dealgraph.stream.signals.teams import by_team
from dealgraph.stream.signals.thresholds import Thresholds


class OverPromise(Slips):
    """Watches what the rep promises."""

    rule = "R4"
    kind = SignalKind.OVER_PROMISE
    topic = Topic.OVER_PROMISE
    of_all = False
    definition = 1

    def explained(self, by_rep: int, by_others: int) -> str:
        """Return the sentence for people."""
        times = count_of(by_rep, "time", "times")
        return f"The rep promised {times} more than anybody can keep."


def detectors(thresholds: Thresholds) -> tuple[Detector[SlipState], ...]:
    """Return the detector of this module."""
    return (by_team(thresholds, "over_promise", SlipThresholds, OverPromise),)
