"""A generic client that knows nothing but reflection can publish, query and stream."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha import reflection_pb2

from tests.support.interactions import MINUTE, MONDAY
from tests.support.server import TIMEOUT, serving, settings

V1 = "grpc.reflection.v1.ServerReflection"
V1_ALPHA = "grpc.reflection.v1alpha.ServerReflection"


class GenericClient:
    """Calls any method of a server by its full name with plain dictionaries."""

    def __init__(self, channel: grpc.Channel, reflection: str) -> None:
        self._channel = channel
        self._ask: Callable[[Iterator[Any]], Iterator[Any]] = channel.stream_stream(
            f"/{reflection}/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        self._pool = descriptor_pool.DescriptorPool()

    def services(self) -> list[str]:
        """Return the names of all services."""
        return [one.name for one in self._answer(list_services="").list_services_response.service]

    def call(self, path: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Call a method and yield its answers."""
        service, _, method = path.rpartition("/")
        described = self._service(service).methods_by_name[method]
        make = (
            self._channel.unary_stream if described.server_streaming else self._channel.unary_unary
        )
        question = message_factory.GetMessageClass(described.input_type)
        answer = message_factory.GetMessageClass(described.output_type)
        call: Callable[..., Any] = make(
            f"/{path}",
            request_serializer=question.SerializeToString,
            response_deserializer=answer.FromString,
        )
        found = call(json_format.ParseDict(request, question()), timeout=TIMEOUT)
        answers = found if described.server_streaming else [found]
        for one in answers:
            yield json_format.MessageToDict(one, preserving_proto_field_name=True)

    def _service(self, name: str) -> Any:
        answer = self._answer(file_containing_symbol=name).file_descriptor_response
        for raw in reversed(answer.file_descriptor_proto):
            self._pool.Add(descriptor_pb2.FileDescriptorProto.FromString(raw))
        return self._pool.FindServiceByName(name)

    def _answer(self, **question: str) -> Any:
        request = reflection_pb2.ServerReflectionRequest(**question)
        return next(iter(self._ask(iter([request]))))


@pytest.mark.parametrize("reflection", [V1, V1_ALPHA])
def test_a_client_with_reflection_alone_publishes_queries_and_streams(
    tmp_path: Path, reflection: str
) -> None:
    with serving(tmp_path) as server:
        client = GenericClient(server.channel, reflection)
        assert "dealgraph.api.v1.IngestService" in client.services()
        assert "grpc.health.v1.Health" in client.services()
        said = [
            {
                "source": "wecom",
                "native_id": f"m{turn}",
                "session_id": "chat-1",
                "opportunity_id": "deal-1",
                "actor": {"side": "SIDE_CUSTOMER", "native_id": "li", "confidence": 1},
                "channel": "CHANNEL_CHAT",
                "kind": "INTERACTION_KIND_MESSAGE",
                "occurred_at_ms": MONDAY + turn * MINUTE,
                "duration_ms": 20_000,
                "text": "Thank you." if turn < 4 else "A competitor of yours offers that.",
            }
            for turn in range(8)
        ]
        (published,) = client.call("dealgraph.api.v1.IngestService/Publish", {"interactions": said})
        assert {one["outcome"] for one in published["results"]} == {"PUBLISH_OUTCOME_ACCEPTED"}
        server.catch_up()
        (timeline,) = client.call(
            "dealgraph.api.v1.GraphService/GetTimeline",
            {"ref": {"kind": "NODE_KIND_OPPORTUNITY", "id": "deal-1"}},
        )
        assert len(timeline["actions"]) == 8
        stream = client.call(
            "dealgraph.api.v1.AlertService/StreamAlerts",
            {"start": {"preset": "START_PRESET_EARLIEST"}},
        )
        alert = next(item["alert"] for item in stream if "alert" in item)
        assert alert["kind"] == "SIGNAL_KIND_COMPETITOR_RATE"


def test_reflection_can_be_switched_off(tmp_path: Path) -> None:
    with serving(tmp_path, settings(server={"reflection": False})) as server:
        with pytest.raises(grpc.RpcError) as error:
            GenericClient(server.channel, V1).services()
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
