"""A small client for Python programs: publish interactions, follow alerts through breaks.

with Client("127.0.0.1:7440") as client:
    client.publish([interaction])
    for alert in client.alerts():
        print(alert.explanation)
"""

import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Final, Self

import grpc

from dealgraph.api.v1 import (
    alert_pb2,
    alert_service_pb2,
    alert_service_pb2_grpc,
    channel_service_pb2_grpc,
    erasure_service_pb2_grpc,
    graph_service_pb2_grpc,
    identity_service_pb2_grpc,
    ingest_service_pb2,
    ingest_service_pb2_grpc,
    interaction_pb2,
    report_service_pb2_grpc,
    signal_service_pb2_grpc,
)

_OPTIONS: Final = [
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    # The keepalive of a stream notices a dead network; the server allows a ping every ten seconds.
    ("grpc.keepalive_time_ms", 30_000),
    # The pauses between attempts are this client's own.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]
_RETRIED: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})
_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 10.0
_DOUBLINGS: Final = 7

Reconnect = Callable[[grpc.RpcError, float], None]
"""Told of a break and of the seconds until the next try."""


class Client:
    """Talks to one server at HOST:PORT. All methods raise grpc.RpcError for what the server refuses.

    `attempts` is how often a call that may be repeated is tried before its error is raised; a stream
    of alerts counts anew after each thing received.
    """

    def __init__(self, target: str, *, attempts: int = 8) -> None:
        self._channel = grpc.insecure_channel(target, options=_OPTIONS)
        self._attempts = attempts
        self.ingest = ingest_service_pb2_grpc.IngestServiceStub(self._channel)
        self.graph = graph_service_pb2_grpc.GraphServiceStub(self._channel)
        self.alert = alert_service_pb2_grpc.AlertServiceStub(self._channel)
        self.signal = signal_service_pb2_grpc.SignalServiceStub(self._channel)
        self.identity = identity_service_pb2_grpc.IdentityServiceStub(self._channel)
        self.channel = channel_service_pb2_grpc.ChannelServiceStub(self._channel)
        self.erasure = erasure_service_pb2_grpc.ErasureServiceStub(self._channel)
        self.report = report_service_pb2_grpc.ReportServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and end all streams."""
        self._channel.close()

    def publish(
        self,
        interactions: Sequence[interaction_pb2.Interaction],
        rejected: Sequence[ingest_service_pb2.RejectedRecord] = (),
        *,
        read_with: bytes = b"",
        timeout: float = 30.0,
    ) -> Sequence[ingest_service_pb2.PublishResult]:
        """Store a batch and return a result per interaction; it is durable then.

        `read_with` is what the rejected records were read with (`stated_options.encode_stated`). The
        request has an id, so that trying it again after a break stores nothing twice.
        """
        request = ingest_service_pb2.PublishRequest(
            request_id=str(uuid.uuid4()),
            interactions=interactions,
            rejected_records=rejected,
            read_with=read_with,
        )
        return self._retried(lambda: self.ingest.Publish(request, timeout=timeout)).results

    def alerts(
        self,
        wanted: alert_service_pb2.AlertFilter | None = None,
        start: alert_service_pb2.StreamStart | None = None,
        *,
        on_token: Callable[[str], None] = lambda token: None,
        on_break: Reconnect = lambda error, delay: None,
    ) -> Iterator[alert_pb2.Alert | alert_service_pb2.Gap]:
        """Yield alerts and gaps for ever, each once and in order, through breaks of the connection.

        `on_token` gets every new resume token, to be kept across runs of the program: it covers what was
        yielded before, so take it as seen when the next item is asked for.
        """
        attempt = 0
        while True:
            request = alert_service_pb2.StreamAlertsRequest(filter=wanted, start=start)
            call = self.alert.StreamAlerts(request)
            try:
                for response in call:
                    attempt = 0
                    token = _token(response)
                    if response.HasField("alert"):
                        yield response.alert
                    elif response.HasField("gap"):
                        yield response.gap
                    start = alert_service_pb2.StreamStart(resume_token=token)
                    on_token(token)
            except grpc.RpcError as error:
                attempt = self._pause(error, attempt, on_break)
            finally:
                call.cancel()

    def _retried(
        self, call: Callable[[], ingest_service_pb2.PublishResponse]
    ) -> ingest_service_pb2.PublishResponse:
        attempt = 0
        while True:
            try:
                return call()
            except grpc.RpcError as error:
                attempt = self._pause(error, attempt, lambda error, delay: None)

    def _pause(self, error: grpc.RpcError, attempt: int, told: Reconnect) -> int:
        """Wait before the next attempt and return its number; raise `error` when there is none."""
        code = error.code() if isinstance(error, grpc.Call) else None
        if code not in _RETRIED or attempt + 1 >= self._attempts:
            raise error
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(attempt, _DOUBLINGS)) * random.uniform(
            0.5, 1.0
        )
        told(error, delay)
        time.sleep(delay)
        return attempt + 1


def _token(response: alert_service_pb2.StreamAlertsResponse) -> str:
    if response.HasField("alert"):
        return response.alert.resume_token
    if response.HasField("gap"):
        return response.gap.to_token
    return response.heartbeat.resume_token
