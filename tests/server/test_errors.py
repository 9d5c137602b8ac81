"""Errors after AIP-193: a code, a reason, what to do, and never a word of the request."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from msgspec.structs import replace

from dealgraph.api.v1 import graph_service_pb2, ingest_service_pb2
from dealgraph.graph.schema import SchemaError
from dealgraph.graph.storage import (
    StorageClosedError,
    StorageCorruptError,
    StorageError,
    StorageFullError,
    StorageLockedError,
)
from dealgraph.server.errors import as_call_error, reason_of
from tests.support.server import SETTINGS, TIMEOUT, RunningServer, detail_of, serving
from tests.support.server import reason_of as reason_at_client

CANARY = "Li Wei li@acme.example"
Code = grpc.StatusCode


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (StorageFullError(CANARY), Code.RESOURCE_EXHAUSTED, "STORAGE_FULL"),
        (StorageLockedError(CANARY), Code.UNAVAILABLE, "STORAGE_LOCKED"),
        (StorageClosedError(CANARY), Code.UNAVAILABLE, "SERVER_STOPPING"),
        (StorageCorruptError(CANARY), Code.DATA_LOSS, "STORAGE_DAMAGED"),
        (StorageError(CANARY), Code.UNAVAILABLE, "STORAGE_UNAVAILABLE"),
        (TimeoutError(CANARY), Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (SchemaError(CANARY), Code.INVALID_ARGUMENT, "WRONG_EDGE"),
    ],
)
def test_a_typed_error_has_its_code_its_reason_and_nothing_of_its_message(
    error: Exception, code: Code, reason: str
) -> None:
    told = as_call_error(error)
    assert told is not None
    status = told.status()
    assert (told.code, reason_of(status)) == (code, reason)
    assert CANARY not in status.message
    retried = {one.type_url.rpartition(".")[2] for one in status.details} & {"RetryInfo"}
    assert bool(retried) == (code in (Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE))


class _Broken:
    """A graph that fails in an unforeseen way."""

    def node(self, ref: object, as_of: int) -> object:
        raise ZeroDivisionError(CANARY)


def failing(server: RunningServer) -> grpc.RpcError:
    request = graph_service_pb2.GetNodeRequest(
        ref=graph_service_pb2.NodeRef(kind=graph_service_pb2.NODE_KIND_CONTACT, id=CANARY)
    )
    with pytest.raises(grpc.RpcError) as error:
        server.client.graph.GetNode(request)
    return error.value


def test_an_unforeseen_error_is_internal_and_goes_on_to_no_client(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serving(tmp_path) as server:
        monkeypatch.setattr(server.server.services.graph, "_graph", _Broken())
        error = failing(server)
        assert error.code() is Code.INTERNAL
        assert reason_at_client(error) == "INTERNAL"
        assert CANARY not in (error.details() or "")
        name = "grpc_server_handled_total"
        labels = {
            "grpc_type": "unary",
            "grpc_service": "dealgraph.api.v1.GraphService",
            "grpc_method": "GetNode",
            "grpc_code": "INTERNAL",
        }
        assert server.metric(name, **labels) == 1


def test_when_the_disk_is_full_publish_says_when_to_try_again_and_stores_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object, **__: object) -> list[object]:
        raise StorageFullError("no room")

    with serving(tmp_path) as server:
        with monkeypatch.context() as broken:
            broken.setattr(server.embedded.gate, "publish", full)
            with pytest.raises(grpc.RpcError) as error:
                server.client.ingest.Publish(ingest_service_pb2.PublishRequest())
        assert error.value.code() is Code.RESOURCE_EXHAUSTED
        assert detail_of(error.value, error_details_pb2.RetryInfo).retry_delay.seconds == 30
        server.client.ingest.Publish(ingest_service_pb2.PublishRequest())


@pytest.mark.parametrize(
    "method",
    [
        "GraphService/GetNode",
        "IngestService/Publish",
        "IngestService/PublishStream",
        "AlertService/StreamAlerts",
        "AlertService/PullAlerts",
        "LiveSessionService/Converse",
    ],
)
def test_bytes_that_are_no_message_are_an_invalid_argument(tmp_path: Path, method: str) -> None:
    with serving(tmp_path) as server:
        call: Any = server.channel.stream_stream(f"/dealgraph.api.v1.{method}")
        with pytest.raises(grpc.RpcError) as error:
            list(call(iter([b"\xff\xff\xff"]), timeout=TIMEOUT))
    assert error.value.code() is Code.INVALID_ARGUMENT
    assert reason_at_client(error.value) == "MALFORMED_REQUEST"


def test_a_method_that_does_not_exist_is_unimplemented_with_a_reason(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as server:
        call: Any = server.channel.unary_unary("/dealgraph.api.v1.GraphService/GuessOutcome")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=TIMEOUT)
    assert caught.value.code() is Code.UNIMPLEMENTED
    assert reason_at_client(caught.value) == "UNKNOWN_METHOD"


def test_a_request_with_too_many_bytes_is_refused_with_a_reason(tmp_path: Path) -> None:
    stated = replace(SETTINGS, server=replace(SETTINGS.server, max_message_bytes=1000))
    ref = graph_service_pb2.NodeRef(kind=graph_service_pb2.NODE_KIND_CONTACT, id="c" * 1000)
    with serving(tmp_path, stated) as server:
        with pytest.raises(grpc.RpcError) as caught:
            server.client.graph.GetNode(graph_service_pb2.GetNodeRequest(ref=ref))
    assert caught.value.code() is Code.RESOURCE_EXHAUSTED
    assert reason_at_client(caught.value) == "REQUEST_TOO_LARGE"
