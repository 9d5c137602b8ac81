"""Baselines as records of the log: what was learnt, from how much, and for which deals it holds.

Sums are kept with what was made of them, so the next record needs nothing but this one and the deals that
are over since; a restart or a graph made anew finds them in the log.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from dealgraph.stream.log import EventLog, NewRecord, Topic

_PAGE: Final = 100


class Cell(Struct, frozen=True, array_like=True):
    """What so many deals showed, of a segment ("" for all) and a stage ("" for all), added up."""

    segment: str
    stage: str
    deals: float
    numbers: tuple[float, ...]


class Baselines(Struct, frozen=True):
    """What is usual, for deals whose first action is at `valid_from` or later, until the next version.

    It rests on deals that were over before event time `until`, as the graph knew them when it held the log
    up to offset `after`; `deals` were read for this version, in the `sums` older ones weigh less.
    `values` are thresholds by section. `version` counts from 1.
    """

    version: int
    valid_from: int
    until: int
    after: int
    learnt_at: int
    deals: int
    sums: Mapping[str, tuple[Cell, ...]]
    values: Mapping[str, Mapping[str, object]]


_decode: Final = msgspec.msgpack.Decoder(Baselines).decode


def all_baselines(log: EventLog) -> Iterator[Baselines]:
    """Yield all baselines of a log, the oldest first."""
    after = 0
    while page := log.read(Topic.BASELINES, after, _PAGE):
        after = page[-1].offset
        yield from (_decode(record.body) for record in page)


def note_baselines(log: EventLog, baselines: Baselines) -> None:
    """Write baselines into the log; they are durable once this returns."""
    body = msgspec.msgpack.encode(baselines)
    record = NewRecord(f"baselines/{baselines.version}", b"", baselines.learnt_at, body)
    log.append(Topic.BASELINES, [record])
