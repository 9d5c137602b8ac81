"""A topic of the log, live, for many readers: one ring of the newest items, and a cursor per reader.

Alerts are one such topic, versions of signals another. The hub tails its topic: whoever commits something
hands it over in its own thread, since each change of threads on the way costs an alert a millisecond. A
reader within the ring is served from memory, one further back from the log, so a slow reader costs no
memory. What a reader will not get is told to it as a `Gap`.
"""

import asyncio
import itertools
import threading
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Generic, TypeVar

from msgspec import Struct

from dealgraph.server.errors import stopping
from dealgraph.server.metrics import StreamMetrics
from dealgraph.server.tokens import ResumePoint
from dealgraph.stream.log import EventLog, Record, Topic

_BATCH: Final = 256

Result = TypeVar("Result")
Item = TypeVar("Item", bound=Struct)


class Entry(Struct, Generic[Item], frozen=True):
    """An item of the topic at its offset, with the id of its record."""

    offset: int
    id: str
    item: Item

    @property
    def point(self) -> ResumePoint:
        """The place after this item."""
        return ResumePoint(self.offset, self.id)


class Gap(Struct, frozen=True):
    """Items that a reader will not get: those after `start` up to and with `end`."""

    start: ResumePoint
    end: ResumePoint
    reason: str


class Beat(Struct, frozen=True):
    """Nothing came for a while; everything up to `point` was looked at."""

    point: ResumePoint


