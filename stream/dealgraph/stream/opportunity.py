"""The state of one opportunity: its actions in order of event time, and the detectors over them.

The state is a function of the set of actions. An action that comes in order is fed to the detectors; one
that comes late makes every detector that needs it start anew and replay its scope, and what
changed by that is revised or retracted. The graph store holds the same actions, so a state can be dropped
at any time and loaded again.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, SignalKind, SignalState, Stage
from dealgraph.stream.signals.detector import Detector, Episode, Observed, Scope, State

_Key = tuple[int, str]
_Name = tuple[SignalKind, str, int]
_NEVER: Final[_Key] = (-(1 << 62), "")


class Bound(Struct, frozen=True):
    """A detector with its answers read once: they are asked for with every action."""

    detector: Detector[Any]
    rule: str
    needs: int
    by_session: bool


def bind(detectors: Sequence[Detector[Any]]) -> tuple[Bound, ...]:
    """Return detectors as an `OpportunityState` takes them."""
    return tuple(
        Bound(detector, detector.rule, detector.topics, detector.scope is Scope.SESSION)
        for detector in detectors
    )


class Change(Struct, frozen=True):
    """An episode of a detector changed. `before` is what was told of it until now, None when it is new."""

    detector: Detector[Any]
    session: str
    state: SignalState
    episode: Episode
    before: Episode | None
    rep: str


class _Told(Struct, frozen=True):
    """An episode that was told of, and the rep of the action that brought it."""

    episode: Episode
    rep: str


class _Running:
    """One detector at work on one scope, with the episodes it has told of."""

    __slots__ = ("last", "state", "told")

    def __init__(self, state: State) -> None:
        self.state = state
        self.last = _NEVER
        self.told: dict[_Name, _Told] = {}


class OpportunityState:
    """Actions and detectors of one opportunity (or of one session that has none)."""

    def __init__(self, detectors: Sequence[Bound], aliases: Mapping[str, str]) -> None:
        self._detectors = detectors
        self._aliases = aliases
        self._actions: list[Observed] = []
        self._newest = _NEVER
        self._stages: list[tuple[int, str, Stage]] = []
        self._recalled: set[str] = set()
        self._running: dict[tuple[str, str], _Running] = {}
        self.customer = ""
        self.recorded_at = 0
        self.last_sequence = -1

    def __len__(self) -> int:
        return len(self._actions)

    def knows(self, observed: Observed) -> bool:
        """Say whether this very action was added before."""
        key = _place(observed)
        if key > self._newest:
            return False
        at = bisect_left(self._actions, key, key=_place)
        return at < len(self._actions) and _place(self._actions[at]) == key

    def add(self, observed: Observed, *, recalled: bool) -> list[Change]:
        """Add an action that is not known yet and return what it changes."""
        key = _place(observed)
        if key > self._newest:
            self._newest = key
            self._actions.append(observed)
        else:
            self._actions.insert(bisect_left(self._actions, key, key=_place), observed)
        if recalled:
            self._recalled.add(observed.id)
            return []
        if observed.kind is ActionKind.STAGE_CHANGE:
            return self._change_stage(observed)
        if observed.kind is ActionKind.RECALL:
            return []
        return self._detect(key, observed)

    def recall(self, action: str) -> list[Change]:
        """Take an action back and return what that changes."""
        if action in self._recalled:
            return []
        self._recalled.add(action)
        known = next((seen for seen in self._actions if seen.id == action), None)
        if known is None:
            return []
        if known.kind is ActionKind.STAGE_CHANGE:
            self._stages.remove((known.at, known.id, known.stage))
            return self.replay()
        return self.replay(touching=known)

    def involves(self, people: frozenset[str]) -> bool:
        """Say whether any of `people` acted here."""
        return any(action.person in people for action in self._actions)

    def replay(self, touching: Observed | None = None) -> list[Change]:
        """Replay the detectors, all or those that see an action `touching`; return what changed."""
        changes: list[Change] = []
        for bound in self._detectors:
            if touching is not None and bound.needs and not bound.needs & touching.topics:
                continue
            for (rule, session), running in list(self._running.items()):
                touched = touching is None or session in ("", touching.session)
                if rule == bound.rule and touched:
                    changes += self._replay(bound, session, running)
        return changes

    def _change_stage(self, observed: Observed) -> list[Change]:
        insort(self._stages, (observed.at, observed.id, observed.stage))
        return [] if self._newest == _place(observed) else self.replay()

    def _detect(self, key: _Key, observed: Observed) -> list[Change]:
        changes: list[Change] = []
        seen: Observed | None = None
        for bound in self._detectors:
            if bound.needs and not bound.needs & observed.topics:
                continue
            session = observed.session if bound.by_session else ""
            if bound.by_session and not session:
                continue
            running = self._running.get((bound.rule, session))
            if running is None:
                running = _Running(bound.detector.begin())
                self._running[(bound.rule, session)] = running
            if key < running.last:
                changes += self._replay(bound, session, running)
                continue
            running.last = key
            if seen is None:
                seen = self._as_seen(observed)
            for episode in bound.detector.observe(running.state, seen):
                changes.append(self._note(bound.detector, session, running, episode, observed.rep))
        return changes

    def _note(
        self, detector: Detector[Any], session: str, running: _Running, episode: Episode, rep: str
    ) -> Change:
        name = (episode.kind, episode.form, episode.number)
        before = running.told.get(name)
        running.told[name] = _Told(episode, rep)
        if episode.cleared_at is not None:
            state = SignalState.CLEARED
        else:
            state = SignalState.RAISED if before is None else SignalState.UPDATED
        told = None if before is None else before.episode
        return Change(detector, session, state, episode, told, rep)

    def _replay(self, bound: Bound, session: str, running: _Running) -> list[Change]:
        """Run a detector anew over its scope and return what differs from what it told before."""
        told, detector = running.told, bound.detector
        running.state = detector.begin()
        running.told = {}
        running.last = _NEVER
        for action in self._scope(bound.needs, session):
            running.last = _place(action)
            for episode in detector.observe(running.state, self._as_seen(action)):
                name = (episode.kind, episode.form, episode.number)
                running.told[name] = _Told(episode, action.rep)
        changes: list[Change] = []
        for name, now in running.told.items():
            changes += _difference(detector, session, told.get(name), now)
        for name, gone in told.items():
            if name not in running.told:
                episode, retracted = gone.episode, SignalState.RETRACTED
                changes.append(Change(detector, session, retracted, episode, episode, gone.rep))
        return changes

    def _scope(self, needs: int, session: str) -> Iterator[Observed]:
        for observed in self._actions:
            if observed.kind is ActionKind.RECALL or observed.kind is ActionKind.STAGE_CHANGE:
                continue
            if session and observed.session != session:
                continue
            if (needs and not needs & observed.topics) or observed.id in self._recalled:
                continue
            yield observed

    def _as_seen(self, observed: Observed) -> Observed:
        """Return the action with the person after merges and with the stage of that time."""
        person = self._aliases.get(observed.person, observed.person)
        stage = Stage.UNKNOWN
        if self._stages:
            index = bisect_right(self._stages, (observed.at, observed.id, Stage.ONBOARDING))
            stage = self._stages[index - 1][2] if index else Stage.UNKNOWN
        if person == observed.person and stage == observed.stage:
            return observed
        return replace(observed, person=person, stage=stage)


def _place(action: Observed) -> _Key:
    return (action.at, action.id)


def _difference(
    detector: Detector[Any], session: str, before: _Told | None, after: _Told
) -> list[Change]:
    """Return the changes that lead from what was told before to what holds after a replay."""
    episode, rep = after.episode, after.rep
    if before is not None and before.episode == episode:
        return []
    cleared = episode.cleared_at is not None
    changes: list[Change] = []
    if before is None:
        changes.append(Change(detector, session, SignalState.RAISED, episode, None, rep))
    elif not cleared:
        changes.append(Change(detector, session, SignalState.REVISED, episode, before.episode, rep))
    if cleared:
        told = before.episode if before else episode
        changes.append(Change(detector, session, SignalState.CLEARED, episode, told, rep))
    return changes
