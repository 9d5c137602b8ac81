"""The floor of the benchmarks of alerts and hints: a server that is nothing but gRPC and a queue.

`Publish` acknowledges at once, and every interaction whose text begins with TRIGGER goes straight to the
one stream of alerts. `Converse` answers each utterance with a receipt, and one that begins with SLIP with
a hint. Prints its address, and serves until its input ends.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import grpc

from dealgraph.api.v1 import (
    alert_pb2,
    alert_service_pb2,
    ingest_service_pb2,
    live_session_service_pb2,
)

TRIGGER: Final = "Your competitor"
"""How a message begins that causes an alert."""

SLIP: Final = "Between us"
"""How an utterance begins that causes a hint."""


async def _serve() -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def publish(
        request: ingest_service_pb2.PublishRequest, _context: object
    ) -> ingest_service_pb2.PublishResponse:
        for interaction in request.interactions:
            if interaction.text.startswith(TRIGGER):
                queue.put_nowait(interaction.session_id)
        return ingest_service_pb2.PublishResponse()

    async def stream(
        _request: alert_service_pb2.StreamAlertsRequest, _context: object
    ) -> AsyncIterator[alert_service_pb2.StreamAlertsResponse]:
        while True:
            alert = alert_pb2.Alert(session_id=await queue.get())
            yield alert_service_pb2.StreamAlertsResponse(alert=alert)

    publishing = grpc.unary_unary_rpc_method_handler(
        publish,
        ingest_service_pb2.PublishRequest.FromString,
        ingest_service_pb2.PublishResponse.SerializeToString,
    )
    streaming = grpc.unary_stream_rpc_method_handler(
        stream,
        alert_service_pb2.StreamAlertsRequest.FromString,
        alert_service_pb2.StreamAlertsResponse.SerializeToString,
    )
    conversing = grpc.stream_stream_rpc_method_handler(
        _converse,
        live_session_service_pb2.ConverseRequest.FromString,
        live_session_service_pb2.ConverseResponse.SerializeToString,
    )
    await _listen(
        {
            "IngestService": {"Publish": publishing},
            "AlertService": {"StreamAlerts": streaming},
            "LiveSessionService": {"Converse": conversing},
        }
    )


async def _converse(
    requests: AsyncIterator[live_session_service_pb2.ConverseRequest], _context: object
) -> AsyncIterator[live_session_service_pb2.ConverseResponse]:
    async for request in requests:
        said = request.utterance
        if request.WhichOneof("request") == "utterance":
            receipt = live_session_service_pb2.UtteranceReceipt(utterance_id=said.id, accepted=True)
            yield live_session_service_pb2.ConverseResponse(receipt=receipt)
            if said.text.startswith(SLIP):
                hint = alert_pb2.Alert(id=said.id, explanation=said.id)
                yield live_session_service_pb2.ConverseResponse(hint=hint)


async def _listen(services: "Mapping[str, Mapping[str, grpc.RpcMethodHandler[Any, Any]]]") -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(f"dealgraph.api.v1.{name}", dict(methods))
            for name, methods in services.items()
        ]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"127.0.0.1:{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(_serve())