class Hub(Generic[Item]):
    """Tails a topic and serves its items to readers.

    `decode` makes an item of the body of a record. `ring` items are kept in memory, `keep` in the
    log. A live reader that is more than `backlog_limit` items behind gets a gap.
    """

    def __init__(
        self,
        log: EventLog,
        topic: Topic,
        decode: Callable[[bytes], Item],
        metrics: StreamMetrics,
        *,
        ring: int,
        keep: int,
        backlog_limit: int,
    ) -> None:
        self._log = log
        self._topic = topic
        self._decode = decode
        self._metrics = metrics
        self._ring = ring
        self._keep = keep
        self._backlog_limit = backlog_limit
        self._entries: list[Entry[Item]] = []
        self._floor = 0
        self._first = 0
        self._newest = ResumePoint(0, "")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=topic.value)
        self._tailing = threading.Lock()
        self._tailed: int | None = None
        self._overfull = asyncio.Event()
        self._changed = asyncio.Event()
        self._progress = asyncio.Event()
        self._expecting = 0
        self._loop = asyncio.get_running_loop()
        self._readers = itertools.count()
        self._live: dict[int, int] = {}
        self._stopping = False
        metrics.backlog.set_function(self._backlog)

    @property
    def newest(self) -> ResumePoint:
        """The place after the newest item known."""
        return self._newest

    @property
    def oldest(self) -> int:
        """The offset of the oldest item kept, 0 when there is none."""
        return self._first

    async def run(self) -> None:
        """Take in what was there before, then trim what is too much, until cancelled. Raises StorageError."""
        await self.catch_up()
        while True:
            await self._overfull.wait()
            self._overfull.clear()
            await self._in_thread(self._trim)

    def wake(self, items: int) -> None:
        """Say that the dataflow committed something, with so many items. May be called in any thread."""
        if items:
            self._tail()
        if self._expecting and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell_progress)

    async def catch_up(self) -> None:
        """Take in all items that are committed now."""
        await self._in_thread(self._tail)

    async def begin_again(self) -> None:
        """Read the items in memory anew: some of them are gone, or say something else."""
        await self._in_thread(lambda: self._tail(anew=True))

    async def until(self, reached: Callable[[], bool]) -> None:
        """Return when the dataflow has `reached` something by what it committed."""
        self._expecting += 1  # before the first look: no commit after it goes unnoticed
        try:
            while not reached():
                await self._progress.wait()
        finally:
            self._expecting -= 1

    def stop(self) -> None:
        """End all readers with an error that tells their clients to connect again."""
        self._stopping = True
        self._tell()

    def close(self) -> None:
        """Release the thread."""
        self._thread.shutdown()

    async def follow(
        self, start: ResumePoint, wanted: Callable[[Item], bool], idle_seconds: float
    ) -> AsyncIterator[Entry[Item] | Gap | Beat]:
        """Yield the items after `start` that are `wanted`, for ever, in order.

        The first item is a beat, so that a client can resume from its very start. What was there at
        the start is history and is yielded whole, whatever the backlog.
        """
        cursor, history = start, self._newest.offset
        reader = next(self._readers)
        beat_at = self._loop.time() + idle_seconds
        self._metrics.subscribers.inc()
        try:
            yield Beat(start)
            while True:
                self._live[reader] = max(cursor.offset, history)
                if self._stopping:
                    raise stopping()
                if gap := self._gap(cursor, history):
                    self._metrics.gaps.inc()
                    cursor = gap.end
                    yield gap
                changed = self._changed
                entries = await self.after(cursor.offset)
                for entry in entries:
                    cursor = entry.point
                    if wanted(entry.item):
                        yield entry
                        beat_at = self._loop.time() + idle_seconds
                if not entries:
                    await self._wait(changed, beat_at)
                if self._loop.time() >= beat_at:
                    beat_at = self._loop.time() + idle_seconds
                    yield Beat(cursor)
        finally:
            self._live.pop(reader, None)
            self._metrics.subscribers.dec()

    async def after(self, offset: int, limit: int = _BATCH) -> list[Entry[Item]]:
        """Return at most `limit` items after `offset`, in order."""
        if offset >= self._floor:
            begin = bisect_right(self._entries, offset, key=lambda entry: entry.offset)
            return self._entries[begin : begin + limit]
        return [self._entry(record) for record in await self._read(offset, limit)]

    async def holds(self, point: ResumePoint) -> bool:
        """Tell whether everything after `point` can still be delivered, from this very log."""
        if point.offset < self._first - 1 or point.offset > self._newest.offset:
            return False
        if not point.record_id or point.offset == self._first - 1:
            return True
        found = await self._in_thread(lambda: self._log.find(self._topic, [point.record_id]))
        record = found.get(point.record_id)
        return record is not None and record.offset == point.offset

    def _gap(self, cursor: ResumePoint, history: int) -> Gap | None:
        if cursor.offset < self._first - 1:
            return Gap(
                cursor, ResumePoint(self._first - 1, ""), f"{self._topic.value} were trimmed"
            )
        if cursor.offset < history:
            return None
        if self._newest.offset - cursor.offset > self._backlog_limit:
            return Gap(cursor, self._newest, "client too slow")
        return None

    async def _wait(self, changed: asyncio.Event, until: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                await changed.wait()
        except TimeoutError:
            return

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        return await self._loop.run_in_executor(self._thread, call)

    async def _read(self, offset: int, limit: int = _BATCH) -> list[Record]:
        return await self._in_thread(lambda: self._log.read(self._topic, offset, limit))

    def _entry(self, record: Record) -> Entry[Item]:
        return Entry(record.offset, record.id, self._decode(record.body))

    def _tail(self, *, anew: bool = False) -> None:
        """Read what is new, in any thread, and hand it over to the loop."""
        with self._tailing:
            start: tuple[int, int] | None = None
            if anew or self._tailed is None:
                first = self._log.first(self._topic)
                self._tailed = max(0, first - 1, self._log.end(self._topic) - self._ring)
                start = first, self._tailed
            entries: list[Entry[Item]] = []
            while records := self._log.read(self._topic, self._tailed, _BATCH):
                self._tailed = records[-1].offset
                entries += [self._entry(record) for record in records]
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._take, start, entries)

    def _take(self, start: tuple[int, int] | None, entries: list[Entry[Item]]) -> None:
        """Take in items; `start` is the oldest offset and the floor when they are all there are."""
        if start is not None:
            self._entries.clear()
            self._first, self._floor = start
            self._newest = ResumePoint(self._floor, "")
        if not entries:
            return
        self._entries += entries
        self._first = self._first or entries[0].offset
        self._newest = entries[-1].point
        if len(self._entries) >= 2 * self._ring:
            self._floor = self._entries[-self._ring - 1].offset
            del self._entries[: -self._ring]
        if self._newest.offset - self._first >= self._keep + self._ring:
            self._overfull.set()
        self._tell()

    def _trim(self) -> None:
        oldest = self._newest.offset - self._keep + 1
        self._log.trim(self._topic, oldest)
        self._first = self._log.first(self._topic)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _tell_progress(self) -> None:
        self._progress.set()
        self._progress = asyncio.Event()

    def _backlog(self) -> float:
        return max((self._newest.offset - at for at in list(self._live.values())), default=0)
