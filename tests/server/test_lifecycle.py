"""The life of a server: health, draining, addresses, what happens when the dataflow dies."""

import os
import signal
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dealgraph.api.v1 import alert_service_pb2, ingest_service_pb2, ingest_service_pb2_grpc
from dealgraph.server.health import SERVICES
from dealgraph.server.serve import INTERRUPTED, ServerFailedError
from tests.support.processes import ServerProcess
from tests.support.server import (
    TIMEOUT,
    RunningServer,
    alarming,
    earliest,
    reason_of,
    serving,
    settings,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def health(server: RunningServer) -> health_pb2_grpc.HealthStub:
    return health_pb2_grpc.HealthStub(server.channel)


def watch(server: RunningServer, service: str) -> Iterator[int]:
    call = health(server).Watch(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT)
    return (answer.status for answer in call)


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_the_server_and_each_service_are_serving(tmp_path: Path, service: str) -> None:
    with serving(tmp_path) as server:
        request = health_pb2.HealthCheckRequest(service=service)
        assert health(server).Check(request).status == SERVING


def test_a_service_that_does_not_exist_is_not_found_and_may_be_watched(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with pytest.raises(grpc.RpcError) as error:
            health(server).Check(health_pb2.HealthCheckRequest(service="nothing"))
        assert error.value.code() is grpc.StatusCode.NOT_FOUND
        assert next(watch(server, "nothing")) == UNKNOWN


def test_all_who_watch_hear_of_the_stop_even_after_one_of_them_left(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        leaving = health(server).Watch(health_pb2.HealthCheckRequest())
        watches = [watch(server, "") for _ in range(3)]
        assert [next(leaving).status, *map(next, watches)] == [SERVING] * 4
        leaving.cancel()
        server.request_stop()
        assert [list(one) for one in watches] == [[NOT_SERVING]] * 3
        server.join()


def test_draining_ends_streams_with_unavailable_so_that_clients_resume_elsewhere(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as server:
        server.publish(alarming("deal-1"))
        call = server.client.alert.StreamAlerts(
            alert_service_pb2.StreamAlertsRequest(start=earliest())
        )
        alert = next(item.alert for item in call if item.HasField("alert"))
        server.request_stop()
        with pytest.raises(grpc.RpcError) as error:
            list(call)
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason_of(error.value) == "SERVER_STOPPING"
        server.join()
    with serving(tmp_path) as server:
        server.publish(alarming("deal-2"))
        start = alert_service_pb2.StreamStart(resume_token=alert.resume_token)
        call = server.client.alert.StreamAlerts(alert_service_pb2.StreamAlertsRequest(start=start))
        following = next(item.alert for item in call if item.HasField("alert"))
        call.cancel()
        assert following.opportunity_id == "deal-2"


def test_metrics_are_served_on_their_own_port(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with urllib.request.urlopen(f"http://{server.addresses.metrics}/metrics") as page:
            assert b"dealgraph_alert_subscribers 0.0" in page.read()


@pytest.mark.parametrize("address", ["listen", "metrics"])
def test_an_address_that_is_taken_is_named(tmp_path: Path, address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=where):
            with serving(tmp_path, settings(server={address: where})):
                pass


def test_when_the_dataflow_dies_the_server_stops_and_says_why(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        watching = watch(server, "")
        assert next(watching) == SERVING
        server.embedded.graph.close()
        server.client.publish([])
        server.embedded.gate.publish(alarming("deal-1"))
        assert next(watching) == NOT_SERVING
        server.join()
        assert isinstance(server.failure, ServerFailedError)
        assert "was closed" in str(server.failure)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_ends_with_status_zero(tmp_path: Path, number: signal.Signals) -> None:
    process = ServerProcess(tmp_path)
    assert process.stop(number) == 0


def test_a_second_signal_ends_a_drain_that_takes_long_at_once(tmp_path: Path) -> None:
    process = ServerProcess(tmp_path)
    with grpc.insecure_channel(process.listen) as channel:
        ingest = ingest_service_pb2_grpc.IngestServiceStub(channel)
        go_on = threading.Event()
        call = ingest.PublishStream.future(endless(go_on))
        assert go_on.wait(TIMEOUT)
        health_stub = health_pb2_grpc.HealthStub(channel)
        watching = health_stub.Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        assert next(watching).status == SERVING
        os.kill(process.pid, signal.SIGINT)
        assert next(watching).status == NOT_SERVING
        assert process.stop(signal.SIGINT) == INTERRUPTED
        call.cancel()


def endless(begun: threading.Event) -> Iterator[ingest_service_pb2.PublishStreamRequest]:
    """A stream of batches that does not end, and so holds up a drain."""
    yield ingest_service_pb2.PublishStreamRequest()
    begun.set()
    threading.Event().wait(TIMEOUT)
