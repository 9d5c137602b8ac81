"""Which hints a rep is told of during a talk: not the same kind again at once, and not too many.

The answer is a function of the episodes of the session, taken in the order of their beginning. So it needs no
memory of its own: the same log gives the same hints, after a crash, after a state was dropped, and in a
replay. Signals are recorded whatever it says.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Level, Severity
from dealgraph.stream.signals.detector import Episode

_TALK_MS: Final = 4 * 3_600_000
"""What began longer ago in the same session was another talk: chat rooms live for months."""


class HintPolicy(Struct, frozen=True):
    """Least time between two hints of a kind, in ms of event time, and most hints of a talk."""

    cool_down_ms: int
    per_session: int


def is_told(policy: HintPolicy, episode: Episode, session: Iterable[Episode]) -> bool:
    """Say whether people are told of an episode, given those known of its `session`.

    CRITICAL ones always are. Any other needs that no hint of its kind began within the cool-down
    before it, and that fewer than the most began before it in this talk. Only what people are told of
    counts; an episode that is less than sure (`Level.RECORDED`) never is.
    """
    if episode.level is not Level.PUSHED:
        return False
    if episode.severity is Severity.CRITICAL:
        return True
    place = _place(episode)
    oldest = episode.raised_at - _TALK_MS
    before = [
        other
        for other in session
        if other.level is Level.PUSHED and other.raised_at > oldest and _place(other) < place
    ]
    told: list[Episode] = []
    for other in [*sorted(before, key=_place), episode]:
        if other.severity is Severity.CRITICAL or _fits(policy, other, told):
            told.append(other)
    return told[-1:] == [episode]


def _fits(policy: HintPolicy, episode: Episode, told: list[Episode]) -> bool:
    soonest = episode.raised_at - policy.cool_down_ms
    again = any(other.kind is episode.kind and other.raised_at > soonest for other in told)
    return not again and len(told) < policy.per_session


def _place(episode: Episode) -> tuple[int, int, str, int]:
    return (episode.raised_at, int(episode.kind), episode.form, episode.number)
