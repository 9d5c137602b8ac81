"""The writer at the end of the dataflow: effects in the order of the log, each batch in one commit."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final

from msgspec import Struct, structs

from dealgraph.graph.model import DecisionSignal
from dealgraph.graph.store import EventTime, GraphStore
from dealgraph.stream import codec
from dealgraph.stream.alerts import Alert
from dealgraph.stream.dead_letters import dead_letter_record
from dealgraph.stream.log import NewRecord, RecordSink, Topic
from dealgraph.stream.meter import Meter
from dealgraph.stream.projection import Projection
from dealgraph.stream.steps import Outcome

_NOTHING: Final = -1


TOLD: Final = (Topic.ALERTS, Topic.SIGNALS)
"""Topics that are told to readers; they lie with the graph and share its commits."""


class Written(Struct, frozen=True, gc=False):
    """How many alerts and versions of signals a commit brought."""

    alerts: int = 0
    signals: int = 0


NOTHING_WRITTEN: Final = Written()
"""What a commit brought that brought nothing to be told."""


class Logs(Struct, frozen=True):
    """Where the writer puts what is not the graph: what is told (`TOLD`), and dead letters."""

    told: RecordSink
    dead_letters: RecordSink


class Writer:
    """Applies outcomes to the graph, the alerts, the versions of signals and the dead letters.

    Outcomes may come in any order of their sequence numbers; they are written in order, so what the log
    says alone decides what is written. Graph, alerts and position share one commit. `on_commit` is
    called after each with what was written to be told.
    """

    def __init__(
        self,
        graph: GraphStore,
        logs: Logs,
        clock: Callable[[], int],
        meter: Meter,
        on_commit: Callable[[Written], None],
    ) -> None:
        self._graph = graph
        self._logs = logs
        self._clock = clock
        self._meter = meter
        self._on_commit = on_commit
        self._projection = Projection()
        self._waiting: dict[int, list[Outcome]] = {}
        self._next = 0
        self._changed = threading.Condition()
        self._position = graph.position()
        self._event_time = graph.event_time()
        self._committed = _NOTHING

    def committed(self) -> int:
        """Return the sequence number up to which everything is written, -1 at the start."""
        return self._committed

    def position(self) -> int:
        """Return the offset of the log up to which everything is written."""
        return self._position

    def wait_for(self, position: int, timeout: float) -> bool:
        """Wait until everything up to `position` of the log is written; False when time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: self._position >= position, timeout)

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes and write those that are next in order."""
        for outcome in outcomes:
            self._waiting.setdefault(outcome.place.sequence, []).append(outcome)
        ready: list[Outcome] = []
        while parts := self._waiting.get(self._next):
            if len(parts) < parts[0].place.parts:
                break
            ready += self._waiting.pop(self._next)
            self._next += 1
        if ready:
            self._commit(ready)

    def _commit(self, ready: list[Outcome]) -> None:
        started = perf_counter()
        for outcome in ready:
            self._projection.add(outcome)
        position = ready[-1].place.offset
        batch = self._projection.take(ready, position, self._time_of(ready))
        alerts = [alert for outcome in ready for alert in outcome.alerts]
        self._reject(ready)
        with self._graph.transaction():
            self._graph.apply(batch)
            if batch.signals:
                versions = [version_record(signal) for signal in batch.signals]
                self._logs.told.append(Topic.SIGNALS, versions)
            if alerts:
                self._logs.told.append(Topic.ALERTS, [_record(alert) for alert in alerts])
        self._meter.stage("graph", perf_counter() - started)
        self._committed = self._next - 1
        with self._changed:
            self._position = position
            self._changed.notify_all()
        self._measure(ready)
        self._on_commit(Written(len(alerts), len(batch.signals)))

    def _time_of(self, ready: Sequence[Outcome]) -> EventTime:
        """Return how far event time has come with these outcomes."""
        swept = next((o.swept for o in reversed(ready) if o.swept is not None), self._event_time)
        self._event_time = structs.replace(swept, reached=ready[-1].place.reached)
        return self._event_time

    def _reject(self, ready: list[Outcome]) -> None:
        rejected = [
            dead_letter_record(outcome.rejected, outcome.place.ingested_at)
            for outcome in ready
            if outcome.rejected is not None
        ]
        if rejected:
            # Before the commit of the graph: after a crash they are appended again under the same id.
            self._logs.dead_letters.append(Topic.DEAD_LETTERS, rejected)
        for outcome in ready:
            if outcome.rejected is not None:
                self._meter.dead_letters(outcome.rejected.source, outcome.rejected.reason, 1)

    def _measure(self, ready: Sequence[Outcome]) -> None:
        now = self._clock()
        for outcome in ready:
            for signal in outcome.signals:
                self._meter.signalled(signal.kind, signal.state)
            for _ in outcome.alerts:
                self._meter.alerted(max(0, now - outcome.place.ingested_at) / 1000)


def _record(alert: Alert) -> NewRecord:
    # The id is made of all that tells one alert from another, so it serves as digest as well.
    return NewRecord(
        alert.id, bytes.fromhex(alert.id), alert.signal.recorded_at, codec.alert_to_bytes(alert)
    )


def version_record(signal: DecisionSignal) -> NewRecord:
    """Return a version of a signal as it is told; its id follows from all it says."""
    body = codec.signal_to_bytes(signal)
    digest = hashlib.sha256(body).digest()[:16]
    return NewRecord(digest.hex(), digest, signal.recorded_at, body)
