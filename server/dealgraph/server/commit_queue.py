"""Writes to the log: one thread, and one commit for all writes that wait together.

A durable commit costs milliseconds whatever it holds. So writes queue while one commit runs, and
the next commit takes them all; each is answered only after the commit that holds it.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from dealgraph.graph.storage import StorageError
from dealgraph.server import logs
from dealgraph.server.errors import stopping, too_busy

Result = TypeVar("Result")


class _Write:
    """A piece of work that waits for its commit, and where its caller waits."""

    def __init__(self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.answer: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: Exception | None = None

    def settle(self) -> None:
        """Tell the caller, if it still waits."""
        if self.answer.done():
            return
        if self.error is None:
            self.answer.set_result(self.result)
        else:
            self.answer.set_exception(self.error)


class CommitQueue:
    """Runs writes in order in one thread, up to `per_commit` in one `transaction`.

    Each write has an inner `transaction` of its own: one that raises is taken back alone, its caller
    is told, and the others of its commit go on. But a StorageError, of a write or of the commit,
    undoes the whole commit and goes to all callers in it.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[None]],
        *,
        waiting: int,
        per_commit: int,
    ) -> None:
        self._transaction = transaction
        self._per_commit = per_commit
        self._queue: queue.Queue[_Write | None] = queue.Queue(waiting)
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="commits", daemon=True)
        self._thread.start()
        self.commits = 0

    async def submit(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns once it is durable; it runs even when the caller goes away.

        Raises CallError when too many wait or the queue was closed, and what the commit raised.
        """
        write = _Write(work, asyncio.get_running_loop())
        with self._closing:  # Nothing may come behind the end that `close` puts in.
            if self._closed:
                raise stopping()
            try:
                self._queue.put_nowait(write)
            except queue.Full:
                raise too_busy("writes") from None
        result: Result = await write.answer
        return result

    def close(self) -> None:
        """Finish what waits, then stop."""
        with self._closing:
            first, self._closed = not self._closed, True
        if first:
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (write := self._queue.get()) is not None:
            writes = [write]
            last = self._take(writes)
            self._commit(writes)
            if last:
                return

    def _take(self, writes: list[_Write]) -> bool:
        while len(writes) < self._per_commit:
            try:
                write = self._queue.get_nowait()
            except queue.Empty:
                return False
            if write is None:
                return True
            writes.append(write)
        return False

    def _commit(self, writes: list[_Write]) -> None:
        try:
            with self._transaction():
                for write in writes:
                    self._work(write)
        except Exception as error:  # Every caller of this commit is told; the thread lives on.
            logs.fault("commit_failed", error, writes=len(writes))
            for write in writes:
                write.error = error
        self.commits += 1
        for loop in {
            write.loop for write in writes
        }:  # One wake-up a loop: each gives the GIL away.
            mine = [write for write in writes if write.loop is loop]
            loop.call_soon_threadsafe(_settle, mine)

    def _work(self, write: _Write) -> None:
        try:
            with self._transaction():
                write.result = write.work()
        except StorageError:
            raise  # SQLite may have taken back more than this write, for example on a full disk.
        except Exception as error:  # Its caller raises it; the others are not concerned.
            write.error = error


def _settle(writes: list[_Write]) -> None:
    for write in writes:
        write.settle()
