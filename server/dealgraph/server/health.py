"""grpc.health.v1 and reflection.

The servicer of grpcio-health-checking loses watchers when one of several on the same service leaves,
so the few lines are written here.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from dealgraph.api.v1 import (
    alert_service_pb2,
    channel_service_pb2,
    erasure_service_pb2,
    graph_service_pb2,
    identity_service_pb2,
    ingest_service_pb2,
    live_session_service_pb2,
    report_service_pb2,
    signal_service_pb2,
)

SERVICES: Final = tuple(
    file.DESCRIPTOR.services_by_name[name].full_name
    for file, name in (
        (ingest_service_pb2, "IngestService"),
        (graph_service_pb2, "GraphService"),
        (alert_service_pb2, "AlertService"),
        (signal_service_pb2, "SignalService"),
        (live_session_service_pb2, "LiveSessionService"),
        (identity_service_pb2, "IdentityService"),
        (report_service_pb2, "ReportService"),
        (channel_service_pb2, "ChannelService"),
        (erasure_service_pb2, "ErasureService"),
    )
)
"""Full names of dealgraph's services."""

_HEALTH: Final = "grpc.health.v1.Health"
_REFLECTION: Final = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # the library has no types
    """Health of the server as a whole (the service "") and of each service: all the same."""

    def __init__(self, services: Iterable[str] = SERVICES) -> None:
        self._services = frozenset(services) | {"", _HEALTH}
        self._serving = False
        self._stopped = False
        self._changed = asyncio.Event()

    def set_serving(self, serving: bool) -> None:
        """Say whether the server takes calls, and tell all who watch."""
        self._serving = serving
        self._tell()

    def stop(self) -> None:
        """Say that the server takes no calls, and end all watches once that is told."""
        self._stopped = True
        self.set_serving(False)

    async def Check(  # noqa: N802 - the contract names it
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> health_pb2.HealthCheckResponse:
        """Answer the status of a service; NOT_FOUND for one that is not known."""
        if request.service not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND, "There is no such service.")
        return health_pb2.HealthCheckResponse(status=self._status(request.service))

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Stream the status of a service, now and whenever it changes."""
        told = None
        while True:
            changed, stopped = self._changed, self._stopped
            status = self._status(request.service)
            if status != told:
                yield health_pb2.HealthCheckResponse(status=status)
                told = status
            if stopped:
                return
            await changed.wait()

    def _status(self, service: str) -> int:
        states = health_pb2.HealthCheckResponse
        if service not in self._services:
            return int(states.SERVICE_UNKNOWN)
        return int(states.SERVING if self._serving else states.NOT_SERVING)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def add_reflection(server: grpc.aio.Server) -> None:
    """Let clients ask for the contract, under both names in use; the messages are the same."""
    names = (*SERVICES, _HEALTH, *_REFLECTION)
    reflection.enable_server_reflection(names, server)
    servicer = reflection.aio.ReflectionServicer(names)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    methods = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_REFLECTION[0], methods),)
    )
