"""The state of one opportunity: the states of its detectors, and a way back for what comes late.

The state is a function of the set of actions and of how far event time has come. An action that comes in
order is fed to the detectors. For one that comes late an earlier state is taken, kept as bytes every few
actions, and what came after it is replayed; what changed by that is revised or retracted. One that is
later still, a recall or a merge makes the detectors start anew from all actions, as the graph holds them.
So a state is small whatever the length of a deal, and can be dropped at any time.

Detectors of a session start anew after `_SESSION_GAP_MS` without an action in it: a chat room that lives for
months is many talks. Their episodes go on counting.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, SignalKind, Stage
from dealgraph.stream.observation import placed
from dealgraph.stream.signals.detector import NEVER, Episode, Observed, State
from dealgraph.stream.told import Bound, Change, Name, Told, differences, news

_Key = tuple[int, str]
_Where = tuple[int, str]
_Counts = Mapping[tuple[SignalKind, str], int]

FIRST: Final[_Key] = (-(1 << 62), "")
"""The place before all actions: `newest` of a state that has none."""
_NONE: Final[_Counts] = {}
_EVERY: Final = 32
"""Actions between two kept states."""
_SESSION_GAP_MS: Final = 4 * 3_600_000
_encode: Final = msgspec.msgpack.Encoder().encode


class History(Protocol):
    """All of an opportunity, from the graph and from what is on its way to it."""

    def actions(self) -> list[Observed]:
        """Return the actions that stand, in the order (at, id)."""
        ...

    def told(self) -> dict[Name, Told]:
        """Return what was told of all episodes."""
        ...


class _Running:
    """A detector at work on the opportunity or on one session of it.

    `base` holds how many episodes each (kind, form) had when the session started anew, `counts` how many
    it has now. `stored` is the state as bytes, None when it changed since.
    """

    __slots__ = ("base", "counts", "last_at", "state", "stored")

    def __init__(self, state: State, base: _Counts, counts: _Counts, last_at: int) -> None:
        self.state = state
        self.base = base
        self.counts = dict(counts)
        self.last_at = last_at
        self.stored: bytes | None = None


class _Saved(Struct, frozen=True):
    """A running detector as it is kept."""

    state: bytes
    base: _Counts
    counts: _Counts
    last_at: int


class _Kept(Struct, frozen=True):
    """All detectors as they were after the action at `place`, with timers seen to until `awake`."""

    place: _Key
    awake: int
    stage: Stage
    segment: str
    rep: str
    running: Mapping[_Where, _Saved]
    ended: Mapping[_Where, _Counts]
    told: Mapping[Name, Told]


_START: Final = _Kept(FIRST, FIRST[0], Stage.UNKNOWN, "", "", {}, {}, {})


class OpportunityState:
    """Detectors of one opportunity (or of one session that has none), after all its actions.

    `horizon` is always the event time up to which silence counts, beside what the actions themselves show.
    """

    def __init__(
        self, detectors: Sequence[Bound], aliases: Mapping[str, str], history: History
    ) -> None:
        self._detectors = detectors
        self._rules = {bound.rule: bound for bound in detectors}
        self._aliases = aliases
        self._history = history
        self._collected: dict[Name, Told] | None = None
        self._kept: list[_Kept] = []
        self._tail: list[Observed] = []
        self._since_kept = 0
        self._running: dict[_Where, _Running] = {}
        self._ended: dict[_Where, _Counts] = {}
        self._told: dict[Name, Told] = {}
        self._awake = FIRST[0]
        self._segment = self._rep = ""
        self.stage = Stage.UNKNOWN
        self.newest = FIRST
        self.due = NEVER
        self._return_to(_START, [])

    def __len__(self) -> int:
        return len(self._tail)

    def involves(self, people: frozenset[str]) -> bool:
        """Say whether any of `people` acted lately."""
        return any(action.person in people for action in self._tail)

    def of_session(self, session: str) -> list[Episode]:
        """Return the episodes of a session, at least those of its newest talk."""
        return [told.episode for name, told in self._told.items() if name[1] == session]

    def add(self, action: Observed, horizon: int) -> list[Change]:
        """Add an action that is not known yet and return what it changes."""
        if (action.at, action.id) <= self.newest or action.at < self._awake:
            return self._go_back(action, horizon)
        changes = self._go_on(action)
        return changes + self.wake(horizon) if self.due <= horizon else changes

    def wake(self, until: int) -> list[Change]:
        """Let time go on without an action, and return what that changes."""
        found: list[tuple[int, int, str, Change]] = []
        self.due = NEVER
        for (index, session), running in self._running.items():
            state, detector = running.state, self._detectors[index].detector
            while state.due <= until:
                at, running.stored = state.due, None
                for episode in detector.wake(state, at):
                    found.append((at, index, session, self._tell(index, session, episode)))
                if state.due <= at:
                    raise ValueError(f"{detector.rule} was woken at {at} and asks for {state.due}")
                self._awake = max(self._awake, at)
            self.due = min(self.due, state.due)
        found.sort(key=lambda item: item[:3])
        return [change for *_, change in found]

    def renew(self, horizon: int) -> list[Change]:
        """Start anew from all that is known, and return how that differs from what was told."""
        before = self._history.told()
        self._return_to(_START, [])
        return self._catch_up(self._history.actions(), horizon, before)

    def _go_back(self, action: Observed, horizon: int) -> list[Change]:
        """Return to a state before a late action, and replay what came since."""
        place = (action.at, action.id)
        kept = next(
            (one for one in reversed(self._kept) if one.place < place and one.awake <= action.at),
            None,
        )
        if kept is None:
            return self.renew(horizon)
        split = bisect_right(self._tail, kept.place, key=_place)
        again = self._tail[split:]
        insort(again, action, key=_place)
        before = dict(self._told)
        self._return_to(kept, self._tail[:split])
        return self._catch_up(again, horizon, before)

    def _catch_up(
        self, actions: Iterable[Observed], horizon: int, before: Mapping[Name, Told]
    ) -> list[Change]:
        self._collected = after = dict(self._told)
        for action in actions:
            self._go_on(action)
        if self.due <= horizon:
            self.wake(horizon)
        self._collected = None
        return differences(self._rules, before, after)

    def _go_on(self, action: Observed) -> list[Change]:
        """Take the next action in order."""
        changes = self.wake(action.at) if self.due <= action.at else []
        staged = action.kind is ActionKind.STAGE_CHANGE
        self.stage = action.stage if staged else self.stage
        self._segment = action.segment or self._segment
        self._rep = action.rep or self._rep
        seen = placed(action, self.stage, self._segment, self._aliases)
        session = action.session
        for index, bound in enumerate(self._detectors):
            if bound.by_session:
                if staged or not session or (bound.needs and not bound.needs & action.topics):
                    continue
                where = session
            elif bound.needs and not staged and not bound.needs & action.topics:
                continue
            else:
                where = ""
            running = self._at_work(index, where, action.at)
            for episode in bound.detector.observe(running.state, seen):
                changes.append(self._tell(index, where, episode))
            self.due = min(self.due, running.state.due)
        self._tail.append(action)
        self.newest = (action.at, action.id)
        self._since_kept += 1
        if self._since_kept >= _EVERY:
            self._keep()
        return changes

    def _at_work(self, index: int, session: str, at: int) -> _Running:
        """Return a detector that is at work, or set it to work."""
        where = (index, session)
        running = self._running.get(where)
        if running is None or (session and at - running.last_at > _SESSION_GAP_MS):
            counts = self._ended.pop(where, _NONE) if running is None else running.counts
            state = self._detectors[index].detector.begin()
            running = self._running[where] = _Running(state, counts, counts, at)
        running.last_at = at
        running.stored = None
        return running

    def _tell(self, index: int, session: str, episode: Episode) -> Change:
        bound, running = self._detectors[index], self._running[(index, session)]
        form = (episode.kind, episode.form)
        earlier = running.base.get(form, 0)
        if earlier:
            episode = replace(episode, number=episode.number + earlier)
        running.counts[form] = episode.number + 1
        name = (bound.rule, session, episode.kind, episode.form, episode.number)
        before, told = self._told.get(name), Told(episode, self._rep)
        self._told[name] = told
        if self._collected is not None:
            self._collected[name] = told
        return news(bound, session, episode, before, self._rep)

    def _keep(self) -> None:
        """Keep the state as it is, to return to; let go of what no return can need."""
        self._since_kept = 0
        running: dict[_Where, _Saved] = {}
        long_ago = self.newest[0] - _SESSION_GAP_MS
        for where, one in list(self._running.items()):
            if where[1] and one.last_at < long_ago and one.state.due == NEVER:
                del self._running[where]
                if one.counts:
                    self._ended[where] = one.counts
                continue
            if one.stored is None:
                one.stored = _encode(one.state)
            running[where] = _Saved(one.stored, one.base, dict(one.counts), one.last_at)
        earlier = self._kept[-1]
        self._tail = self._tail[bisect_right(self._tail, earlier.place, key=_place) :]
        self._told = _recent(self._told, earlier.place)
        kept = _Kept(
            self.newest, self._awake, self.stage, self._segment, self._rep,
            running, dict(self._ended), dict(self._told),
        )  # fmt: skip
        self._kept = [earlier, kept]

    def _return_to(self, kept: _Kept, tail: list[Observed]) -> None:
        """Take up a kept state; `tail` are the actions up to it that are held."""
        earlier = [] if kept is _START else [o for o in self._kept if o.place < kept.place]
        self._kept = [*earlier, kept]
        self._tail = tail
        self._since_kept = 0
        self.newest, self._awake = kept.place, kept.awake
        self.stage, self._segment, self._rep = kept.stage, kept.segment, kept.rep
        self._ended = dict(kept.ended)
        self._told = _recent(kept.told, self._kept[0].place)
        self._running = {where: self._resumed(where, one) for where, one in kept.running.items()}
        self.due = min((one.state.due for one in self._running.values()), default=NEVER)

    def _resumed(self, where: _Where, saved: _Saved) -> _Running:
        state = self._detectors[where[0]].decode(saved.state)
        running = _Running(state, saved.base, saved.counts, saved.last_at)
        running.stored = saved.state
        return running


def _recent(told: Mapping[Name, Told], place: _Key) -> dict[Name, Told]:
    """Leave out the episodes that nothing after `place` can change."""
    at = place[0]
    return {
        name: one
        for name, one in told.items()
        if one.episode.at >= (at - _SESSION_GAP_MS if name[1] else at)
        or (one.episode.cleared_at is None and not name[1])
    }


def _place(action: Observed) -> _Key:
    return (action.at, action.id)
