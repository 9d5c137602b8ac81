"""The floor of the alert benchmark: a server that is nothing but gRPC and a queue.

`Publish` acknowledges at once, and every interaction whose text begins with TRIGGER goes straight to the
one stream of alerts. Prints its address, and serves until its input ends.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Final

import grpc

from dealgraph.api.v1 import (
    alert_pb2,
    alert_service_pb2,
    alert_service_pb2_grpc,
    ingest_service_pb2,
    ingest_service_pb2_grpc,
)

TRIGGER: Final = "Your competitor"
"""How a message begins that causes an alert."""


class _Ingest(ingest_service_pb2_grpc.IngestServiceServicer):
    def __init__(self, queue: asyncio.Queue[str]) -> None:
        self._queue = queue

    async def Publish(  # noqa: N802
        self, request: ingest_service_pb2.PublishRequest, context: object
    ) -> ingest_service_pb2.PublishResponse:
        for interaction in request.interactions:
            if interaction.text.startswith(TRIGGER):
                self._queue.put_nowait(interaction.session_id)
        return ingest_service_pb2.PublishResponse()


class _Alerts(alert_service_pb2_grpc.AlertServiceServicer):
    def __init__(self, queue: asyncio.Queue[str]) -> None:
        self._queue = queue

    async def StreamAlerts(  # noqa: N802
        self, request: alert_service_pb2.StreamAlertsRequest, context: object
    ) -> AsyncIterator[alert_service_pb2.StreamAlertsResponse]:
        while True:
            alert = alert_pb2.Alert(session_id=await self._queue.get())
            yield alert_service_pb2.StreamAlertsResponse(alert=alert)


async def _serve() -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()
    server = grpc.aio.server()
    ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(_Ingest(queue), server)  # type: ignore[no-untyped-call]
    alert_service_pb2_grpc.add_AlertServiceServicer_to_server(_Alerts(queue), server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"127.0.0.1:{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(_serve())
