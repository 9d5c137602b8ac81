"""A shard of the keyed state: many opportunities under one key of the dataflow.

One dataflow key per opportunity would cost a snapshot each; a shard holds a dictionary instead. States
are a cache over the graph store: the least recently used are dropped once what they caused is
committed, and made again from their actions when the next one comes or a timer is due.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import (
    OPEN,
    ActionKind,
    DecisionSignal,
    NodeRef,
    Severity,
    SignalKind,
    SignalState,
)
from dealgraph.graph.storage import StorageError
from dealgraph.graph.store import GraphStore, Timer
from dealgraph.stream.alerts import Alert, alert_for
from dealgraph.stream.hints import HintPolicy, is_told
from dealgraph.stream.history import Slot
from dealgraph.stream.interaction import Reason, Rejected
from dealgraph.stream.observation import action_of, observed_of
from dealgraph.stream.opportunity import FIRST
from dealgraph.stream.signals.detector import NEVER
from dealgraph.stream.steps import (
    Merged,
    Outcome,
    Passed,
    Place,
    Swept,
    Tagged,
    TakenBack,
    poisoned,
    shard_of,
    state_key,
)
from dealgraph.stream.timers import Timers
from dealgraph.stream.told import Change, InForceAt
from dealgraph.stream.versions import Scope, signal_of

_OWN_ACTIONS: Final = FIRST[0]
"""Horizon of a state that was not swept yet: time goes as far as its own actions."""


class Rules(Struct, frozen=True):
    """What the keyed state applies: the detectors in force, suggestions and how hints are told.

    A suggestion is asked for by kind, severity, state and form.
    """

    in_force_at: InForceAt
    suggestion: Callable[[SignalKind, Severity, SignalState, str], str]
    hints: HintPolicy


class _News(Struct):
    """What a part of a record changed, gathered over the states that it touched."""

    signals: tuple[DecisionSignal, ...] = ()
    alerts: tuple[Alert, ...] = ()
    timers: tuple[Timer, ...] = ()


class Shard:
    """Keyed state of the opportunities of one shard.

    `committed` returns the sequence number up to which the graph holds everything; `hot_actions` is the
    number of actions kept in memory before states are dropped.
    """

    def __init__(
        self,
        shards: int,
        rules: Rules,
        graph: GraphStore,
        committed: Callable[[], int],
        hot_actions: int,
    ) -> None:
        self._shards = shards
        self._rules = rules
        self._graph = graph
        self._committed = committed
        self._hot_actions = hot_actions
        self._held = 0
        self._slots: OrderedDict[str, Slot] = OrderedDict()
        self._aliases: dict[str, str] = {}
        self._timers = Timers()
        self._swept = graph.event_time().swept

    def __len__(self) -> int:
        return len(self._slots)

    def rename(self, renamed: Iterable[tuple[NodeRef, NodeRef]]) -> None:
        """Note that ids belong to persons with these first ids."""
        for alias, first in renamed:
            self._aliases[alias.id] = first.id

    def load_timers(self, timers: Iterable[Timer]) -> None:
        """Take over the stored timers of this shard."""
        self._timers.load(timers)

    def take(self, part: Tagged | Merged | TakenBack | Swept | Passed) -> Outcome:
        """Take the next part and return what it adds. A part that cannot be handled is rejected."""
        if isinstance(part, Tagged):
            return self._take_tagged(part)
        if isinstance(part, Passed):
            return Outcome(part.place, rejected=part.rejected)
        if isinstance(part, Swept):
            return self._sweep(part)
        try:
            return self._take_back(part) if isinstance(part, TakenBack) else self._merge(part)
        except StorageError:
            raise
        except Exception:
            # The graph still notes the recall or the merge; states are made anew from it.
            for slot in self._slots.values():
                slot.state = None
            interaction = part.interaction if isinstance(part, Merged) and not part.shard else None
            return Outcome(part.place, interaction)

    def _take_tagged(self, tagged: Tagged) -> Outcome:
        key = state_key(tagged.interaction)
        try:
            return self._add(tagged, key)
        except StorageError:
            raise
        except Exception as error:
            # What the record left half done goes with the state, which is made anew without it.
            if slot := self._slots.get(key):
                slot.state = None
                slot.in_flight.drop(tagged.place.sequence)
            rejected = poisoned(tagged.interaction, error, "its signals were looked for")
            return Outcome(tagged.place, rejected=rejected)

    def _add(self, tagged: Tagged, key: str) -> Outcome:
        place, interaction = tagged.place, tagged.interaction
        action = action_of(tagged)
        if len(key) == 2:
            return Outcome(place, interaction, action)
        news = _News()
        slot = self._slot(key, place, news)
        observed = observed_of(action)
        if slot.knows(observed):
            return Outcome(place)
        if interaction.customer and interaction.customer != slot.customer:
            slot.customer = min(interaction.customer, slot.customer or interaction.customer)
        if action.recorded_at > slot.recorded_at:
            slot.recorded_at = action.recorded_at
        slot.in_flight.add(place.sequence, observed)
        if tagged.recalled_at != OPEN:
            slot.in_flight.recall(place.sequence, observed.id)
        elif action.kind is not ActionKind.RECALL:
            state = slot.opened()
            if state.newest == FIRST and observed.at <= self._swept:
                # Its past may still be coming in: silence counts from the next sweep on.
                news.timers += self._timers.ask(key, observed.at)
            changes = state.add(observed, self._horizon(key))
            news.timers += self._timers.ask(key, state.due)
            if changes:
                self._tell(news, place, key, slot, changes, tagged.id)
        self._weigh(slot)
        return Outcome(place, interaction, action, news.signals, news.alerts, None, news.timers)

    def _take_back(self, part: TakenBack) -> Outcome:
        news = _News()
        slot = self._slot(part.key, part.place, news)
        slot.in_flight.recall(part.place.sequence, part.action)
        self._renew(news, part.place, part.key, slot, part.action)
        return Outcome(part.place, None, None, news.signals, news.alerts, None, news.timers)

    def _merge(self, merged: Merged) -> Outcome:
        """Tell every opportunity of the renamed people that they are one, and see what changes."""
        people = [alias for alias, _ in merged.renamed]
        ids = frozenset(person.id for person in people)
        keys = {key for key, slot in self._slots.items() if slot.involves(ids)}
        for opportunity in self._graph.opportunities_of(people):
            key = "o:" + opportunity
            if shard_of(key, self._shards) == merged.shard:
                keys.add(key)
        news = _News()
        slots = [(key, self._slot(key, merged.place, news)) for key in sorted(keys)]
        self.rename(merged.renamed)
        for key, slot in slots:
            cause = f"{merged.interaction.native_id}\x1f{key}"
            self._renew(news, merged.place, key, slot, cause)
        # Every shard answers for the record, one of them brings the edge between the two people.
        interaction = merged.interaction if merged.shard == 0 else None
        return Outcome(
            merged.place, interaction, None, news.signals, news.alerts, None, news.timers
        )

    def _sweep(self, part: Swept) -> Outcome:
        """See to the timers that are due: time alone may have changed something."""
        until, news = part.event_time.swept, _News()
        broken: Rejected | None = None
        for key in self._timers.until(until):
            try:
                slot = self._slot(key, part.place, news)
                state = slot.opened()
                changes = state.wake(until)
                news.timers += self._timers.set(key, state.due)
                self._tell(news, part.place, key, slot, changes, f"{until}\x1f{key}")
                self._weigh(slot)
            except StorageError:
                raise
            except Exception as error:
                self._slots[key].state = None
                news.timers += self._timers.set(key, NEVER)
                detail = f"{type(error).__name__} while silence was looked at"
                broken = Rejected("timer", key, Reason.FAILED, detail)
        self._swept = until
        return Outcome(
            part.place, None, None, news.signals, news.alerts, broken, news.timers, part.event_time
        )

    def _renew(self, news: _News, place: Place, key: str, slot: Slot, cause: str) -> None:
        state = slot.opened()
        changes = state.renew(self._horizon(key))
        news.timers += self._timers.ask(key, state.due)
        self._tell(news, place, key, slot, changes, cause)
        self._weigh(slot)

    def _horizon(self, key: str) -> int:
        """Return up to when silence counts: as far as time was swept, unless that is still to come."""
        return self._swept if self._timers.due(key) > self._swept else _OWN_ACTIONS

    def _tell(
        self,
        news: _News,
        place: Place,
        key: str,
        slot: Slot,
        changes: Sequence[Change],
        cause: str,
    ) -> None:
        """Note the new versions of signals, and the alerts among them."""
        # Nothing can be known before all that it rests on.
        slot.recorded_at = max(slot.recorded_at, place.recorded_at)
        for change in changes:
            slot.in_flight.tell(place.sequence, change)
            episode = change.episode
            form, severity = episode.form, episode.severity
            advice = self._rules.suggestion(episode.kind, severity, change.state, form)
            usual_by = slot.opened().baselines
            scope = Scope(key, change.session, slot.customer, slot.recorded_at, usual_by)
            signal = signal_of(episode, change.state, change.detector, scope, change.rep, advice)
            news.signals += (signal,)
            alert = alert_for(signal, change.before, cause)
            if alert is not None and self._is_told(slot, change):
                news.alerts += (alert,)

    def _is_told(self, slot: Slot, change: Change) -> bool:
        """Say whether people hear of a change: what is found in a talk is told with measure."""
        if not change.session:
            return True
        session = slot.opened().of_session(change.session)
        return any(
            is_told(self._rules.hints, episode, session)
            for episode in (change.episode, change.before)
            if episode is not None
        )

    def _slot(self, key: str, place: Place, news: _News) -> Slot:
        """Return the slot of a key, with a state that is up to date."""
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = Slot(key, self._graph, self._rules.in_force_at, self._aliases)
            self._drop_idle()
        else:
            self._slots.move_to_end(key)
        slot.last_sequence = place.sequence
        slot.in_flight.settle(self._committed())
        if slot.state is None:
            state = slot.open()
            changes = state.renew(self._horizon(key))
            # What was told by other thresholds, or not yet, is put right when the state is made.
            self._tell(news, place, key, slot, changes, f"{place.offset}\x1f{key}")
            self._weigh(slot)
        return slot

    def _weigh(self, slot: Slot) -> None:
        weight = slot.weight
        slot.weight = slot.weighed()
        self._held += slot.weight - weight

    def _drop_idle(self) -> None:
        """Drop the least recently used states whose effects the graph holds."""
        committed = self._committed()
        while self._held > self._hot_actions and len(self._slots) > 1:
            key, slot = next(iter(self._slots.items()))
            if slot.last_sequence > committed:
                return
            del self._slots[key]
            # A state knows its slot: untied, both are free at once instead of when cycles are looked for.
            slot.state = None
            self._held -= slot.weight
