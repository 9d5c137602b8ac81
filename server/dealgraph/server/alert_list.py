"""Alerts one by one and in pages, newest first."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from dealgraph.server.hub import Entry
from dealgraph.server.readers import Readers
from dealgraph.stream.alerts import Alert
from dealgraph.stream.log import EventLog, Record, Topic

_CHUNK: Final = 500
_MOST_SCANNED: Final = 20_000


class Listing(Struct, frozen=True, array_like=True):
    """Where a page begins: below this offset. The first page fixes it, so pages are a snapshot."""

    before: int


class AlertList:
    """Reads alerts from the log, beside the event loop."""

    def __init__(self, log: EventLog, decode: Callable[[bytes], Alert], readers: Readers) -> None:
        self._log = log
        self._decode = decode
        self._readers = readers

    async def find(self, alert_id: str, seconds: float) -> Entry[Alert] | None:
        """Return an alert by its id, None when there is none."""
        found = await self._readers.run(lambda: self._log.find(Topic.ALERTS, [alert_id]), seconds)
        record = found.get(alert_id)
        return None if record is None else self._entry(record)

    async def page(
        self,
        begin: Listing,
        size: int,
        wanted: Callable[[Alert], bool],
        as_of: int,
        seconds: float,
    ) -> tuple[list[Entry[Alert]], Listing | None]:
        """Return a page of alerts and where the next one begins, None at the end.

        A filter that fits little may give a short page before the end, so that a page costs a bounded
        amount of reading.
        """
        return await self._readers.run(lambda: self._page(begin, size, wanted, as_of), seconds)

    def _page(
        self, begin: Listing, size: int, wanted: Callable[[Alert], bool], as_of: int
    ) -> tuple[list[Entry[Alert]], Listing | None]:
        found: list[Entry[Alert]] = []
        before, oldest = begin.before, self._log.first(Topic.ALERTS)
        lowest = before - _MOST_SCANNED
        while oldest < before and before > lowest:
            after = max(before - _CHUNK, oldest) - 1
            for record in reversed(self._log.read(Topic.ALERTS, after, before - after - 1)):
                entry = self._entry(record)
                if wanted(entry.item) and entry.item.signal.recorded_at <= as_of:
                    found.append(entry)
                    if len(found) == size:
                        more = entry.offset > oldest
                        return found, Listing(entry.offset) if more else None
            before = after + 1
        return found, Listing(before) if oldest < before else None

    def _entry(self, record: Record) -> Entry[Alert]:
        return Entry(record.offset, record.id, self._decode(record.body))
