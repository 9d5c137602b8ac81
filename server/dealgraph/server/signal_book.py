"""What the graph says of decision signals: lists, the ground of one, its statistic over time, numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from dealgraph.graph.model import (
    DecisionSignal,
    Edge,
    EdgeKind,
    Node,
    NodeKind,
    NodeRef,
    SignalKind,
)
from dealgraph.graph.queries import whole_timeline
from dealgraph.graph.store import (
    NOW,
    EdgeQuery,
    GraphReading,
    GraphStore,
    SignalQuery,
)
from dealgraph.server.signal_messages import Test
from dealgraph.stream.observation import observed_of
from dealgraph.stream.series import Point, series
from dealgraph.stream.signal_counts import Row, Tally, count_signals, opportunity_weeks
from dealgraph.stream.signals.detector import Detector
from dealgraph.stream.signals.false_alarms import Expectation

_CHUNK: Final = 500
_MOST_SCANNED: Final = 20_000
_PAGE: Final = 5_000

Place = tuple[int, str]
"""(recorded_at, id) of a signal: its place in a list."""


class Ground(Struct, frozen=True):
    """A signal in all known versions, with the part of the graph that it rests on."""

    versions: Sequence[DecisionSignal]
    nodes: Sequence[Node]
    edges: Sequence[Edge]


class Stats(Struct, frozen=True):
    """Numbers per row, false alarms to be expected, and the time that they are to be compared with."""

    counts: Mapping[Row, Tally]
    expected: Mapping[Row, Expectation]
    weeks: float
    opportunities: int


class SignalBook:
    """Reads signals from a graph.

    `detectors_at` returns those in force for a deal that began at an event time, `expected` is what is known
    of them.
    """

    def __init__(
        self,
        graph: GraphStore,
        detectors_at: Callable[[int], Sequence[Detector[Any]]],
        expected: Sequence[Expectation],
    ) -> None:
        self._graph = graph
        self._detectors_at = detectors_at
        self._expected = {(one.rule, one.kind, one.form, one.level): one for one in expected}

    def page(
        self, begin: Place | None, size: int, wanted: Test, opportunity: str, as_of: int
    ) -> tuple[list[DecisionSignal], Place | None]:
        """Return signals after `begin`, and the place after which the next page begins, None at the end.

        `opportunity` is the only one that is wanted, "" when there may be others. A filter that fits little
        may give a short page before the end, so that a page costs a bounded amount of reading.
        """
        found: list[DecisionSignal] = []
        scanned = 0
        while scanned < _MOST_SCANNED:
            query = SignalQuery(opportunity, begin, _CHUNK, as_of)
            signals = self._graph.list_signals(query)
            for index, signal in enumerate(signals):
                begin = (signal.recorded_at, signal.id)
                if wanted(signal):
                    found.append(signal)
                if len(found) == size:
                    more = index + 1 < len(signals) or len(signals) == _CHUNK
                    return found, begin if more else None
            if len(signals) < _CHUNK:
                return found, None
            scanned += len(signals)
        return found, begin

    def ground(self, signal_id: str, as_of: int = NOW) -> Ground | None:
        """Return a signal with what it rests on, None when it was not known."""
        versions = self._graph.signal_versions(signal_id, as_of)
        if not versions:
            return None
        signal = versions[-1]
        with self._graph.reading() as graph:
            refs = _around(graph, signal, as_of)
            nodes = graph.nodes(refs, as_of)
            edges = graph.edges_between(refs, as_of)
        return Ground(versions, [nodes[ref] for ref in refs if ref in nodes], edges)

    def points(self, signal: DecisionSignal, as_of: int = NOW) -> list[Point]:
        """Return the statistic of a signal over time; none when its rule is no longer in force."""
        if signal.opportunity:
            ref = NodeRef(NodeKind.OPPORTUNITY, signal.opportunity)
        else:
            ref = NodeRef(NodeKind.SESSION, signal.session)
        actions = [
            action
            for action in whole_timeline(self._graph, ref, as_of)
            if action.stands and action.opportunity == signal.opportunity
        ]
        began = actions[0].at if actions else 0
        in_force = {one.rule: one for one in self._detectors_at(began)}
        detector = in_force.get(signal.rule)
        if detector is None:
            return []
        actors = {action.actor for action in actions if action.actor is not None}
        people = self._graph.same_as(actors, as_of)
        aliases = {ref.id: first.id for ref, first in people.items() if ref != first}
        observed = [observed_of(action) for action in actions]
        until = min(self._graph.event_time().reached, as_of)
        what = (signal.kind, signal.form)
        return series(detector, observed, aliases, until, what, signal.session)

    def stats(
        self, since: int, before: int, kinds: frozenset[SignalKind] | None, as_of: int
    ) -> Stats:
        """Return numbers within the span of event time [since, before); `before` 0 means no bound."""
        lifespans = self._graph.lifespans(as_of)
        signals = (s for s in self._signals(as_of) if kinds is None or s.kind in kinds)
        expected = {
            row: one for row, one in self._expected.items() if kinds is None or one.kind in kinds
        }
        return Stats(
            count_signals(signals, since, before),
            expected,
            opportunity_weeks(lifespans, since, before),
            len(lifespans),
        )

    def _signals(self, as_of: int) -> Iterator[DecisionSignal]:
        begin: Place | None = None
        while signals := self._graph.list_signals(SignalQuery("", begin, _PAGE, as_of)):
            yield from signals
            begin = (signals[-1].recorded_at, signals[-1].id)


def _around(graph: GraphReading, signal: DecisionSignal, as_of: int) -> list[NodeRef]:
    """Return the signal, its evidence, who performed it, their sessions, opportunity and customer."""
    evidence = [NodeRef(NodeKind.ACTION, action) for action in signal.evidence]
    actions = graph.actions(signal.evidence, as_of).values()
    refs = [NodeRef(NodeKind.DECISION_SIGNAL, signal.id), *evidence]
    refs += [action.actor for action in actions if action.actor is not None]
    sessions = [signal.session, *(action.session for action in actions)]
    refs += [NodeRef(NodeKind.SESSION, session) for session in sessions if session]
    if signal.opportunity:
        deal = NodeRef(NodeKind.OPPORTUNITY, signal.opportunity)
        query = EdgeQuery(edge_kinds=frozenset({EdgeKind.HAS_OPPORTUNITY}), as_of=as_of)
        refs += [deal, *(edge.source for edge in graph.edges([deal], query))]
    if signal.customer:
        refs.append(NodeRef(NodeKind.CUSTOMER, signal.customer))
    return list(dict.fromkeys(refs))
