"""The statistic of a rule over the history of one opportunity or session, to be shown to people.

A history is run through the very state that the dataflow keeps, with one detector, so episodes are those of
the stream. Each version of an episode is a point. A detector that is `Gauged` is read after every step
besides: then the statistic is seen while nothing is on, too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from dealgraph.graph.model import ActionKind, SignalKind
from dealgraph.stream.opportunity import OpportunityState
from dealgraph.stream.signals.detector import Detector, Episode, Observed, Scope
from dealgraph.stream.signals.gauge import Gauge, Gauged
from dealgraph.stream.told import Change, InForce, Name, Told, bind


class Point(Struct, frozen=True):
    """The statistic at event time `at`, in ms; `threshold` is None when the rule states none then.

    `on` says whether a signal was on after it; `episode` is the one that changed at it, None for no change.
    """

    at: int
    statistic: float
    threshold: float | None
    on: bool
    episode: int | None = None


def series(
    detector: Detector[Any],
    actions: Sequence[Observed],
    aliases: Mapping[str, str],
    until: int,
    what: tuple[SignalKind, str],
    session: str = "",
) -> list[Point]:
    """Return the points of one kind and form over a history, in order of time.

    `actions` are all that stand, in the order (at, id), and `aliases` name the first id of a person, as an
    `OpportunityState` takes them. `session` is that of a signal of a session; time goes on to `until`.
    """
    watched = _Watched(detector, what[1])
    in_force = InForce(bind([watched]))
    state = OpportunityState(lambda at: in_force, aliases, _Nothing())
    changes: list[Change] = []
    for action in actions:
        if _belongs(action, session, detector.scope):
            changes += state.add(action, action.at)
    changes += state.wake(until)
    episodes = [c.episode for c in changes if (c.episode.kind, c.episode.form) == what]
    return _merged(watched.gauges, episodes)


def _merged(gauges: Mapping[int, Gauge], episodes: Sequence[Episode]) -> list[Point]:
    """Return points of both; at a moment at which episodes changed, theirs alone."""
    changed: dict[int, list[Episode]] = {}
    for episode in episodes:
        changed.setdefault(episode.at, []).append(episode)
    found: list[Point] = []
    on = False
    for at in sorted(gauges.keys() | changed.keys()):
        for one in changed.get(at, ()):
            on = one.cleared_at is None
            found.append(Point(at, one.statistic, one.threshold, on, one.number))
        if at not in changed:
            found.append(Point(at, gauges[at].statistic, gauges[at].threshold, on))
    return found


def _belongs(action: Observed, session: str, scope: Scope) -> bool:
    """Say whether an action bears on the detector: changes of stage and segment set the scene."""
    sets_scene = action.kind in (ActionKind.STAGE_CHANGE, ActionKind.FIELD_CHANGE)
    return scope is Scope.OPPORTUNITY or action.session == session or sets_scene


class _Nothing:
    """What was there before: nothing, since the whole history is given in order."""

    def actions(self) -> list[Observed]:
        """Return no actions."""
        return []

    def told(self) -> dict[Name, Told]:
        """Return that nothing was told."""
        return {}


class _Watched:
    """A detector whose statistic is noted on the way, by the moment, if it can be read."""

    def __init__(self, detector: Detector[Any], form: str) -> None:
        self._detector = detector
        self._form = form
        self._gauged = detector if isinstance(detector, Gauged) else None
        self.gauges: dict[int, Gauge] = {}
        self.rule: str = detector.rule
        self.version: str = detector.version
        self.scope: Scope = detector.scope
        self.topics: int = detector.topics

    def begin(self) -> Any:
        """Return the state of a scope in which nothing has happened yet."""
        return self._detector.begin()

    def observe(self, state: Any, action: Observed) -> Sequence[Episode]:
        """Take the next action, and note the statistic after it."""
        episodes = self._detector.observe(state, action)
        self._note(state, action.at)
        return episodes

    def wake(self, state: Any, at: int) -> Sequence[Episode]:
        """Take note of the time, and of the statistic then."""
        episodes = self._detector.wake(state, at)
        self._note(state, at)
        return episodes

    def _note(self, state: Any, at: int) -> None:
        gauge = self._gauged.gauge(state, self._form, at) if self._gauged is not None else None
        if gauge is not None:
            self.gauges[at] = gauge
