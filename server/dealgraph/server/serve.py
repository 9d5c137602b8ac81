"""The life of a server: start, serve, drain, stop.

Start: dataflow, then services, then the port, then health SERVING. Stop, on the first SIGINT or SIGTERM:
health NOT_SERVING, streams end with UNAVAILABLE so that clients reconnect elsewhere, no new calls,
running ones get the grace of the settings, then writes are finished and the dataflow stops. A second
signal ends the process at once; what was acknowledged is durable either way.
"""

import asyncio
import errno
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Final

import grpc
from grpc_health.v1 import health_pb2_grpc
from msgspec import Struct

from dealgraph.graph.storage import StorageError
from dealgraph.server import logs
from dealgraph.server.compose import Embedded
from dealgraph.server.health import Health, add_reflection
from dealgraph.server.interceptor import CallInterceptor
from dealgraph.server.metrics import Metrics, MetricsPort
from dealgraph.server.services import Services
from dealgraph.server.settings import ServerSettings, Settings
from dealgraph.server.webhook import Webhooks

INTERRUPTED: Final = 130
"""Exit status after a second signal."""


class Addresses(Struct, frozen=True):
    """Where the server listens, as HOST:PORT with the ports that were bound."""

    listen: str
    metrics: str
    webhook: str = ""


class ServerFailedError(Exception):
    """The server cannot go on; the message says why and what to do."""


