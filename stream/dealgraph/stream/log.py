"""The port to the event log: named topics of records in the order of their offsets.

Adapters are held to the contract suite in tests/stream. A record is durable once `append` returns,
unless it is called inside `transaction`, then once that ends.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class Topic(StrEnum):
    """What the log holds. The registry repeats consent and merge events, to be loaded at a start.

    Signals are their versions, also those that people are not told of. The options are what dead letters
    were read with, kept to read them again. Erasures are requests to erase what is known of a person;
    `remade` lies with the graph and names those that it was made after.
    Rules are the thresholds of detectors, since when which were in force. Baselines are what was learnt to be
    usual, and for which deals it holds.
    """

    INTERACTIONS = "interactions"
    DEAD_LETTERS = "dead_letters"
    ALERTS = "alerts"
    SIGNALS = "signals"
    ALERT_DECISIONS = "alert_decisions"
    SNOOZES = "snoozes"
    REQUESTS = "requests"
    REGISTRY = "registry"
    OPTIONS = "options"
    CHANNELS = "channels"
    HELD = "held"
    ERASURES = "erasures"
    REMADE = "remade"
    RULES = "rules"
    BASELINES = "baselines"


class Record(Struct, frozen=True, gc=False):
    """A record at its offset (counted from 1, increasing, gaps possible)."""

    offset: int
    id: str
    recorded_at: int
    body: bytes


class NewRecord(Struct, frozen=True, gc=False):
    """A record to append. `id` is unique within the topic; `digest` tells bodies apart.

    `recorded_at` is in milliseconds since 1970 UTC.
    """

    id: str
    digest: bytes
    recorded_at: int
    body: bytes


def erased_record(offset: int, recorded_at: int) -> NewRecord:
    """Return what stands in place of a record that was erased: it keeps the offset and says nothing."""
    return NewRecord(f"erased/{offset}", b"", recorded_at, b"")


class Appended(StrEnum):
    """What became of a record: stored, stored before, or refused as its id has another body."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    ID_REUSED = "id_reused"


class RecordSink(Protocol):
    """Takes records."""

    def append(self, topic: Topic, records: Sequence[NewRecord]) -> list[Appended]:
        """Append records and say for each what became of it. All or none; raises StorageError."""
        ...


class EventLog(RecordSink, Protocol):
    """An ordered, durable log of records in topics."""

    def read(self, topic: Topic, after: int, limit: int) -> list[Record]:
        """Return at most `limit` records with offsets above `after`, in order."""
        ...

    def find(self, topic: Topic, ids: Sequence[str]) -> dict[str, Record]:
        """Return the records with these ids that exist."""
        ...

    def first(self, topic: Topic) -> int:
        """Return the offset of the oldest record kept, 0 when there is none."""
        ...

    def end(self, topic: Topic) -> int:
        """Return the offset of the newest record ever appended, 0 when there is none. Cheap."""
        ...

    def wait(self, topic: Topic, after: int, seconds: float) -> None:
        """Return when a record after `after` is committed, or after `seconds`."""
        ...

    def trim(self, topic: Topic, before: int) -> int:
        """Forget records with offsets below `before`; return how many."""
        ...

    def rewrite(self, topic: Topic, records: Mapping[int, NewRecord | None]) -> None:
        """Put other records in the place of those at these offsets; None deletes one.

        Only erasure does that: else the log grows and nothing in it changes.
        """
        ...

    def transaction(self, topic: Topic) -> AbstractContextManager[None]:
        """Join what is appended to `topic` inside into one commit."""
        ...

    def close(self) -> None:
        """Release all resources; a closed log answers no more."""
        ...
