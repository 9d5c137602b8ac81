"""Decision signals over gRPC: lists, grounds, series, streams and numbers, as of any time."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import grpc
import pytest

from dealgraph.api.v1 import alert_pb2, graph_service_pb2, signal_pb2
from dealgraph.api.v1 import alert_service_pb2 as alert_api
from dealgraph.api.v1 import signal_service_pb2 as pb
from dealgraph.graph.model import SignalKind
from dealgraph.server.signal_book import SignalBook
from dealgraph.server.signal_service import stats_message
from dealgraph.stream.interaction import Interaction
from dealgraph.stream.log import Topic
from dealgraph.stream.signals.false_alarms import expectations, load_measured
from tests.support.interactions import recall
from tests.support.server import RunningServer, alarming, earliest, reason_of, serving, settings
from tests.support.stories import delivery_story

STORY = delivery_story(3, 7)
DELIVERY = alert_pb2.SIGNAL_KIND_DELIVERY_CONCERN_RECURRENCE
COMPETITORS = alert_pb2.SIGNAL_KIND_COMPETITOR_RATE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("data")) as running:
        running.publish(STORY)
        for number in range(6):
            running.publish(alarming(f"deal-{number}"))
        yield running


def listed(
    server: RunningServer, as_of: int = 0, size: int = 0, **wanted: Any
) -> list[signal_pb2.DecisionSignal]:
    asked = pb.SignalFilter(**wanted)
    request = pb.ListSignalsRequest(filter=asked, page_size=size, as_of_ms=as_of)
    found: list[signal_pb2.DecisionSignal] = []
    while True:
        page = server.client.signal.ListSignals(request)
        found += page.signals
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def concern(server: RunningServer) -> signal_pb2.DecisionSignal:
    return listed(server, kinds=[DELIVERY])[0]


def streamed(server: RunningServer, start: alert_api.StreamStart, **wanted: Any) -> Any:
    request = pb.StreamSignalsRequest(start=start, filter=pb.SignalFilter(**wanted))
    return server.client.signal.StreamSignals(request)


def versions(call: Any, count: int) -> list[pb.SignalVersion]:
    found = list(islice((item.version for item in call if item.HasField("version")), count))
    call.cancel()
    return found


def logged(server: RunningServer) -> int:
    return len(server.embedded.told.read(Topic.SIGNALS, 0, 1_000_000))


def test_a_signal_is_shown_with_all_that_is_known_of_it(server: RunningServer) -> None:
    shown = concern(server)
    known = server.embedded.graph.signal(shown.id)
    assert known is not None
    assert (shown.kind, shown.rule, shown.form) == (DELIVERY, "S5", "")
    assert (shown.statistic, shown.threshold) == (known.statistic, known.threshold)
    assert shown.strength == pytest.approx(known.strength)
    assert shown.polarity == alert_pb2.POLARITY_NEGATIVE
    assert shown.level == alert_pb2.LEVEL_PUSHED
    assert 0 < shown.raised_at_ms <= shown.changed_at_ms
    assert list(shown.evidence_ids) == list(known.evidence)
    assert shown.explanation
    assert shown.suggestion


def test_signals_are_listed_once_the_newest_known_first_in_pages_of_one_moment(
    server: RunningServer,
) -> None:
    whole = listed(server)
    assert len({signal.id for signal in whole}) == len(whole)
    known = [(signal.recorded_at_ms, signal.id) for signal in whole]
    assert known == sorted(known, reverse=True)
    request = pb.ListSignalsRequest(page_size=4)
    first = server.client.signal.ListSignals(request)
    server.publish(alarming("deal-late"))
    request.page_token = first.next_page_token
    second = server.client.signal.ListSignals(request)
    assert [*first.signals, *second.signals] == whole[:8]
    assert listed(server)[0].opportunity_id == "deal-late"


def test_filters_are_joined_by_and_their_items_by_or(server: RunningServer) -> None:
    two = listed(server, opportunity_ids=["deal-1", "deal-2"], kinds=[COMPETITORS, DELIVERY])
    assert {signal.opportunity_id for signal in two} == {"deal-1", "deal-2"}
    assert listed(server, opportunity_ids=["deal-1"], kinds=[DELIVERY]) == []
    one = listed(server, customer_ids=["deal-3-customer"], rep_ids=["rep-1"])
    assert {signal.opportunity_id for signal in one} == {"deal-3"}
    assert {s.session_id for s in listed(server, session_ids=["deal-4-chat"])} == {"deal-4-chat"}
    assert listed(server, levels=[alert_pb2.LEVEL_RECORDED]) == []
    assert listed(server, forms=["OVERDUE"]) == []
    bad = listed(server, polarities=[alert_pb2.POLARITY_NEGATIVE], kinds=[DELIVERY])
    assert bad == listed(server, kinds=[DELIVERY])


def test_a_window_asks_for_what_was_on_within_it(server: RunningServer) -> None:
    signal = concern(server)
    at = signal.raised_at_ms
    since = graph_service_pb2.TimeWindow(since_ms=at, before_ms=at + 1)
    before = graph_service_pb2.TimeWindow(before_ms=at)
    assert signal in listed(server, kinds=[DELIVERY], window=since)
    assert signal not in listed(server, kinds=[DELIVERY], window=before)


def test_as_of_shows_what_was_believed_then(server: RunningServer) -> None:
    signal = concern(server)
    answer = server.client.signal.GetSignal(pb.GetSignalRequest(signal_id=signal.id))
    first = answer.versions[0]
    assert first.state == alert_pb2.SIGNAL_STATE_RAISED
    then = pb.GetSignalRequest(signal_id=signal.id, as_of_ms=first.recorded_at_ms)
    assert server.client.signal.GetSignal(then).versions[0] == first
    with pytest.raises(grpc.RpcError) as error:
        earlier = pb.GetSignalRequest(signal_id=signal.id, as_of_ms=first.recorded_at_ms - 1)
        server.client.signal.GetSignal(earlier)
    assert reason_of(error.value) == "SIGNAL_NOT_FOUND"
    assert signal.id not in {s.id for s in listed(server, as_of=first.recorded_at_ms - 1)}


def test_the_ground_of_a_signal_reaches_from_its_evidence_to_the_customer(
    server: RunningServer,
) -> None:
    signal = concern(server)
    answer = server.client.signal.GetSignal(pb.GetSignalRequest(signal_id=signal.id))
    assert answer.signal == answer.versions[-1] == signal
    names = graph_service_pb2.NodeKind.Name
    nodes = {(names(node.ref.kind), node.ref.id): node for node in answer.nodes}
    kinds = {kind for kind, _ in nodes}
    assert kinds == {
        "NODE_KIND_DECISION_SIGNAL",
        "NODE_KIND_ACTION",
        "NODE_KIND_CONTACT",
        "NODE_KIND_SESSION",
        "NODE_KIND_OPPORTUNITY",
        "NODE_KIND_CUSTOMER",
    }
    for evidence in signal.evidence_ids:
        assert nodes[("NODE_KIND_ACTION", evidence)].attributes["text"]
    joined = {graph_service_pb2.EdgeKind.Name(edge.kind) for edge in answer.edges}
    assert joined >= {
        "EDGE_KIND_EVIDENCED_BY",
        "EDGE_KIND_PERFORMED",
        "EDGE_KIND_PART_OF",
        "EDGE_KIND_SIGNALS",
        "EDGE_KIND_HAS_OPPORTUNITY",
    }


def test_the_series_has_a_point_for_each_version_and_ends_as_the_signal_does(
    server: RunningServer,
) -> None:
    signal = concern(server)
    request = pb.GetSignalSeriesRequest(signal_id=signal.id)
    points = server.client.signal.GetSignalSeries(request).points
    assert [point.at_ms for point in points] == sorted(point.at_ms for point in points)
    mine = [p for p in points if p.HasField("episode") and p.episode == signal.episode]
    assert mine[0].at_ms == signal.raised_at_ms
    assert mine[0].on
    assert (mine[-1].at_ms, mine[-1].statistic) == (signal.changed_at_ms, signal.statistic)


def test_a_stream_gives_every_version_and_resumes_anywhere(server: RunningServer) -> None:
    whole = versions(streamed(server, earliest()), logged(server))
    assert len({version.signal.id for version in whole}) < len(whole)
    start = alert_api.StreamStart(resume_token=whole[3].resume_token)
    assert versions(streamed(server, start), 4) == whole[4:8]
    states = {version.signal.state for version in whole}
    assert {alert_pb2.SIGNAL_STATE_RAISED, alert_pb2.SIGNAL_STATE_UPDATED} <= states


def test_a_stream_begins_with_a_heartbeat_and_its_filter_holds(server: RunningServer) -> None:
    call = streamed(server, earliest(), opportunity_ids=["deal-2"])
    assert next(call).HasField("heartbeat")
    (version,) = versions(call, 1)
    assert version.signal.opportunity_id == "deal-2"


def test_tokens_of_alerts_and_of_signals_cannot_be_mixed_up(server: RunningServer) -> None:
    alerts = server.client.alert.StreamAlerts(alert_api.StreamAlertsRequest(start=earliest()))
    token = next(item.alert.resume_token for item in alerts if item.HasField("alert"))
    alerts.cancel()
    with pytest.raises(grpc.RpcError) as error:
        next(streamed(server, alert_api.StreamStart(resume_token=token)))
    assert reason_of(error.value) == "INVALID_TOKEN"


def test_a_live_stream_that_is_too_slow_is_told_of_the_gap(tmp_path: Path) -> None:
    with serving(tmp_path, settings(alerts={"ring": 2, "keep": 3})) as server:
        first = streamed(server, earliest())
        token = next(first).heartbeat.resume_token
        first.cancel()
        for number in range(5):
            server.publish(alarming(f"deal-{number}"))
        with pytest.raises(grpc.RpcError) as error:
            versions(streamed(server, alert_api.StreamStart(resume_token=token)), 1)
        assert error.value.code() is grpc.StatusCode.OUT_OF_RANGE


def test_what_late_data_took_back_is_streamed_listed_and_counted(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        mine = [one for one in STORY if one.opportunity == "deal-7-0"]
        server.publish(mine)
        signal = concern(server)
        evidence = server.embedded.graph.actions(signal.evidence_ids)
        by_id = {one.native_id: one for one in mine}
        server.publish([_taken_back(by_id[one.native_id]) for one in evidence.values()])
        (gone,) = listed(server, states=[alert_pb2.SIGNAL_STATE_RETRACTED], kinds=[DELIVERY])
        assert gone.id == signal.id
        told = versions(streamed(server, earliest(), kinds=[DELIVERY]), 2)
        assert told[0].signal.state == alert_pb2.SIGNAL_STATE_RAISED
        assert signal in listed(server, as_of=signal.recorded_at_ms, kinds=[DELIVERY])
        stats = numbers(server, kinds=[DELIVERY])
        # Message by message it fell below what is pushed before it was gone: it counts as recorded alone.
        assert [(row.raised, row.open, row.retracted) for row in stats.stats] == [(1, 0, 1)]
        assert [row.per_opportunity_week for row in stats.stats] == [0]


def _taken_back(one: Interaction) -> Interaction:
    return recall(one, source=one.source, opportunity=one.opportunity, session=one.session)


def numbers(server: RunningServer, **asked: Any) -> pb.GetSignalStatsResponse:
    return server.client.signal.GetSignalStats(pb.GetSignalStatsRequest(**asked))


def test_numbers_count_a_pushed_signal_as_recorded_too(server: RunningServer) -> None:
    stats = numbers(server, kinds=[DELIVERY])
    assert [row.level for row in stats.stats] == [alert_pb2.LEVEL_RECORDED, alert_pb2.LEVEL_PUSHED]
    raised = len(listed(server, kinds=[DELIVERY]))
    assert [row.raised for row in stats.stats] == [raised, raised]
    assert stats.opportunities >= 9
    row = stats.stats[0]
    assert row.per_opportunity_week == pytest.approx(raised / stats.opportunity_weeks)


def test_numbers_of_a_span_leave_out_what_was_raised_outside(server: RunningServer) -> None:
    at = concern(server).raised_at_ms
    span = graph_service_pb2.TimeWindow(since_ms=at, before_ms=at + 1)
    stats = numbers(server, kinds=[DELIVERY], window=span)
    assert [row.raised for row in stats.stats] == [1, 1]


def test_an_expectation_that_nobody_measured_stays_unset(server: RunningServer) -> None:
    book = SignalBook(server.embedded.graph, server.embedded.baselines.detectors_at, [])
    stats = stats_message(book.stats(0, 0, None, 1 << 62)).stats
    assert stats
    assert not any(row.HasField("expected_false_per_opportunity_week") for row in stats)


def test_an_expectation_holds_for_the_thresholds_at_which_it_was_measured(
    server: RunningServer,
) -> None:
    detectors = server.embedded.detectors
    version = next(d.version for d in detectors if d.rule == "S5")
    table = """
