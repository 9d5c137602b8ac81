"""ErasureService over gRPC, and requests that come from elsewhere, on a server that runs on."""

import json
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import grpc
import pytest

from dealgraph.api.v1 import erasure_service_pb2 as pb
from dealgraph.api.v1 import graph_service_pb2
from tests.server.test_erasing import story, traces
from tests.server.test_webhook import hubspot, post
from tests.support.command_line import dealgraph
from tests.support.dealgraphs import NOW
from tests.support.interactions import MONDAY, message
from tests.support.server import TIMEOUT, RunningServer, reason_of, serving, settings

CONTACT = graph_service_pb2.NODE_KIND_CONTACT
NA = graph_service_pb2.NodeRef(kind=CONTACT, id="mail:na.li@acme.example")
QUICK = settings(erasure={"check_seconds": 0.05})


def wait_until(true: Callable[[], bool]) -> None:
    deadline = monotonic() + TIMEOUT
    while not true():
        assert monotonic() < deadline
        sleep(0.02)


def states(server: RunningServer) -> list[int]:
    listed = server.client.erasure.ListErasures(pb.ListErasuresRequest())
    return [one.state for one in listed.erasures]


def test_a_request_is_carried_out_while_the_server_runs(tmp_path: Path) -> None:
    with serving(tmp_path, QUICK) as server:
        server.publish(story())
        asked = server.client.erasure.RequestErasure(pb.RequestErasureRequest(person=NA)).erasure
        assert asked.state == pb.ERASURE_STATE_WAITING
        wait_until(lambda: states(server) == [pb.ERASURE_STATE_DONE])
        assert traces(tmp_path) == []
        with pytest.raises(grpc.RpcError) as refused:
            server.client.graph.GetNode(graph_service_pb2.GetNodeRequest(ref=NA))
        assert reason_of(refused.value) == "NODE_NOT_FOUND"
        deal = graph_service_pb2.NodeRef(kind=graph_service_pb2.NODE_KIND_OPPORTUNITY, id="deal-1")
        timeline = server.client.graph.GetTimeline(graph_service_pb2.GetTimelineRequest(ref=deal))
        assert timeline.actions
        server.publish([message("and on it goes", session="next")])


def test_a_privacy_deletion_of_hubspot_is_a_request(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hubspot-secret", encoding="utf-8")
    stated = settings(
        erasure={"check_seconds": 0.05},
        webhook={
            "listen": "127.0.0.1:0",
            "hubspot_secret_file": str(tmp_path / "secret"),
            "public_url": "https://hooks.example",
        },
    )
    event = {"subscriptionId": 7, "objectId": 4242, "occurredAt": MONDAY, "eventId": 1}
    named = event | {
        "subscriptionType": "contact.propertyChange",
        "propertyName": "email",
        "propertyValue": "na.li@acme.example",
    }
    deletion = event | {"subscriptionType": "contact.privacyDeletion", "occurredAt": NOW - 1}
    with serving(tmp_path / "data", stated) as server:
        for sent in (named, deletion):
            body = json.dumps([sent]).encode()
            assert post(server, "hubspot", body, hubspot(body))[0] == 200
        wait_until(lambda: states(server) == [pb.ERASURE_STATE_DONE])
        assert traces(tmp_path / "data", "na.li@acme.example", "hubspot:4242") == []
        body = json.dumps([deletion | {"attemptNumber": 1}]).encode()
        assert post(server, "hubspot", body, hubspot(body))[0] == 200
        assert states(server) == [pb.ERASURE_STATE_DONE]


def test_a_request_that_names_no_person_is_refused(tmp_path: Path) -> None:
    nobody = graph_service_pb2.NodeRef(kind=CONTACT, id="nobody")
    deal = graph_service_pb2.NodeRef(kind=graph_service_pb2.NODE_KIND_OPPORTUNITY, id="deal-1")
    wrong = {
        "person.id": pb.RequestErasureRequest(person=nobody),
        "person.kind": pb.RequestErasureRequest(person=deal),
        "asked_at_ms": pb.RequestErasureRequest(person=NA, asked_at_ms=NOW * 2),
    }
    with serving(tmp_path) as server:
        for field, request in wrong.items():
            with pytest.raises(grpc.RpcError) as refused:
                server.client.erasure.RequestErasure(request)
            assert field in str(refused.value)


def test_the_command_line_erases_at_once_and_lists(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.publish(story())
    erased = dealgraph("erase", "na.li@acme.example", "--data", tmp_path)
    assert erased.returncode == 0, erased.stderr
    assert "done" in erased.stdout
    assert traces(tmp_path) == []
    assert dealgraph("erase", "--data", tmp_path).stdout == erased.stdout
