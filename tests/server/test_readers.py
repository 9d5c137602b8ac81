"""Reads beside the event loop: bounded in time and in number."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
import pytest

from dealgraph.server.errors import CallError, as_call_error
from dealgraph.server.readers import Readers


def with_readers(
    test: Callable[[Readers, threading.Event], Coroutine[Any, Any, None]], *, waiting: int = 10
) -> None:
    """Run a test with one reading thread, and an event that holds reads until it is set."""
    readers, go_on = Readers(1, waiting), threading.Event()
    try:
        asyncio.run(test(readers, go_on))
    finally:
        go_on.set()
        readers.close()


def test_a_read_that_takes_too_long_is_a_deadline_exceeded() -> None:
    async def test(readers: Readers, go_on: threading.Event) -> None:
        with pytest.raises(TimeoutError) as late:
            await readers.run(go_on.wait, 0.01)
        told = as_call_error(late.value)
        assert told is not None
        assert told.code is grpc.StatusCode.DEADLINE_EXCEEDED

    with_readers(test)


def test_a_read_whose_caller_went_away_before_it_began_is_not_done() -> None:
    async def test(readers: Readers, go_on: threading.Event) -> None:
        done: list[int] = []
        first = asyncio.create_task(readers.run(go_on.wait, 30))
        second = asyncio.create_task(readers.run(lambda: done.append(2), 30))
        third = asyncio.create_task(readers.run(lambda: done.append(3), 30))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        go_on.set()
        await asyncio.gather(first, third)
        assert done == [3]

    with_readers(test)


def test_more_reads_than_may_wait_are_refused_until_one_has_ended() -> None:
    async def test(readers: Readers, go_on: threading.Event) -> None:
        held = [asyncio.create_task(readers.run(go_on.wait, 30)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(CallError) as refused:
            await readers.run(lambda: 1, 30)
        assert refused.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        go_on.set()
        await asyncio.gather(*held)
        assert await readers.run(lambda: 1, 30) == 1

    with_readers(test, waiting=3)
