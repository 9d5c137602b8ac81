"""What the demo runs on: a real server on free loopback ports, and a subscriber to its alerts."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import grpc

from dealgraph.api.v1 import alert_pb2, alert_service_pb2
from dealgraph.server.client import Client
from dealgraph.server.compose import Embedded, open_embedded
from dealgraph.server.demo_feed import COMPETITORS
from dealgraph.server.metrics import Metrics
from dealgraph.server.serve import Addresses, Server
from dealgraph.server.settings import (
    ServerSettings,
    Settings,
    TaggingSettings,
)
from dealgraph.stream.connectors.registry import connectors

Clock = Callable[[], int]
_FREE_PORT = "127.0.0.1:0"


class Stage:
    """A running server: where it listens, and the data directory it works on."""

    def __init__(self, addresses: Addresses, embedded: Embedded) -> None:
        self.addresses = addresses
        self.embedded = embedded


@contextmanager
def open_stage(directory: Path, clock: Clock) -> Iterator[Stage]:
    """Run a server on `directory` with the settings of the sample until the context ends."""
    settings = Settings(
        server=ServerSettings(listen=_FREE_PORT, metrics=_FREE_PORT, drain_seconds=1.0),
        tagging=TaggingSettings(competitors=COMPETITORS),
    )
    metrics = Metrics(clock, connectors())
    embedded = open_embedded(directory, settings, clock, metrics)
    try:
        with _running_loop() as run:
            server = Server(embedded, settings, metrics, clock)
            addresses = run(server.start())
            try:
                yield Stage(addresses, embedded)
            finally:
                run(server.stop())
    finally:
        embedded.close()


@contextmanager
def _running_loop() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Run an event loop in a thread; yield a function that runs a coroutine there and waits for it."""
    started: SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = SimpleQueue()

    async def hold() -> None:
        stop = asyncio.Event()
        started.put((asyncio.get_running_loop(), stop))
        await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(hold()), name="server")
    thread.start()
    loop, stop = started.get()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result()
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


class Subscriber:
    """Follows the alerts of a server in a thread of its own, as any client would."""

    def __init__(self, target: str) -> None:
        self._client = Client(target)
        self._arrived: SimpleQueue[alert_pb2.Alert] = SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._follow, name="subscriber")
        self._thread.start()

    def arrived(self) -> list[alert_pb2.Alert]:
        """Return the alerts that arrived since they were last asked for."""
        return [self._arrived.get() for _ in range(self._arrived.qsize())]

    def wait(self, seconds: float) -> alert_pb2.Alert | None:
        """Return the next alert, None when none arrives in time."""
        try:
            return self._arrived.get(timeout=seconds)
        except Empty:
            return None

    def close(self) -> None:
        """Stop following."""
        self._closing = True
        self._client.close()
        self._thread.join()

    def _follow(self) -> None:
        start = alert_service_pb2.StreamStart(preset=alert_service_pb2.START_PRESET_EARLIEST)
        try:
            for item in self._client.alerts(start=start):
                if isinstance(item, alert_pb2.Alert):
                    self._arrived.put(item)
        except (grpc.RpcError, ValueError):  # grpc raises ValueError for a closed channel
            if not self._closing:
                raise
