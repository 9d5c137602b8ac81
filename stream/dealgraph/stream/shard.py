"""A shard of the keyed state: many opportunities under one key of the dataflow.

One dataflow key per opportunity would cost a snapshot each; a shard holds a dictionary instead. States
are a cache over the graph store: the least recently used are dropped once what they caused is
committed, and loaded again from their actions when the next one comes.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from dealgraph.graph.model import (
    OPEN,
    Action,
    DecisionSignal,
    EdgeKind,
    NodeKind,
    NodeRef,
    Severity,
    SignalKind,
    SignalState,
)
from dealgraph.graph.storage import StorageError
from dealgraph.graph.store import EdgeQuery, GraphStore, TimelineQuery
from dealgraph.stream.alerts import Alert, alert_for
from dealgraph.stream.observation import action_of, observed_of
from dealgraph.stream.opportunity import Change, OpportunityState, bind
from dealgraph.stream.signals.detector import Detector
from dealgraph.stream.steps import (
    Merged,
    Outcome,
    Passed,
    Place,
    Tagged,
    TakenBack,
    poisoned,
    shard_of,
    state_key,
)

_PAGE: Final = 5000


class Rules(Struct, frozen=True):
    """What the keyed state applies: the detectors, and a suggestion per kind, severity, state and form."""

    detectors: Sequence[Detector[Any]]
    suggestion: Callable[[SignalKind, Severity, SignalState, str], str]


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
        self._detectors = bind(rules.detectors)
        self._graph = graph
        self._committed = committed
        self._hot_actions = hot_actions
        self._held = 0
        self._states: OrderedDict[str, OpportunityState] = OrderedDict()
        self._aliases: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._states)

    def rename(self, renamed: Iterable[tuple[NodeRef, NodeRef]]) -> None:
        """Note that ids belong to persons with these first ids."""
        for alias, first in renamed:
            self._aliases[alias.id] = first.id

    def take(self, part: Tagged | Merged | TakenBack | Passed) -> Outcome:
        """Take the next part and return what it adds. A part that cannot be handled is rejected."""
        if isinstance(part, Tagged):
            return self._take_tagged(part)
        if isinstance(part, Passed):
            return Outcome(part.place, rejected=part.rejected)
        try:
            return self._take_back(part) if isinstance(part, TakenBack) else self._merge(part)
        except StorageError:
            raise
        except Exception:
            # The graph still notes the recall or the merge; states are loaded anew from it.
            for key in list(self._states):
                self._forget(key)
            interaction = part.interaction if isinstance(part, Merged) and not part.shard else None
            return Outcome(part.place, interaction)

    def _take_tagged(self, tagged: Tagged) -> Outcome:
        try:
            return self._add(tagged)
        except StorageError:
            raise
        except Exception as error:
            # What the record left half done goes with the state, which is loaded anew.
            self._forget(state_key(tagged.interaction))
            rejected = poisoned(tagged.interaction, error, "its signals were looked for")
            return Outcome(tagged.place, rejected=rejected)

    def _add(self, tagged: Tagged) -> Outcome:
        place, interaction = tagged.place, tagged.interaction
        action = action_of(tagged)
        key = state_key(interaction)
        if len(key) == 2:
            return Outcome(place, interaction, action)
        state = self._state(key, place.sequence)
        observed = observed_of(action)
        if state.knows(observed):
            return Outcome(place)
        if interaction.customer and interaction.customer != state.customer:
            state.customer = min(interaction.customer, state.customer or interaction.customer)
        state.recorded_at = max(state.recorded_at, action.recorded_at)
        self._held += 1
        changes = state.add(observed, recalled=tagged.recalled_at != OPEN)
        if not changes:
            return Outcome(place, interaction, action)
        signals, alerts = self._told(place, key, state, changes, tagged.id)
        return Outcome(place, interaction, action, signals, alerts)

    def _take_back(self, part: TakenBack) -> Outcome:
        state = self._state(part.key, part.place.sequence)
        changes = state.recall(part.action)
        signals, alerts = self._told(part.place, part.key, state, changes, part.action)
        return Outcome(part.place, signals=signals, alerts=alerts)

    def _merge(self, merged: Merged) -> Outcome:
        """Tell every opportunity of the renamed people that they are one, and see what changes."""
        people = [alias for alias, _ in merged.renamed]
        ids = frozenset(person.id for person in people)
        keys = {key for key, state in self._states.items() if state.involves(ids)}
        for opportunity in self._graph.opportunities_of(people):
            key = "o:" + opportunity
            if shard_of(key, self._shards) == merged.shard:
                keys.add(key)
        states = [(key, self._state(key, merged.place.sequence)) for key in sorted(keys)]
        self.rename(merged.renamed)
        signals: tuple[DecisionSignal, ...] = ()
        alerts: tuple[Alert, ...] = ()
        for key, state in states:
            cause = f"{merged.interaction.native_id}\x1f{key}"
            told = self._told(merged.place, key, state, state.replay(), cause)
            signals, alerts = signals + told[0], alerts + told[1]
        # Every shard answers for the record, one of them brings the edge between the two people.
        interaction = merged.interaction if merged.shard == 0 else None
        return Outcome(merged.place, interaction, signals=signals, alerts=alerts)

    def _told(
        self,
        place: Place,
        key: str,
        state: OpportunityState,
        changes: Sequence[Change],
        cause: str,
    ) -> tuple[tuple[DecisionSignal, ...], tuple[Alert, ...]]:
        """Return the new versions of signals, and the alerts among them."""
        # Nothing can be known before all that it rests on.
        state.recorded_at = max(state.recorded_at, place.recorded_at)
        signals = [self._signal(key, state, change) for change in changes]
        alerts = [
            alert_for(signal, change.before, cause)
            for signal, change in zip(signals, changes, strict=True)
        ]
        return tuple(signals), tuple(alert for alert in alerts if alert is not None)

    def _signal(self, key: str, state: OpportunityState, change: Change) -> DecisionSignal:
        episode, detector = change.episode, change.detector
        opportunity = key[2:] if key.startswith("o:") else ""
        session = change.session or ("" if opportunity else key[2:])
        name = (key, session, episode.kind.name, episode.form, str(episode.number))
        raw = "\x1f".join(name)
        return DecisionSignal(
            id=hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:32],
            kind=episode.kind,
            state=change.state,
            severity=episode.severity,
            rule=detector.rule,
            rule_version=detector.version,
            episode=episode.number,
            opportunity=opportunity,
            session=session,
            customer=state.customer,
            rep=change.rep,
            at=episode.at,
            recorded_at=state.recorded_at,
            statistic=episode.statistic,
            threshold=episode.threshold,
            baseline=episode.baseline,
            exposure_minutes=episode.exposure_minutes,
            window_ms=episode.window_ms,
            evidence=episode.evidence,
            explanation=episode.explanation,
            suggestion=self._rules.suggestion(
                episode.kind, episode.severity, change.state, episode.form
            ),
            form=episode.form,
            polarity=episode.polarity,
            level=episode.level,
            raised_at=episode.raised_at,
            cleared_at=episode.cleared_at or OPEN,
            minimum_effect=episode.minimum_effect,
        )

    def _state(self, key: str, sequence: int) -> OpportunityState:
        state = self._states.get(key)
        if state is None:
            state = OpportunityState(self._detectors, self._aliases)
            for action in self._load(key):
                state.add(observed_of(action), recalled=action.recalled_at != OPEN)
                known_at = max(action.recorded_at, action.recall_recorded_at)
                state.recorded_at = max(state.recorded_at, known_at)
            if len(state):
                state.customer = self._customer(key)
            self._states[key] = state
            self._held += len(state)
            self._drop_idle()
        else:
            self._states.move_to_end(key)
        state.last_sequence = sequence
        return state

    def _load(self, key: str) -> Iterable[Action]:
        by_opportunity = key.startswith("o:")
        kind = NodeKind.OPPORTUNITY if by_opportunity else NodeKind.SESSION
        after: tuple[int, str] | None = None
        while True:
            query = TimelineQuery(after=after, limit=_PAGE)
            page = self._graph.timeline(NodeRef(kind, key[2:]), query)
            for action in page:
                if by_opportunity or not action.opportunity:
                    yield action
            if len(page) < _PAGE:
                return
            after = (page[-1].at, page[-1].id)

    def _customer(self, key: str) -> str:
        query = EdgeQuery(edge_kinds=frozenset({EdgeKind.HAS_OPPORTUNITY}))
        edges = self._graph.edges([NodeRef(NodeKind.OPPORTUNITY, key[2:])], query)
        return min((edge.source.id for edge in edges), default="")

    def _drop_idle(self) -> None:
        """Drop the least recently used states whose effects the graph holds."""
        committed = self._committed()
        while self._held > self._hot_actions and len(self._states) > 1:
            key, state = next(iter(self._states.items()))
            if state.last_sequence > committed:
                return
            self._forget(key)

    def _forget(self, key: str) -> None:
        state = self._states.pop(key, None)
        if state is not None:
            self._held -= len(state)