S5:
  kind: DELIVERY_CONCERN_RECURRENCE
  version: "{version}"
  source: a test
  forms: {{"": {{recorded: 0.02, pushed: 0.0025}}}}
"""
    graph = server.embedded.graph
    kinds = frozenset({SignalKind.DELIVERY_CONCERN_RECURRENCE})
    measured = load_measured(table.format(version=version).encode())
    book = SignalBook(graph, lambda at: detectors, expectations(measured, detectors))
    shown = stats_message(book.stats(0, 0, kinds, 1 << 62))
    assert [row.expected_false_per_opportunity_week for row in shown.stats] == [0.02, 0.0025]
    assert shown.stats[0].expected_false == pytest.approx(0.02 * shown.opportunity_weeks)
    assert shown.stats[0].expectation_source == "a test"
    other = load_measured(table.format(version="1-other").encode())
    assert expectations(other, detectors) == []


@pytest.mark.parametrize(
    ("method", "asked", "field"),
    [
        ("ListSignals", pb.ListSignalsRequest(page_size=-1), "page_size"),
        ("ListSignals", pb.ListSignalsRequest(page_token="made-up"), "page_token"),
        ("ListSignals", pb.ListSignalsRequest(as_of_ms=-1), "as_of_ms"),
        ("ListSignals", {"kinds": [0]}, "filter.kinds[0]"),
        ("ListSignals", {"levels": [9]}, "filter.levels[0]"),
        ("ListSignals", {"states": [9]}, "filter.states[0]"),
        ("ListSignals", {"polarities": [9]}, "filter.polarities[0]"),
        ("ListSignals", {"window": {"since_ms": 5, "before_ms": 5}}, "filter.window.before_ms"),
        ("GetSignal", pb.GetSignalRequest(), "signal_id"),
        ("GetSignalSeries", pb.GetSignalSeriesRequest(signal_id="x" * 2000), "signal_id"),
        ("GetSignalStats", pb.GetSignalStatsRequest(as_of_ms=-1), "as_of_ms"),
    ],
)
def test_a_wrong_field_is_named(server: RunningServer, method: str, asked: Any, field: str) -> None:
    if isinstance(asked, dict):
        asked = pb.ListSignalsRequest(filter=pb.SignalFilter(**asked))
    with pytest.raises(grpc.RpcError) as error:
        getattr(server.client.signal, method)(asked)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field in (error.value.details() or "")


@pytest.mark.parametrize(
    "method", ["ListSignals", "GetSignal", "GetSignalSeries", "GetSignalStats"]
)
def test_another_tenant_does_not_exist(server: RunningServer, method: str) -> None:
    request = getattr(pb, f"{method}Request")(tenant="another")
    with pytest.raises(grpc.RpcError) as error:
        getattr(server.client.signal, method)(request)
    assert reason_of(error.value) == "TENANT_NOT_FOUND"
