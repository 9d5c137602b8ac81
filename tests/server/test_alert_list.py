"""Alerts in pages and what people decide about them."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from dealgraph.api.v1 import alert_pb2
from dealgraph.api.v1 import alert_service_pb2 as pb
from dealgraph.stream.log import Topic
from tests.support.server import RunningServer, alarming, earliest, reason_of, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("data")) as running:
        for number in range(10):
            running.publish(alarming(f"deal-{number}"))
        yield running


def listed(server: RunningServer, request: pb.ListAlertsRequest) -> Iterator[list[alert_pb2.Alert]]:
    while True:
        page = server.client.alert.ListAlerts(request)
        yield list(page.alerts)
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def newest(server: RunningServer) -> list[alert_pb2.Alert]:
    return [one for page in listed(server, pb.ListAlertsRequest()) for one in page]


def test_pages_list_alerts_newest_first_and_stay_a_snapshot(server: RunningServer) -> None:
    whole = [one.id for one in newest(server)]
    seen: list[str] = []
    for number, page in enumerate(listed(server, pb.ListAlertsRequest(page_size=3))):
        seen += [one.id for one in page]
        server.publish(alarming(f"later-{number}"))
    assert seen == whole
    assert len(newest(server)) == len(whole) + number + 1


def test_a_filter_and_a_time_narrow_the_list(server: RunningServer) -> None:
    one = pb.ListAlertsRequest(filter=pb.AlertFilter(opportunity_ids=["deal-4"]))
    (page,) = listed(server, one)
    assert [alert.opportunity_id for alert in page] == ["deal-4"]
    before = pb.ListAlertsRequest(as_of_ms=page[0].recorded_at_ms)
    known = [alert.opportunity_id for found in listed(server, before) for alert in found]
    assert known == ["deal-4", "deal-3", "deal-2", "deal-1", "deal-0"]


def test_an_acknowledged_alert_says_so_wherever_it_is_shown(server: RunningServer) -> None:
    alert_id = newest(server)[-1].id
    request = pb.AcknowledgeAlertRequest(alert_id=alert_id, by="rep-1")
    answer = server.client.alert.AcknowledgeAlert(request).alert
    assert answer.status == alert_pb2.ALERT_STATUS_ACKNOWLEDGED
    assert newest(server)[-1].status == alert_pb2.ALERT_STATUS_ACKNOWLEDGED
    call = server.client.alert.StreamAlerts(pb.StreamAlertsRequest(start=earliest()))
    streamed = next(item.alert for item in call if item.HasField("alert"))
    call.cancel()
    assert streamed.status == alert_pb2.ALERT_STATUS_ACKNOWLEDGED


def test_a_decision_made_again_is_kept_once(server: RunningServer) -> None:
    request = pb.DismissAlertRequest(alert_id=newest(server)[3].id, by="rep-1", reason="known")
    first = server.client.alert.DismissAlert(request)
    end = server.embedded.log.end(Topic.ALERT_DECISIONS)
    assert server.client.alert.DismissAlert(request) == first
    assert server.embedded.log.end(Topic.ALERT_DECISIONS) == end
    assert first.alert.dismiss_reason == "known"


def test_decisions_outlive_the_server_and_the_last_one_counts(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.publish(alarming("deal-1"))
        alert_id = newest(server)[0].id
        server.client.alert.DismissAlert(
            pb.DismissAlertRequest(alert_id=alert_id, by="a", reason="not now")
        )
        server.client.alert.AcknowledgeAlert(pb.AcknowledgeAlertRequest(alert_id=alert_id, by="b"))
    with serving(tmp_path) as server:
        (alert,) = newest(server)
        assert alert.status == alert_pb2.ALERT_STATUS_ACKNOWLEDGED
        assert alert.dismiss_reason == ""


def test_dismissing_needs_a_reason(server: RunningServer) -> None:
    with pytest.raises(grpc.RpcError) as error:
        server.client.alert.DismissAlert(
            pb.DismissAlertRequest(alert_id=newest(server)[0].id, reason="  ")
        )
    assert reason_of(error.value) == "MISSING_FIELD"


def test_an_alert_that_does_not_exist_is_not_found(server: RunningServer) -> None:
    with pytest.raises(grpc.RpcError) as error:
        server.client.alert.AcknowledgeAlert(pb.AcknowledgeAlertRequest(alert_id="nothing"))
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    assert reason_of(error.value) == "ALERT_NOT_FOUND"
