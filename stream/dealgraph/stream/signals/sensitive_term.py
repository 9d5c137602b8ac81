"""R5 SENSITIVE_TERM: words come up that nobody should say, whoever says them.

    n    turns in the session with such words (topic SENSITIVE), since the talk was last calm
    on:  n ≥ 1, CRITICAL from n ≥ `critical_mentions` on      off: none for `calm_minutes`

Source: signals.md R5. Kickbacks, other people's personal data, a competitor's secrets: the words are
the tagger's, a tenant lays its own over them. Denied and quoted ones do not count. A customer's count
like a rep's: the rep is the one who must end the subject.
"""

from dealgraph.graph.model import SignalKind, Topic
from dealgraph.stream.signals.course import count_of
from dealgraph.stream.signals.detector import Detector
from dealgraph.stream.signals.slips import Slips, SlipState, SlipThresholds
from dealgraph.stream.signals.teams import by_team
from dealgraph.stream.signals.thresholds import Thresholds


class SensitiveTerm(Slips):
    """Watches for words that nobody should say."""

    rule = "R5"
    kind = SignalKind.SENSITIVE_TERM
    topic = Topic.SENSITIVE
    of_all = True
    definition = 1

    def explained(self, by_rep: int, by_others: int) -> str:
        """Return the sentence for people."""
        times = count_of(by_rep + by_others, "time", "times")
        others = "both sides" if by_rep else "the other side"
        return f"Words that nobody should say came up {times}, from {others if by_others else 'the rep'}."


def detectors(thresholds: Thresholds) -> tuple[Detector[SlipState], ...]:
    """Return the detector of this module."""
    return (by_team(thresholds, "sensitive_term", SlipThresholds, SensitiveTerm),)