class Server:
    """One server on an open data directory, which stays open when it stops.

    `clock` gives milliseconds since 1970 UTC. To be used within one event loop.
    """

    def __init__(
        self, embedded: Embedded, settings: Settings, metrics: Metrics, clock: Callable[[], int]
    ) -> None:
        self._embedded = embedded
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._resources = AsyncExitStack()
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None

    async def start(self) -> Addresses:
        """Start everything and return the addresses. Raises OSError when one cannot be bound."""
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> Addresses:
        stated = self._settings.server
        loop = asyncio.get_running_loop()
        embedded = self._embedded
        self._resources.push_async_callback(asyncio.to_thread, embedded.runner.stop)
        services = self.services = Services(embedded, self._settings, self._metrics, self._clock)
        self._resources.push_async_callback(services.close)
        embedded.listen(lambda written: services.hub.wake(written.alerts))
        embedded.listen(lambda written: services.signal_hub.wake(written.signals))
        embedded.listen(lambda _: self._check_dataflow(loop))
        embedded.runner.start()
        for hub in (services.hub, services.signal_hub):
            tail = loop.create_task(hub.run())
            self._resources.callback(tail.cancel)
            tail.add_done_callback(self._check_tail)
        watch = loop.create_task(services.channels.run(self._settings.channels.check_seconds))
        self._resources.callback(watch.cancel)
        watch.add_done_callback(self._check_tail)
        self._resources.push_async_callback(asyncio.to_thread, embedded.erasing.wait)
        self._resources.push_async_callback(asyncio.to_thread, embedded.runner.stop)
        erasing = loop.create_task(services.erasures.run(self._settings.erasure.check_seconds))
        self._resources.callback(erasing.cancel)
        erasing.add_done_callback(self._check_tail)
        metrics = await self._open_metrics(stated.metrics)
        webhook = await self._open_webhook(self._settings.webhook.listen)
        server = grpc.aio.server(
            interceptors=[CallInterceptor(self._metrics, stated.max_message_bytes)],
            options=_options(stated),
        )
        health = Health()
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        services.add_to(server)
        if stated.reflection:
            add_reflection(server)
        listen = _bind(server, stated.listen)
        await server.start()
        self._resources.push_async_callback(server.stop, stated.drain_seconds)
        for hub in (services.hub, services.signal_hub):
            self._resources.callback(hub.stop)
        self._resources.callback(health.stop)
        health.set_serving(True)
        return Addresses(listen, metrics, webhook)

    async def _open_metrics(self, address: str) -> str:
        host, port = _split(address)
        try:
            opened = MetricsPort(self._metrics, host, port)
        except OSError as error:
            raise OSError(error.errno, error.strerror, address) from error
        self._resources.push_async_callback(asyncio.to_thread, opened.close)
        return f"{host}:{opened.port}"

    async def _open_webhook(self, address: str) -> str:
        """Receive webhooks at an address, if there is one. Raises OSError when it cannot be bound."""
        if not address:
            return ""
        host, port = _split(address)
        stated, embedded = self._settings.webhook, self._embedded
        webhooks = Webhooks(
            embedded.gate, self.services.commits, self._metrics, self._clock, stated
        )
        self._resources.push_async_callback(webhooks.close)
        return f"{host}:{await webhooks.start(host, port)}"

    def request_stop(self) -> None:
        """Let `wait` return."""
        self._stopping.set()

    async def wait(self) -> None:
        """Return when a stop was requested. Raises ServerFailedError when the dataflow has died."""
        await self._stopping.wait()
        if self._failure is not None:
            raise ServerFailedError(_in_words(self._failure)) from self._failure

    async def stop(self) -> None:
        """Drain and stop; returns when all is finished."""
        await self._resources.aclose()

    def _check_dataflow(self, loop: asyncio.AbstractEventLoop) -> None:
        error = self._embedded.runner.error
        if error is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._fail, error)

    def _check_tail(self, tail: "asyncio.Task[None]") -> None:
        if not tail.cancelled() and (error := tail.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        logs.fault("server_failed", error)
        self._failure = self._failure or error
        self._stopping.set()


async def serve(
    embedded: Embedded,
    settings: Settings,
    metrics: Metrics,
    clock: Callable[[], int],
    say: Callable[[str], None],
) -> None:
    """Serve until a signal comes; `say` is told in words what happens.

    Raises ServerFailedError when the server had to stop by itself, and OSError when it cannot listen. The
    data directory stays open: whoever opened it closes it.
    """
    server = Server(embedded, settings, metrics, clock)
    gc.freeze()  # what is loaded by now stays: no collection need look at it again
    with _quick_switching(settings.server.switch_interval_seconds), _signals(server, say):
        addresses = await server.start()
        logs.event("ready")
        webhooks = f" and webhooks on {addresses.webhook}" if addresses.webhook else ""
        say(
            f"dealgraph is ready: gRPC on {addresses.listen}, metrics on {addresses.metrics}{webhooks}"
        )
        try:
            await server.wait()
        finally:
            say(f"Draining, {settings.server.drain_seconds:g} seconds at most …")
            await server.stop()
            logs.event("stopped")


@contextmanager
def _signals(server: Server, say: Callable[[str], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    seen = 0

    def on_signal() -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            say("Stopped at once. Nothing that was acknowledged is lost.")
            # Threads may be deep in work that nobody waits for any more.
            os._exit(INTERRUPTED)
        server.request_stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextmanager
def _quick_switching(seconds: float) -> Iterator[None]:
    """Let threads take turns more often: an alert must not wait while the dataflow computes."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _options(stated: ServerSettings) -> list[tuple[str, int]]:
    return [
        # Refused by the interceptor, with a reason; gRPC's own limit only guards the memory.
        ("grpc.max_receive_message_length", 2 * stated.max_message_bytes),
        ("grpc.max_send_message_length", stated.max_message_bytes),
        ("grpc.keepalive_time_ms", int(stated.keepalive_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", int(stated.keepalive_timeout_seconds * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        (
            "grpc.http2.min_ping_interval_without_data_ms",
            int(stated.min_ping_interval_seconds * 1000),
        ),
        ("grpc.so_reuseport", 0),  # a second server on the same port must fail, not share it
    ]


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise OSError(errno.EINVAL, "is no HOST:PORT", address)
    return host.strip("[]"), int(port)


def _bind(server: grpc.aio.Server, address: str) -> str:
    host, _ = _split(address)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(errno.EADDRINUSE, "cannot be listened on", address) from error
    return f"{host}:{port}"


def _in_words(error: BaseException) -> str:
    reason = error
    while reason.__cause__ is not None and not isinstance(reason, StorageError):
        reason = reason.__cause__  # Bytewax wraps what a step raised
    if isinstance(reason, StorageError):
        return str(reason)
    return (
        f"The dataflow has died ({type(reason).__name__}: {reason}). Everything acknowledged is in "
        "the log; start the server again, and if it dies again, run `dealgraph doctor` and report it."
    )
