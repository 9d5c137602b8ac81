"""Webhooks over real sockets: durable before the answer, signed, bounded, idempotent."""

import http.client
import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dealgraph.server.settings import SettingsError, WebhookSettings
from dealgraph.server.webhook import load_secrets
from dealgraph.stream.connectors.signatures import sign
from dealgraph.stream.log import Topic
from tests.support.dealgraphs import NOW
from tests.support.interactions import MONDAY
from tests.support.server import RunningServer, serving, settings

ROBOT = {
    "msgId": "msg-1",
    "msgtype": "text",
    "text": {"content": "When can you deliver?"},
    "createAt": MONDAY,
    "conversationId": "cid-1",
    "conversationType": "2",
    "senderId": "$:LWCP_v1:$x",
    "senderNick": "Li Na",
}
HUBSPOT_EVENT = {
    "eventId": 1,
    "subscriptionId": 7,
    "subscriptionType": "deal.propertyChange",
    "objectId": 42,
    "occurredAt": MONDAY,
    "propertyName": "dealstage",
    "propertyValue": "contractsent",
    "attemptNumber": 0,
}
METRIC = {
    "subject": "customer:acme",
    "name": "nps",
    "value": 31,
    "unit": "score",
    "time": "2026-03-02T09:00:00Z",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    for name in ("hubspot", "dingtalk", "token"):
        (tmp_path / name).write_text(f"{name}-secret\n", encoding="utf-8")
    stated = settings(
        webhook={
            "listen": "127.0.0.1:0",
            "max_body_bytes": 4096,
            "hubspot_secret_file": str(tmp_path / "hubspot"),
            "dingtalk_secret_file": str(tmp_path / "dingtalk"),
            "token_file": str(tmp_path / "token"),
            "public_url": "https://hooks.example",
        }
    )
    with serving(tmp_path / "data", stated) as running:
        yield running


def post(
    server: RunningServer, source: str, body: bytes, headers: dict[str, str], method: str = "POST"
) -> tuple[int, Any]:
    """Send a request; return the status and the JSON of the answer."""
    host, _, port = server.addresses.webhook.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    try:
        connection.request(method, f"/hooks/{source}", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else dict(answer.headers)
    finally:
        connection.close()


def stored(server: RunningServer) -> int:
    """Return how many interactions are durable."""
    return len(server.embedded.log.read(Topic.INTERACTIONS, 0, 100))


def dingtalk(age_ms: int = 0, secret: str = "dingtalk-secret") -> dict[str, str]:
    at = str(NOW - age_ms)
    return {"timestamp": at, "sign": sign(f"{at}\n{secret}".encode(), secret)}


def hubspot(body: bytes, age_ms: int = 0) -> dict[str, str]:
    at = str(NOW - age_ms)
    signed = b"POSThttps://hooks.example/hooks/hubspot" + body + at.encode()
    signature = sign(signed, "hubspot-secret")
    return {"X-HubSpot-Request-Timestamp": at, "X-HubSpot-Signature-v3": signature}


TOKEN = {"Authorization": "Bearer token-secret"}


def test_a_signed_message_of_dingtalk_is_durable_when_it_is_answered(server: RunningServer) -> None:
    body = json.dumps(ROBOT).encode()

    assert post(server, "dingtalk", body, dingtalk()) == (
        200,
        {"accepted": 1, "duplicate": 0, "rejected": 0},
    )
    assert stored(server) == 1
    assert post(server, "dingtalk", body, dingtalk())[1]["duplicate"] == 1
    assert stored(server) == 1


def test_a_signed_batch_of_hubspot_is_taken_and_its_retry_is_a_duplicate(
    server: RunningServer,
) -> None:
    body = json.dumps([HUBSPOT_EVENT]).encode()
    assert post(server, "hubspot", body, hubspot(body))[0] == 200
    assert stored(server) == 1

    again = json.dumps([HUBSPOT_EVENT | {"attemptNumber": 1}]).encode()
    assert post(server, "hubspot", again, hubspot(again))[1]["duplicate"] == 1


def test_a_cloud_event_is_taken_structured_batched_and_binary(server: RunningServer) -> None:
    def event(number: int) -> dict[str, Any]:
        context = {"specversion": "1.0", "id": f"e{number}", "source": "/crm", "type": "metric"}
        return {**context, "time": "2026-03-02T09:00:00Z", "data": METRIC | {"value": number}}

    structured = {"Content-Type": "application/cloudevents+json", **TOKEN}
    batched = {"Content-Type": "application/cloudevents-batch+json", **TOKEN}
    binary = {
        **{"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "e4"},
        **{"ce-source": "/crm", "ce-type": "metric", **TOKEN},
    }
    answers = [
        post(server, "metrics", json.dumps(event(1)).encode(), structured),
        post(server, "metrics", json.dumps([event(2), event(3)]).encode(), batched),
        post(server, "metrics", json.dumps(METRIC | {"value": 4}).encode(), binary),
    ]

    assert [status for status, _ in answers] == [200, 200, 200]
    assert [told["accepted"] for _, told in answers] == [1, 2, 1], answers
    assert stored(server) == 4


@pytest.mark.parametrize(
    ("source", "headers"),
    [
        ("dingtalk", {}),
        ("dingtalk", dingtalk(secret="another")),
        ("dingtalk", dingtalk(age_ms=3_700_000)),
        ("dingtalk", {"timestamp": str(NOW), "sign": b64encode(b"x" * 32).decode()}),
        ("hubspot", hubspot(b"another body")),
        ("hubspot", hubspot(json.dumps(ROBOT).encode(), age_ms=400_000)),
        ("metrics", {}),
        ("metrics", {"Authorization": "Bearer wrong"}),
        ("metrics", {"Authorization": "Bearer t\u00f6ken"}),
    ],
)
def test_what_is_not_signed_or_too_old_is_refused_and_not_kept(
    server: RunningServer, source: str, headers: dict[str, str]
) -> None:
    assert post(server, source, json.dumps(ROBOT).encode(), headers)[0] == 401
    assert stored(server) == 0
    assert server.embedded.log.read(Topic.DEAD_LETTERS, 0, 10) == []


def test_a_body_over_the_limit_is_refused(server: RunningServer) -> None:
    assert post(server, "metrics", b" " * 5000, TOKEN)[0] == 413


def test_what_cannot_be_read_is_a_dead_letter_and_the_sender_is_told(server: RunningServer) -> None:
    assert post(server, "metrics", b"{", TOKEN)[0] == 400
    assert len(server.embedded.log.read(Topic.DEAD_LETTERS, 0, 10)) == 1


def test_an_unknown_source_or_method_is_refused(server: RunningServer) -> None:
    assert post(server, "nothing", b"{}", TOKEN)[0] == 404
    host, _, port = server.addresses.webhook.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.request("GET", "/hooks/metrics")
    assert connection.getresponse().status == 405
    connection.close()


def test_a_sender_of_cloud_events_may_ask_first(server: RunningServer) -> None:
    status, headers = post(
        server, "metrics", b"", {"WebHook-Request-Origin": "events.example"}, "OPTIONS"
    )

    assert (status, headers["WebHook-Allowed-Origin"]) == (200, "events.example")


def test_requests_are_counted_by_status(server: RunningServer) -> None:
    post(server, "metrics", b"{}", {})

    assert server.metric("dealgraph_webhook_requests_total", source="other", code="401") == 1


def _with(directory: Path, name: str, **values: Any) -> dict[str, Any]:
    """Return settings of webhooks in which this secret alone is set."""
    file = directory / f"{name}.secret"
    file.write_text(f"{name}-secret\n", encoding="utf-8")
    return {"listen": "127.0.0.1:0", name: str(file), **values}


@pytest.mark.parametrize(
    ("named", "refused"), [("token_file", "hubspot"), ("hubspot_secret_file", "metrics")]
)
def test_a_source_without_a_secret_is_not_enabled(tmp_path: Path, named: str, refused: str) -> None:
    with serving(tmp_path / "data", settings(webhook=_with(tmp_path, named))) as server:
        status, told = post(server, refused, b"[]", {})
        assert status == 404
        assert "is not set" in told["error"]
        assert stored(server) == 0


def test_a_receiver_that_could_check_nothing_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"webhook\.token_file"):
        with serving(tmp_path, settings(webhook={"listen": "127.0.0.1:0"})):
            pass


def test_what_is_not_durable_in_time_is_answered_503_and_may_be_sent_again(tmp_path: Path) -> None:
    stated = settings(webhook=_with(tmp_path, "token_file", answer_seconds=0.2))
    token = {"Authorization": "Bearer token_file-secret"}
    with serving(tmp_path / "data", stated) as server:
        with server.embedded.log.transaction(Topic.INTERACTIONS):  # nothing else can be stored
            status, told = post(server, "metrics", json.dumps(METRIC).encode(), token)
            assert (status, told["error"]) == (503, "not stored yet: send it again")
        status, told = post(server, "metrics", json.dumps(METRIC).encode(), token)
        assert status == 200
        assert told["accepted"] + told["duplicate"] == 1
        assert stored(server) == 1


def test_a_secret_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"webhook\.token_file"):
        load_secrets(WebhookSettings(token_file=str(tmp_path / "none")))
