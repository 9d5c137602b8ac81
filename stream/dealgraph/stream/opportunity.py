"""The state of one opportunity: the states of its detectors, and a way back for what comes late.

The state is a function of the set of actions and of how far event time has come. An action that comes in
order is fed to the detectors. For one that comes late an earlier state is taken, kept as bytes every few
actions, and what came after it is replayed; what changed by that is revised or retracted. One that is
later still, a recall or a merge makes the detectors start anew from all actions, as the graph holds them.
So a state is small whatever the length of a deal, and can be dropped at any time.

What is usual is learnt from the stream (`baselines/`). A deal is judged all its life by what was known when
it began, at the event time of its first action; when an earlier one comes late, it is judged anew.

Detectors of a session start anew after `_SESSION_GAP_MS` without an action in it: a chat room that lives for
months is many talks. Their episodes go on counting.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from msgspec import Struct

from dealgraph.graph.model import ActionKind, Stage
from dealgraph.stream.at_work import NO_EPISODES, AtWork, Found, Numbers, Saved
from dealgraph.stream.observation import placed
from dealgraph.stream.signals.detector import NEVER, Episode, Observed
from dealgraph.stream.told import Change, InForce, InForceAt, Name, Told, differences, news

_Key = tuple[int, str]

FIRST: Final[_Key] = (-(1 << 62), "")
"""The place before all actions: `newest` of a state that has none."""
_EVERY: Final = 32
"""Actions between two kept states."""
_SESSION_GAP_MS: Final = 4 * 3_600_000


class History(Protocol):
    """All of an opportunity, from the graph and from what is on its way to it."""

    def actions(self) -> list[Observed]:
        """Return the actions that stand, in the order (at, id)."""
        ...

    def told(self) -> dict[Name, Told]:
        """Return what was told of all episodes."""
        ...


class _Kept(Struct, frozen=True):
    """All detectors as they were after the action at `place`, with timers seen to until `awake`."""

    place: _Key
    awake: int
    stage: Stage
    segment: str
    rep: str
    whole: Saved | None
    talks: Mapping[str, Saved]
    ended: Mapping[str, Numbers]
    told: Mapping[Name, Told]


_START: Final = _Kept(FIRST, FIRST[0], Stage.UNKNOWN, "", "", None, {}, {}, {})


class OpportunityState:
    """Detectors of one opportunity (or of one session that has none), after all its actions.

    `horizon` is always the event time up to which silence counts, beside what the actions themselves show.
    """

    def __init__(
        self, in_force_at: InForceAt, aliases: Mapping[str, str], history: History
    ) -> None:
        self._in_force_at = in_force_at
        self._judge_by(in_force_at(FIRST[0]))
        self._aliases = aliases
        self._history = history
        self._collected: dict[Name, Told] | None = None
        self._kept: list[_Kept] = []
        self._tail: list[Observed] = []
        self._since_kept = 0
        self._whole = AtWork(self._of_deal)
        self._talks: dict[str, AtWork] = {}
        self._ended: dict[str, Numbers] = {}
        self._told: dict[Name, Told] = {}
        self._awake = FIRST[0]
        self._segment = self._rep = ""
        self.stage = Stage.UNKNOWN
        self.newest = FIRST
        self.due = NEVER
        self._return_to(_START, [])

    def _judge_by(self, in_force: InForce) -> None:
        bounds = in_force.bounds
        self._of_deal = tuple(bound for bound in bounds if not bound.by_session)
        self._of_talk = tuple(bound for bound in bounds if bound.by_session)
        self._rules = {bound.rule: bound for bound in bounds}
        self.baselines = in_force.baselines

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
        found: list[tuple[int, str, int, Found]] = []
        for work in (self._whole, *self._talks.values()):
            if work.due <= until:
                found += [(at, work.session, place, one) for at, place, one in work.wake(until)]
                # Also where it said nothing: the state has moved on, and what is earlier is late now.
                self._awake = max(self._awake, work.awake)
        self.due = min((w.due for w in (self._whole, *self._talks.values())), default=NEVER)
        found.sort(key=lambda item: item[:3])
        return [self._tell(session, one) for _, session, _, one in found]

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
        if self.newest == FIRST:
            self._begin(action.at)
        changes = self.wake(action.at) if self.due <= action.at else []
        staged = action.kind is ActionKind.STAGE_CHANGE
        self.stage = action.stage if staged else self.stage
        self._segment = action.segment or self._segment
        self._rep = action.rep or self._rep
        seen = placed(action, self.stage, self._segment, self._aliases)
        whole = self._whole
        changes += [self._tell("", one) for one in whole.observe(seen, staged=staged)]
        self.due = min(self.due, whole.due)
        if action.session and not staged:
            talk = self._talk(action.session, action.at)
            changes += [self._tell(talk.session, one) for one in talk.observe(seen, staged=False)]
            self.due = min(self.due, talk.due)
        self._tail.append(action)
        self.newest = (action.at, action.id)
        self._since_kept += 1
        if self._since_kept >= _EVERY:
            self._keep()
        return changes

    def _begin(self, at: int) -> None:
        """Take the detectors as they judge a deal that begins now."""
        in_force = self._in_force_at(at)
        if in_force.baselines != self.baselines:
            self._judge_by(in_force)
            self._whole = AtWork(self._of_deal)

    def _talk(self, session: str, at: int) -> AtWork:
        """Return the detectors of a session, set to work anew after a long pause."""
        talk = self._talks.get(session)
        if talk is None:
            talk = AtWork(self._of_talk, session, self._ended.pop(session, NO_EPISODES))
            self._talks[session] = talk
        elif at - talk.last_at > _SESSION_GAP_MS:
            talk = self._talks[session] = AtWork(self._of_talk, session, talk.numbers)
        return talk

    def _tell(self, session: str, found: Found) -> Change:
        bound, episode = found
        name = (bound.rule, session, episode.kind, episode.form, episode.number)
        before, told = self._told.get(name), Told(episode, self._rep)
        self._told[name] = told
        if self._collected is not None:
            self._collected[name] = told
        return news(bound, session, episode, before, self._rep)

    def _keep(self) -> None:
        """Keep the state as it is, to return to; let go of what no return can need."""
        self._since_kept = 0
        long_ago = self.newest[0] - _SESSION_GAP_MS
        for session, talk in list(self._talks.items()):
            if talk.last_at < long_ago and talk.due == NEVER:
                del self._talks[session]
                if talk.numbers:
                    self._ended[session] = talk.numbers
        earlier = self._kept[-1]
        self._tail = self._tail[bisect_right(self._tail, earlier.place, key=_place) :]
        self._told = _recent(self._told, earlier.place)
        kept = _Kept(
            self.newest, self._awake, self.stage, self._segment, self._rep, self._whole.save(),
            {session: talk.save() for session, talk in self._talks.items()},
            dict(self._ended), dict(self._told),
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
        if kept.whole is None:
            self._whole = AtWork(self._of_deal)
        else:
            self._whole = AtWork.resumed(self._of_deal, "", kept.whole)
        self._talks = {
            session: AtWork.resumed(self._of_talk, session, saved)
            for session, saved in kept.talks.items()
        }
        self.due = min((w.due for w in (self._whole, *self._talks.values())), default=NEVER)


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
