"""What people decide about alerts over gRPC: dismissals by reason, snoozes, and their counts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from dealgraph.api.v1 import alert_pb2
from dealgraph.api.v1 import alert_service_pb2 as pb
from dealgraph.server.client import Client
from dealgraph.stream import codec
from tests.support.processes import ServerProcess
from tests.support.processes import serving as serving_process
from tests.support.server import RunningServer, alarming, earliest, reason_of, serving

KIND = alert_pb2.SIGNAL_KIND_COMPETITOR_RATE
REP = "rep-1"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with serving(tmp_path) as running:
        yield running


def alerts(stub: Any) -> list[alert_pb2.Alert]:
    return list(stub.ListAlerts(pb.ListAlertsRequest()).alerts)


def streamed(server: RunningServer, **asked: Any) -> list[str]:
    """Sessions of the alerts that a stream with this filter gives, up to the newest that any gives."""
    request = pb.StreamAlertsRequest(filter=pb.AlertFilter(**asked), start=earliest())
    newest = alerts(server.client.alert)[0].session_id
    call = server.client.alert.StreamAlerts(request)
    found: list[str] = []
    for item in call:
        if item.HasField("alert"):
            found.append(item.alert.session_id)
            if found[-1] == newest:
                break
    call.cancel()
    return found


def test_a_snoozed_kind_is_held_back_from_the_reps_own_streams_and_marked_elsewhere(
    server: RunningServer,
) -> None:
    server.publish(alarming("deal-1"))
    snooze = pb.SnoozeAlertsRequest(rep_id=REP, kind=KIND, minutes=10, by="rep-1")
    server.client.alert.SnoozeAlerts(snooze)
    server.publish(alarming("deal-2"))
    server.client.alert.SnoozeAlerts(pb.SnoozeAlertsRequest(rep_id=REP, kind=KIND, minutes=0))
    server.publish(alarming("deal-3"))
    first, second, third = (f"deal-{number}-chat" for number in (1, 2, 3))
    assert streamed(server, rep_ids=[REP]) == [first, third]
    assert streamed(server, rep_ids=[REP], include_snoozed=True) == [first, second, third]
    assert streamed(server) == [first, second, third]
    assert [one.snoozed for one in alerts(server.client.alert)] == [False, True, False]


def test_a_snooze_of_a_session_leaves_other_sessions_alone(server: RunningServer) -> None:
    request = pb.SnoozeAlertsRequest(rep_id=REP, kind=KIND, session_id="deal-1-chat")
    first = server.client.alert.SnoozeAlerts(request)
    assert server.client.alert.SnoozeAlerts(request) == first
    assert (first.snooze.session_id, first.snooze.until_ms) == ("deal-1-chat", 0)
    server.publish([*alarming("deal-1"), *alarming("deal-2")])
    assert streamed(server, rep_ids=[REP]) == ["deal-2-chat"]


def test_what_was_decided_is_counted_by_kind_and_reason(server: RunningServer) -> None:
    for number in range(4):
        server.publish(alarming(f"deal-{number}"))
    ids = [one.id for one in alerts(server.client.alert)]
    desk = server.client.alert
    wrong = alert_pb2.DISMISS_REASON_WRONG
    desk.DismissAlert(pb.DismissAlertRequest(alert_id=ids[0], by=REP, reason_class=wrong))
    desk.DismissAlert(pb.DismissAlertRequest(alert_id=ids[0], by=REP, reason_class=wrong))
    desk.DismissAlert(pb.DismissAlertRequest(alert_id=ids[1], by=REP, reason="they are partners"))
    desk.AcknowledgeAlert(pb.AcknowledgeAlertRequest(alert_id=ids[2], by=REP))
    desk.SnoozeAlerts(pb.SnoozeAlertsRequest(rep_id=REP, kind=KIND, session_id="deal-9"))
    (counts,) = desk.GetAlertCounts(pb.GetAlertCountsRequest()).counts
    assert counts == pb.AlertCounts(
        kind=KIND,
        acknowledged=1,
        dismissed=2,
        dismissed_for=[
            pb.DismissCount(reason_class=wrong, count=1),
            pb.DismissCount(reason_class=alert_pb2.DISMISS_REASON_OTHER, count=1),
        ],
        snoozed_sessions=1,
    )
    kind = "competitor_rate"
    counted = "dealgraph_alert_dismissals_total"
    assert server.metric(counted, kind=kind, reason="wrong") == 1
    assert server.metric(counted, kind=kind, reason="other") == 1
    assert server.metric("dealgraph_snoozes_total", kind=kind, extent="session") == 1


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.SnoozeAlertsRequest(rep_id=REP, kind=KIND), "MISSING_FIELD"),
        (pb.SnoozeAlertsRequest(rep_id=REP, kind=KIND, session_id=""), "MISSING_FIELD"),
        (pb.SnoozeAlertsRequest(kind=KIND, minutes=1), "MISSING_FIELD"),
        (pb.SnoozeAlertsRequest(rep_id=REP, minutes=1), "INVALID_FIELD"),
        (pb.SnoozeAlertsRequest(rep_id=REP, kind=KIND, minutes=-1), "INVALID_FIELD"),
        (pb.SnoozeAlertsRequest(rep_id=REP, kind=KIND, minutes=10_081), "INVALID_FIELD"),
        (pb.SnoozeAlertsRequest(rep_id=REP, kind=KIND, minutes=1, request_id="x"), "INVALID_FIELD"),
        (pb.SnoozeAlertsRequest(tenant="globex", rep_id=REP, kind=KIND), "TENANT_NOT_FOUND"),
    ],
)
def test_a_snooze_that_says_too_little_or_too_much_is_refused(
    idle_server: RunningServer, request_: pb.SnoozeAlertsRequest, reason: str
) -> None:
    with pytest.raises(grpc.RpcError) as error:
        idle_server.client.alert.SnoozeAlerts(request_)
    assert reason_of(error.value) == reason


@pytest.fixture(scope="module")
def idle_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("data")) as running:
        yield running


def test_a_snooze_outlives_kill_9(tmp_path: Path) -> None:
    killed = ServerProcess(tmp_path)
    try:
        with Client(killed.listen) as client:
            client.alert.SnoozeAlerts(pb.SnoozeAlertsRequest(rep_id=REP, kind=KIND, minutes=600))
    finally:
        killed.kill()
    with serving_process(tmp_path) as again, Client(again.listen) as client:
        call = client.alert.StreamAlerts(pb.StreamAlertsRequest(start=earliest()))
        client.publish([codec.interaction_to_message(one) for one in alarming("deal-1")])
        assert next(item.alert for item in call if item.HasField("alert")).snoozed
        call.cancel()
        (counts,) = client.alert.GetAlertCounts(pb.GetAlertCountsRequest()).counts
        assert counts.snoozed_minutes == 1
