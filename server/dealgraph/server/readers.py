"""Reads beside the event loop: a few threads, and a bound on the calls that wait for them.

SQLite lets go of the interpreter lock while it works, so reads in threads leave the loop free.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dealgraph.server.errors import too_busy

Result = TypeVar("Result")


class Readers:
    """Runs reads in `threads` threads; at most `waiting` reads are under way or wait."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reader")
        self._room = waiting

    async def run(self, read: Callable[[], Result], seconds: float) -> Result:
        """Return what `read` returns; a read that has not begun is dropped with its call.

        Raises CallError when too many wait, and TimeoutError after `seconds`.
        """
        if self._room <= 0:
            raise too_busy("reads")
        self._room -= 1
        future = self._pool.submit(read)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._make_room))
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(future)

    def _make_room(self) -> None:
        self._room += 1

    def close(self) -> None:
        """Drop what waits and return once the reads under way have ended."""
        self._pool.shutdown(cancel_futures=True)
