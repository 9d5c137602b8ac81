"""A server on a directory, in a thread of its own, for tests that talk to it over gRPC."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import grpc
from google.rpc import error_details_pb2, status_pb2
from msgspec import structs

from dealgraph.api.v1 import (
    alert_pb2,
    alert_service_pb2,
    interaction_pb2,
    live_session_service_pb2_grpc,
)
from dealgraph.server.client import Client
from dealgraph.server.compose import Embedded, open_embedded
from dealgraph.server.errors import DETAILS_KEY
from dealgraph.server.metrics import Metrics
from dealgraph.server.serve import Addresses, Server
from dealgraph.server.settings import Settings
from dealgraph.stream import codec
from dealgraph.stream.interaction import Interaction
from tests.support.dealgraphs import NOW
from tests.support.interactions import MINUTE, MONDAY, SECOND, message

TIMEOUT: Final = 30.0
"""Seconds after which a test gives up waiting."""

_BASE: Final = Settings()
SETTINGS: Final = structs.replace(
    _BASE,
    server=structs.replace(
        _BASE.server, listen="127.0.0.1:0", metrics="127.0.0.1:0", drain_seconds=2.0
    ),
)


def settings(**sections: dict[str, Any]) -> Settings:
    """The settings of tests, with values changed per section."""
    changed = {
        name: structs.replace(getattr(SETTINGS, name), **values)
        for name, values in sections.items()
    }
    return structs.replace(SETTINGS, **changed)


class RunningServer:
    """A server that answers. Its clock ticks by a millisecond whenever it is read."""

    def __init__(
        self, embedded: Embedded, stated: Settings, metrics: Metrics, clock: Callable[[], int]
    ) -> None:
        self.embedded = embedded
        self.metrics = metrics
        self._settings = stated
        self._clock = clock
        self._started = threading.Event()
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="server")
        self._thread.start()
        assert self._started.wait(TIMEOUT)
        if self.failure is not None:
            self._thread.join()
            raise self.failure
        self.client = Client(self.addresses.listen)
        self.channel = grpc.insecure_channel(self.addresses.listen)
        self.live = live_session_service_pb2_grpc.LiveSessionServiceStub(self.channel)

    async def _run(self) -> None:
        try:
            self.server = Server(self.embedded, self._settings, self.metrics, self._clock)
            self.addresses: Addresses = await self.server.start()
            self.loop = asyncio.get_running_loop()
        except BaseException as error:
            self.failure = error
            return
        finally:
            self._started.set()
        try:
            await self.server.wait()
        except Exception as error:
            self.failure = error
        finally:
            await self.server.stop()

    def request_stop(self) -> None:
        """Let the server drain and stop, as a signal does."""
        self.loop.call_soon_threadsafe(self.server.request_stop)

    def join(self) -> None:
        """Wait until the server has stopped."""
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()

    def close(self) -> None:
        """Stop the server if it runs, and close all connections."""
        self.client.close()
        self.channel.close()
        if self._thread.is_alive():
            self.request_stop()
            self.join()

    def publish(self, interactions: Sequence[Interaction]) -> None:
        """Publish over gRPC; all must be accepted, and the dataflow has passed them afterwards."""
        for result in self.client.publish([codec.interaction_to_message(i) for i in interactions]):
            assert result.outcome == 1, result
        self.catch_up()

    def catch_up(self) -> None:
        """Wait until the dataflow has passed all that is stored."""
        assert self.embedded.runner.wait_until_caught_up(TIMEOUT), self.embedded.runner.error

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of a metric, 0 when it was not counted yet."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@contextmanager
def serving(directory: Path, stated: Settings = SETTINGS) -> Iterator[RunningServer]:
    """Run a server while the block runs."""
    ticks = count(NOW)

    def clock() -> int:
        return next(ticks)

    metrics = Metrics(clock, ["wecom", "webvtt"])
    embedded = open_embedded(directory, stated, clock, metrics)
    try:
        server = RunningServer(embedded, stated, metrics, clock)
        try:
            yield server
        finally:
            server.close()
    finally:
        embedded.close()


_CALM: Final = "Thank you, that was helpful."
_NAMING: Final = "We are also talking to a competitor of yours."


def alarming(deal: str, session: str = "") -> list[Interaction]:
    """A chat in which the customer suddenly names competitors: it raises one alert."""
    session = session or f"{deal}-chat"
    return [
        message(
            _CALM if turn < 4 else _NAMING,
            at=MONDAY + turn * MINUTE,
            session=session,
            opportunity=deal,
            customer=f"{deal}-customer",
            duration_ms=20 * SECOND,
        )
        for turn in range(8)
    ]


def status_of(error: grpc.RpcError) -> status_pb2.Status:
    """Return the status with details that came with an error."""
    assert isinstance(error, grpc.Call)
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY:
            return status_pb2.Status.FromString(value)
    raise AssertionError("the error has no details")


def detail_of(error: grpc.RpcError, kind: type) -> Any:
    """Return the detail of a kind that came with an error."""
    for packed in status_of(error).details:
        if packed.Is(kind.DESCRIPTOR):  # type: ignore[attr-defined]
            detail = kind()
            packed.Unpack(detail)
            return detail
    raise AssertionError(f"the error has no {kind.__name__}")


def reason_of(error: grpc.RpcError) -> str:
    """Return the reason of an error for machines."""
    info = detail_of(error, error_details_pb2.ErrorInfo)
    assert info.domain == "dealgraph"
    return str(info.reason)


def item_of(response: alert_service_pb2.StreamAlertsResponse) -> str:
    """Return "alert", "heartbeat" or "gap"."""
    return response.WhichOneof("item") or ""


def earliest() -> alert_service_pb2.StreamStart:
    """Return the start at the oldest alert kept."""
    return alert_service_pb2.StreamStart(preset=alert_service_pb2.START_PRESET_EARLIEST)


Alert = alert_pb2.Alert
Message = interaction_pb2.Interaction
