"""Carries out requests for erasure on an open data directory: first the log, then the graph, then the files.

Withdrawals of consent that were learnt late take the same way. The graph is a function of the log, so it is
made anew from the log that is left: whatever was derived from a person goes with the person. That happens in
one commit; until then readers see the graph as it was. It costs as much as `dealgraph rebuild`, so whoever
waits is carried out together.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from dealgraph.graph.storage import Database, StorageError
from dealgraph.graph.store import GraphStore
from dealgraph.stream.dataflow import Parts
from dealgraph.stream.erasure import Eraser
from dealgraph.stream.erasures import Erasure, ErasureState, redacted
from dealgraph.stream.ingest import Gate
from dealgraph.stream.log import (
    Appended,
    EventLog,
    NewRecord,
    Record,
    RecordSink,
    Topic,
    erased_record,
)
from dealgraph.stream.meter import Meter, SilentMeter
from dealgraph.stream.redaction import footprint, redact
from dealgraph.stream.runner import Runner
from dealgraph.stream.withdrawals import Withdrawals
from dealgraph.stream.writer import TOLD

_CHUNK: Final = 1000

MakeParts = Callable[[RecordSink, Meter], Parts]
"""Makes the parts of a dataflow at the position of the graph, given where alerts go."""


class Remaking:
    """Makes the graph anew from the log, while it is served."""

    def __init__(
        self,
        graph: GraphStore,
        alerts: EventLog,
        runner: Runner,
        parts: MakeParts,
        meter: Meter,
    ) -> None:
        self._graph = graph
        self._alerts = alerts
        self._runner = runner
        self._parts = parts
        self._meter = meter

    def is_after(self, erasure: Erasure) -> bool:
        """Say whether the graph was made after the log was redacted."""
        return erasure.id in self._alerts.find(Topic.REMADE, [erasure.id])

    def remake(self, erasures: Sequence[Erasure], now: int) -> None:
        """Make the graph anew and note for whom, in one commit.

        Alerts and versions of signals that are made again keep their place; those that are not, or say
        something else, go or change. Nobody is told anew of what was told before. Raises
        RunStoppedError when stopped half-way.
        """
        follow = self._runner.pause()
        try:
            with self._graph.transaction():
                self._graph.clear()
                told = _Retold(self._alerts)
                self._runner.run_anew(self._parts(told, SilentMeter()))
                told.keep()
                self.note(erasures, now)
        finally:
            self._runner.resume(self._parts(self._alerts, self._meter), follow=follow)

    def note(self, erasures: Sequence[Erasure], now: int) -> None:
        """Note that the graph is one that was made after these."""
        records = [NewRecord(erasure.id, b"", now, b"remade") for erasure in erasures]
        self._alerts.append(Topic.REMADE, records)


class _Retold:
    """Takes what is told of a graph that is made anew, and lays it beside what was told before."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._made: dict[Topic, dict[str, NewRecord]] = {topic: {} for topic in TOLD}

    def append(self, topic: Topic, records: Sequence[NewRecord]) -> list[Appended]:
        """Note alerts and versions of signals that were made again."""
        self._made[topic].update((record.id, record) for record in records)
        return [Appended.STORED] * len(records)

    def keep(self) -> None:
        """Keep of what was told before that which was made again, as it was made now."""
        for topic, made in self._made.items():
            after = 0
            while page := self._log.read(topic, after, _CHUNK):
                after = page[-1].offset
                changed = {record.offset: self._anew(record, made) for record in page}
                self._log.rewrite(topic, {o: new for o, (same, new) in changed.items() if not same})

    @staticmethod
    def _anew(record: Record, known: dict[str, NewRecord]) -> tuple[bool, NewRecord | None]:
        made = known.get(record.id)
        return made is not None and made.body == record.body, made


class Erasing:
    """The work on requests for erasure. `clock` gives milliseconds since 1970 UTC; safe for threads."""

    def __init__(
        self,
        gate: Gate,
        log: EventLog,
        remaking: Remaking,
        files: Sequence[Database],
        secret: str,
        clock: Callable[[], int],
        withdrawals: Withdrawals,
    ) -> None:
        self._gate = gate
        self._log = log
        self._withdrawals = withdrawals
        self._withdrawn = False
        self._remaking = remaking
        self._files = files
        self._secret = secret
        self._clock = clock
        self._lock = threading.Lock()

    def waiting(self) -> list[Erasure]:
        """Return the requests that are not done."""
        return [one for one in self._gate.erasures() if one.state is not ErasureState.DONE]

    def is_behind(self) -> bool:
        """Say whether the graph still holds what the log no longer does."""
        states = {one.state for one in self.waiting()}
        return self._withdrawn or bool(states & {ErasureState.PLANNED, ErasureState.REDACTED})

    def carry_out(self) -> bool:
        """Carry out all requests that wait, and withdrawals learnt late; return whether there were any.

        Raises StorageError; then what was done stays done, and the rest is done the next time.
        """
        with self._lock:
            self._withdraw()
            for erasure in self.waiting():
                self._redact(erasure)
            left = self.waiting()
            if not left and not self._withdrawn:
                return False
            fresh = [erasure for erasure in left if not self._remaking.is_after(erasure)]
            if fresh or self._withdrawn:
                self._remaking.remake(fresh, self._clock())
            self._withdrawn = False
            for file in self._files:
                file.compact()
            done = [
                replace(erasure, state=ErasureState.DONE, done_at=self._clock()) for erasure in left
            ]
            for erasure in done:
                self._gate.move_erasure(erasure)
            return True

    def wait(self) -> None:
        """Return when no work is under way."""
        with self._lock:
            pass

    def note_made_anew(self) -> None:
        """Note that the graph was made from the log as it is now."""
        behind = [one for one in self.waiting() if one.state is ErasureState.REDACTED]
        self._remaking.note(behind, self._clock())

    def _withdraw(self) -> None:
        """Take out of the log what may not be kept, and note whether the graph must be made anew."""
        late = self._withdrawals.late()
        erased = {one.offset: erased_record(one.offset, one.recorded_at) for one in late.records}
        self._withdrawn = self._withdrawn or late.derived or bool(erased)
        if not erased:
            return
        try:
            self._log.rewrite(Topic.INTERACTIONS, dict(erased))
        except StorageError:
            self._withdrawals.begin_again()
            raise
        self._gate.forget()

    def _redact(self, erasure: Erasure) -> None:
        """Take the person out of the log; afterwards the request holds no personal data."""
        if erasure.state is ErasureState.OPEN:
            subject = footprint(self._log, erasure.subject.ids)
            erasure = replace(erasure, state=ErasureState.PLANNED, subject=subject)
            self._gate.move_erasure(erasure)
        if erasure.state is not ErasureState.PLANNED:
            return
        planned = erasure
        eraser = Eraser(planned.subject, self._secret)
        counts = redact(
            self._log,
            eraser,
            planned.counts,
            lambda so_far: self._gate.move_erasure(replace(planned, counts=so_far)),
        )
        self._gate.move_erasure(redacted(planned, counts))
        self._gate.forget()
