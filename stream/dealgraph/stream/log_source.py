"""The source of the dataflow: reads the event log from a position on, as long as it is told to."""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Final

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from dealgraph.stream import codec
from dealgraph.stream.baselines.learner import Learner
from dealgraph.stream.event_time import watermark
from dealgraph.stream.failure import Failure
from dealgraph.stream.interaction import Rejected
from dealgraph.stream.log import EventLog, Record, Topic
from dealgraph.stream.meter import Meter
from dealgraph.stream.steps import Batch, Passed, Place, Received

_WAIT_SECONDS: Final = 0.05
"""How long a tail with nothing to do waits before it looks whether it is to stop."""
_AT_ONCE: Final = datetime.fromtimestamp(0, UTC)


class LogTail(StatefulSourcePartition[Batch, None]):
    """Reads topic `interactions` after `position`, `batch` records at a time.

    `sequence` is the number of the first record read: numbers go on over several runs of one process, and
    `written` tells up to which number all is written. `reached` is the watermark at `position`. Where
    `learner` is to take a step, it waits until all is written. It ends when `stop` is set, and, unless
    `follow`, when it has reached the end that the log had when it began; and after a `failure`.
    """

    def __init__(
        self,
        log: EventLog,
        position: int,
        sequence: int,
        reached: int,
        batch: int,
        *,
        follow: bool,
        stop: threading.Event,
        failure: Failure,
        written: Callable[[], int],
        clock: Callable[[], int],
        meter: Meter,
        learner: Learner | None = None,
    ) -> None:
        self._log = log
        self._position = position
        self._sequence = sequence
        self._reached = reached
        self._batch = batch
        self._until = None if follow else log.end(Topic.INTERACTIONS)
        self._stop = stop
        self._failure = failure
        self._next = failure.noting(self._read)
        self._written = written
        self._clock = clock
        self._meter = meter
        self._learner = learner

    def next_batch(self) -> Iterable[Batch]:
        """Return the next records, decoded, as one item; none while others are on their way, or none come."""
        found = [] if self._has_ended() else self._next(None)
        if self._has_ended() and not found:
            raise StopIteration
        return found

    def _has_ended(self) -> bool:
        at_end = self._until is not None and self._position >= self._until
        return self._stop.is_set() or at_end or self._failure.error is not None

    def _read(self, _: None) -> list[Batch]:
        if self._written() < self._sequence - 1:
            return []
        if self._learner is not None:
            self._learner.learn(self._position, self._reached)
        if self._until is None:
            self._log.wait(Topic.INTERACTIONS, self._position, _WAIT_SECONDS)
        started = perf_counter()
        records = self._log.read(Topic.INTERACTIONS, self._position, self._batch)
        if not records:
            return []
        received = self._decoded(records)
        self._meter.stage("parse", perf_counter() - started)
        self._measure(records[len(received) - 1], received)
        return [received]

    def _decoded(self, records: Sequence[Record]) -> list[Received | Passed]:
        """Decode records up to the end, or up to one after which baselines are to be learnt."""
        received = []
        for sequence, record in enumerate(records, self._sequence):
            item = decode(record, sequence, self._reached)
            self._reached = item.place.reached
            received.append(item)
            if self._learner is not None and self._learner.is_due(self._reached):
                break
        self._position = records[len(received) - 1].offset
        self._sequence += len(received)
        return received

    def next_awake(self) -> datetime | None:
        """Say that this is to be called again at once.

        That lets the steps behind go on while records are on their way; while none are, `next_batch` waits.
        Left to itself Bytewax looks again every millisecond: 6 % of a core, and half a millisecond an alert.
        """
        return _AT_ONCE

    def snapshot(self) -> None:
        """Return nothing: the position is committed with the graph."""
        return None

    def _measure(self, newest: Record, received: list[Received | Passed]) -> None:
        lag = max(0, self._clock() - newest.recorded_at) / 1000
        events: dict[str, int] = {}
        for item in received:
            if isinstance(item, Received):
                source = item.interaction.source
                events[source] = max(item.interaction.occurred_at, events.get(source, 0))
        for source, event_at in events.items():
            self._meter.processed(source, lag, event_at)


class LogSource(FixedPartitionedSource[Batch, None]):
    """The log as a source of Bytewax: one partition, which is the tail of the log."""

    def __init__(self, tail: LogTail) -> None:
        self._tail = tail

    def list_parts(self) -> list[str]:
        """Return the name of the one partition."""
        return ["interactions"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> LogTail:
        """Return the partition."""
        return self._tail


def decode(record: Record, sequence: int, reached: int) -> Received | Passed:
    """Decode a record of the log; one that cannot be read passes as rejected, an erased one passes.

    `reached` is the watermark before it.
    """
    offset, ingested_at = record.offset, record.recorded_at
    if not record.body:
        return Passed(Place(sequence, offset, ingested_at, ingested_at, 1, reached))
    interaction = codec.interaction_from_record(record.body)
    if isinstance(interaction, Rejected):
        return Passed(Place(sequence, offset, ingested_at, ingested_at, 1, reached), interaction)
    known_at = interaction.recorded_at or ingested_at
    reached = watermark(reached, interaction, ingested_at)
    place = Place(sequence, offset, ingested_at, known_at, 1, reached)
    return Received(place, record.id, interaction)
