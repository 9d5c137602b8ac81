"""ReportService over gRPC, and the same report as a metric and in the terminal."""

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from dealgraph.api.v1 import report_service_pb2 as pb
from dealgraph.graph.model import Side
from dealgraph.stream.interaction import Interaction, InteractionKind, Person
from tests.support.command_line import dealgraph
from tests.support.dealgraphs import opened, process
from tests.support.interactions import HOUR, MINUTE, MONDAY, merge, message, stage_change, utterance
from tests.support.server import RunningServer, reason_of, serving


def told(talks: int, listed: int) -> list[Interaction]:
    """Conversations, of which the first are listed in the CRM, whose clock is four minutes ahead."""
    happened: list[Interaction] = []
    for n in range(talks):
        seen = {"event_key": f"e{n}", "team": "north"}
        at = MONDAY + n * HOUR
        happened.append(message(at=at, session=f"chat-{n}", attributes=seen))
        if n < listed:
            happened.append(
                stage_change(
                    at=at + 4 * MINUTE,
                    native_id=f"activity-{n}",
                    kind=InteractionKind.ACTIVITY,
                    detail=None,
                    attributes=seen,
                )
            )
    return happened


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with serving(tmp_path) as running:
        running.publish(told(20, 10))
        yield running


def test_the_report_counts_what_was_published(server: RunningServer) -> None:
    server.client.publish([])
    answer = server.client.report.GetCaptureQuality(pb.GetCaptureQualityRequest())
    total = answer.rows[0]

    assert (total.captured, total.logged, total.matched) == (20, 10, 10)
    assert total.recording_coverage == 0.5
    assert (total.traceable, total.known) == (30, 30)
    assert answer.traceable_bar == 0.815
    assert {row.key for row in answer.rows if row.dimension == pb.CAPTURE_DIMENSION_TEAM} == {
        "north"
    }
    (crm, wecom) = answer.clocks
    assert (crm.source, crm.offset_ms, crm.pairs, crm.corrected) == ("crm", 4 * MINUTE, 10, False)
    assert wecom.offset_ms == -4 * MINUTE


def test_reps_under_several_ids_are_one_row(server: RunningServer) -> None:
    rows = [pb.CAPTURE_DIMENSION_REP]
    ask = pb.GetCaptureQualityRequest(dimensions=rows)
    assert len(server.client.report.GetCaptureQuality(ask).rows) == 2

    server.publish([merge("crm:rep-1", "wecom:rep-1", side=Side.REP)])

    (row,) = server.client.report.GetCaptureQuality(ask).rows
    assert (row.key, row.matched, row.captured) == ("crm:rep-1", 10, 20)


def test_what_came_later_is_counted_at_the_next_question(server: RunningServer) -> None:
    ask = pb.GetCaptureQualityRequest()
    server.client.report.GetCaptureQuality(ask)
    server.publish([message(at=MONDAY - HOUR, session="earlier")])
    refused = utterance(actor=Person(Side.REP, "rep-1", confidence=5.0))
    with pytest.raises(AssertionError):
        server.publish([refused])

    total = server.client.report.GetCaptureQuality(ask).rows[0]
    assert total.captured == 21
    assert total.known == total.traceable + 1


def test_the_share_that_can_be_traced_is_a_metric(server: RunningServer) -> None:
    assert server.metric("dealgraph_traceable_ratio") == 1.0


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.GetCaptureQualityRequest(tenant="x"), "TENANT_NOT_FOUND"),
        (pb.GetCaptureQualityRequest(since_ms=-1), "INVALID_FIELD"),
        (pb.GetCaptureQualityRequest(since_ms=2, before_ms=1), "INVALID_FIELD"),
        (pb.GetCaptureQualityRequest(dimensions=[9]), "INVALID_FIELD"),  # type: ignore[list-item]
    ],
)
def test_a_wrong_request_is_refused(
    server: RunningServer, request_: pb.GetCaptureQualityRequest, reason: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.client.report.GetCaptureQuality(request_)
    assert reason_of(caught.value) == reason


def test_the_terminal_shows_a_table_and_json(tmp_path: Path) -> None:
    with opened(tmp_path) as embedded:
        process(embedded, told(4, 3))

    shown = dealgraph("report", "capture", "--data", tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "75.0%" in shown.stdout
    printed = json.loads(dealgraph("report", "capture", "--data", tmp_path, "--json").stdout)
    assert printed["rows"][0]["recordingCoverage"] == 0.75
