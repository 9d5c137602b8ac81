"""The commit queue: one thread, one commit for all that wait together, answers only after it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from dealgraph.graph.storage import StorageFullError
from dealgraph.server.commit_queue import CommitQueue
from dealgraph.server.errors import CallError, invalid
from dealgraph.stream.log import Appended, Topic
from dealgraph.stream.receipts import Outcome
from tests.support.dealgraphs import opened
from tests.support.interactions import utterance, voice_grants
from tests.support.logs import open_log, record


class Commits:
    """A storage that counts commits and can be held or broken. Inner transactions join the outer."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.sizes: list[int] = []
        self.writes = 0
        self.inside = False
        self.full = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self.inside:
            yield
            return
        self.entered.set()
        assert self.open.wait(30)
        before = self.writes
        self.inside = True
        try:
            yield
        finally:
            self.inside = False
        if self.full:
            raise StorageFullError("no room")
        self.sizes.append(self.writes - before)

    def write(self) -> int:
        self.writes += 1
        return self.writes


def with_queue(
    test: Callable[[CommitQueue, Commits], Coroutine[Any, Any, None]],
    *,
    waiting: int = 100,
    per_commit: int = 10,
) -> None:
    commits = Commits()
    queue = CommitQueue(commits.transaction, waiting=waiting, per_commit=per_commit)
    try:
        asyncio.run(test(queue, commits))
    finally:
        commits.open.set()
        queue.close()


async def held(queue: CommitQueue, commits: Commits, count: int) -> list["asyncio.Task[int]"]:
    """Start a write that holds the thread, and `count` more behind it."""
    commits.open.clear()
    tasks = [asyncio.create_task(queue.submit(commits.write))]
    await asyncio.sleep(0)
    await asyncio.to_thread(commits.entered.wait, 30)
    tasks += [asyncio.create_task(queue.submit(commits.write)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


def test_writes_that_wait_together_share_a_commit_in_order() -> None:
    async def test(queue: CommitQueue, commits: Commits) -> None:
        tasks = await held(queue, commits, 14)
        commits.open.set()
        assert await asyncio.gather(*tasks) == list(range(1, 16))
        assert len(commits.sizes) == 2
        assert sum(commits.sizes) == 15

    with_queue(test, per_commit=14)


def test_no_commit_holds_more_writes_than_it_may() -> None:
    async def test(queue: CommitQueue, commits: Commits) -> None:
        tasks = await held(queue, commits, 11)
        commits.open.set()
        await asyncio.gather(*tasks)
        assert max(commits.sizes) <= 4

    with_queue(test, per_commit=4)


def test_a_refused_write_does_not_hinder_the_others() -> None:
    async def test(queue: CommitQueue, commits: Commits) -> None:
        def refuse() -> int:
            raise invalid("field", "is wrong")

        tasks = await held(queue, commits, 1)
        refused = asyncio.create_task(queue.submit(refuse))
        await asyncio.sleep(0)
        commits.open.set()
        assert await asyncio.gather(*tasks) == [1, 2]
        with pytest.raises(CallError):
            await refused

    with_queue(test)


def test_a_write_that_fails_is_taken_back_alone_and_only_its_caller_is_told(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        def fail() -> None:
            log.append(Topic.INTERACTIONS, [record("half")])
            raise ZeroDivisionError

        writes = [
            queue.submit(partial(log.append, Topic.INTERACTIONS, [record("one")])),
            queue.submit(fail),
            queue.submit(partial(log.append, Topic.INTERACTIONS, [record("two")])),
        ]
        # Held by this thread, the log makes the writes wait together.
        with log.transaction(Topic.INTERACTIONS):
            answers = asyncio.gather(*writes, return_exceptions=True)
            await asyncio.sleep(0)
        one, failed, two = await answers
        assert one == two == [Appended.STORED]
        assert isinstance(failed, ZeroDivisionError)
        assert [kept.id for kept in log.read(Topic.INTERACTIONS, 0, 10)] == ["one", "two"]

    log = open_log(tmp_path)
    queue = CommitQueue(lambda: log.transaction(Topic.INTERACTIONS), waiting=10, per_commit=10)
    try:
        asyncio.run(test())
    finally:
        queue.close()
        log.close()


def test_consent_of_a_write_that_was_taken_back_does_not_hold_for_the_next(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as dealgraph:
        gate, log = dealgraph.gate, dealgraph.log

        def fail() -> None:
            assert gate.publish(voice_grants())[0].outcome is Outcome.ACCEPTED
            raise ZeroDivisionError

        async def test() -> None:
            failed = asyncio.create_task(queue.submit(fail))
            spoken = asyncio.create_task(queue.submit(lambda: gate.publish([utterance()])))
            with pytest.raises(ZeroDivisionError):
                await failed
            assert (await spoken)[0].reason == "NO_CONSENT"
            granted = await queue.submit(lambda: gate.publish([*voice_grants(), utterance()]))
            assert {receipt.outcome for receipt in granted} == {Outcome.ACCEPTED}

        queue = CommitQueue(lambda: log.transaction(Topic.INTERACTIONS), waiting=10, per_commit=10)
        try:
            asyncio.run(test())
        finally:
            queue.close()


def test_when_the_commit_fails_all_its_callers_are_told_and_later_writes_go_on() -> None:
    async def test(queue: CommitQueue, commits: Commits) -> None:
        tasks = await held(queue, commits, 3)
        commits.full = True
        commits.open.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(answer) for answer in answers] == [StorageFullError] * 4
        commits.full = False
        assert await queue.submit(commits.write) == 5

    with_queue(test)


def test_a_full_queue_refuses_with_a_delay_to_try_again_after() -> None:
    async def test(queue: CommitQueue, commits: Commits) -> None:
        tasks = await held(queue, commits, 3)
        with pytest.raises(CallError) as refused:
            await queue.submit(commits.write)
        assert refused.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refused.value.retry_seconds
        commits.open.set()
        await asyncio.gather(*tasks)

    with_queue(test, waiting=3)


def test_a_write_whose_caller_went_away_is_stored_all_the_same() -> None:
    async def test(queue: CommitQueue, commits: Commits) -> None:
        tasks = await held(queue, commits, 2)
        tasks[1].cancel()
        commits.open.set()
        assert await tasks[2] == 3

    with_queue(test)


def test_a_closed_queue_finishes_what_waits_and_takes_no_more() -> None:
    async def test(queue: CommitQueue, commits: Commits) -> None:
        tasks = await held(queue, commits, 5)
        commits.open.set()
        await asyncio.to_thread(queue.close)
        assert await asyncio.gather(*tasks) == [1, 2, 3, 4, 5, 6]
        with pytest.raises(CallError) as refused:
            await queue.submit(commits.write)
        assert refused.value.code is grpc.StatusCode.UNAVAILABLE

    with_queue(test)


class ClosingLoop(asyncio.SelectorEventLoop):
    """An event loop in which the queue is closed just as a write is made for it."""

    queue: CommitQueue | None = None

    def create_future(self) -> "asyncio.Future[Any]":
        queue, self.queue = self.queue, None
        if queue is not None:
            queue.close()
        return super().create_future()


def test_a_write_that_comes_while_the_queue_closes_is_answered() -> None:
    commits = Commits()
    queue = CommitQueue(commits.transaction, waiting=10, per_commit=10)
    loop = ClosingLoop()

    async def test() -> None:
        loop.queue = queue
        async with asyncio.timeout(30):
            with pytest.raises(CallError):
                await queue.submit(commits.write)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(test())
