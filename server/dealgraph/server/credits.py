"""Credits of a pulling client: alerts wait for them, signs of life and gaps do not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Protocol

from dealgraph.server.errors import invalid
from dealgraph.server.hub import Beat, Entry, Gap
from dealgraph.server.tokens import ResumePoint
from dealgraph.stream.alerts import Alert

_MOST: Final = 1_000_000


Streamed = Entry[Alert] | Gap | Beat


class Grant(Protocol):
    """A request that grants credits."""

    @property
    def credits(self) -> int:
        """Number of further alerts the client is ready to take."""
        ...


class Credits:
    """Counts the credits that the requests of one stream grant."""

    def __init__(self, first: int, grants: AsyncIterator[Grant]) -> None:
        self._left = _checked(first)
        self._grants = grants
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Credits":
        self._task = asyncio.create_task(self._read())
        self._task.add_done_callback(lambda _: self._changed.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def spend(
        self, items: AsyncIterator[Streamed], start: ResumePoint, idle_seconds: float
    ) -> AsyncIterator[tuple[Streamed, int]]:
        """Yield each item with the credits left after it; end when no credit can come any more."""
        seen = start
        if self._ended and not self._left:
            return
        async for item in items:
            if isinstance(item, Entry):
                while not await self._granted(idle_seconds):
                    if self._ended:
                        return
                    yield Beat(seen), self._left
                self._left -= 1
            seen = _after(item)
            yield item, self._left
            if self._ended and not self._left:
                return

    @property
    def _ended(self) -> bool:
        if self._task is None or not self._task.done():
            return False
        self._task.result()
        return True

    async def _granted(self, seconds: float) -> bool:
        """Wait for a credit, `seconds` long at most, or until no further one can come."""
        if not self._left and not self._ended:
            self._changed.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                return False
        return self._left > 0

    async def _read(self) -> None:
        async for grant in self._grants:
            self._left = min(self._left + _checked(grant.credits), _MOST)
            self._changed.set()


def _after(item: Streamed) -> ResumePoint:
    return item.end if isinstance(item, Gap) else item.point


def _checked(credits: int) -> int:
    if credits < 0:
        raise invalid("credits", "must not be negative")
    return credits
