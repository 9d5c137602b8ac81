"""ChannelService over gRPC: registered, promoted, stopped, listed, and refused with a reason."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc
import pytest

from dealgraph.api.v1 import channel_service_pb2 as pb
from dealgraph.api.v1 import report_service_pb2
from dealgraph.stream import codec
from dealgraph.stream.interaction import InteractionKind
from dealgraph.stream.log import Topic
from tests.support.dealgraphs import NOW
from tests.support.interactions import DAY, HOUR, MINUTE, MONDAY, message, stage_change
from tests.support.server import RunningServer, reason_of, serving, settings


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with serving(tmp_path) as running:
        yield running


def _register(server: RunningServer, name: str = "wecom") -> pb.RegisteredChannel:
    request = pb.RegisterRequest(name=name, owner="Wang", expires_at_ms=NOW + 90 * DAY)
    return server.client.channel.Register(request).channel


def _publish(server: RunningServer, count: int, source: str, start: int = 0) -> None:
    told = [
        message(
            f"We talked about point {n}.", at=MONDAY + n * MINUTE, source=source, rep="r@s.example"
        )
        for n in range(start, start + count)
    ]
    server.client.publish([codec.interaction_to_message(one) for one in told])
    server.catch_up()


def test_a_channel_shows_its_quality_before_its_data_counts(server: RunningServer) -> None:
    _publish(server, 10, "crm")
    assert _register(server).state == pb.CHANNEL_STATE_CANDIDATE

    _publish(server, 60, "wecom")
    channel = server.client.channel.GetChannel(pb.GetChannelRequest(name="wecom")).channel
    assert channel.held == 60
    assert channel.quality == 1.0
    assert all(check.passed for check in channel.checks)
    assert server.embedded.log.end(Topic.INTERACTIONS) == 10

    promote = pb.PromoteRequest(name="wecom")
    assert server.client.channel.Promote(promote).channel.state == pb.CHANNEL_STATE_CANARY
    _publish(server, 60, "wecom", 100)
    active = server.client.channel.Promote(promote).channel
    assert active.state == pb.CHANNEL_STATE_ACTIVE
    assert active.held == 0
    server.catch_up()
    assert server.embedded.log.end(Topic.INTERACTIONS) == 130
    assert server.metric("dealgraph_channel_quality_ratio", channel="wecom") == 1.0


def test_who_has_not_passed_is_not_promoted_and_told_why(server: RunningServer) -> None:
    _register(server)
    with pytest.raises(grpc.RpcError) as caught:
        server.client.channel.Promote(pb.PromoteRequest(name="wecom"))

    assert reason_of(caught.value) == "CHECKS_NOT_PASSED"
    assert "contract has 0 of 50 records" in str(caught.value.details())


def test_a_channel_is_stopped_by_hand_and_renewed(server: RunningServer) -> None:
    _register(server)
    stop = pb.QuarantineRequest(name="wecom", reason="wrong ids")
    channel = server.client.channel.Quarantine(stop).channel
    assert (channel.state, channel.reason) == (pb.CHANNEL_STATE_QUARANTINED, "wrong ids")

    later = NOW + 200 * DAY
    renew = pb.RegisterRequest(name="wecom", owner="Li", expires_at_ms=later)
    renewed = server.client.channel.Register(renew).channel
    assert (renewed.owner, renewed.expires_at_ms) == ("Li", later)
    assert renewed.state == pb.CHANNEL_STATE_QUARANTINED


def test_channels_are_listed_by_name_in_pages(server: RunningServer) -> None:
    for name in ("c", "a", "b"):
        _register(server, name)
    request = pb.ListChannelsRequest(page_size=2)
    first = server.client.channel.ListChannels(request)
    request.page_token = first.next_page_token
    second = server.client.channel.ListChannels(request)

    assert [one.name for one in (*first.channels, *second.channels)] == ["a", "b", "c"]
    assert second.next_page_token == ""


def test_unregistered_sources_can_be_held_by_a_setting(tmp_path: Path) -> None:
    with serving(tmp_path, settings(channels={"unregistered": "hold"})) as server:
        _publish(server, 3, "anything")
        assert server.embedded.log.end(Topic.INTERACTIONS) == 0


@pytest.mark.parametrize(
    ("method", "request_", "reason"),
    [
        ("Register", pb.RegisterRequest(tenant="x"), "TENANT_NOT_FOUND"),
        ("Register", pb.RegisterRequest(name="a b"), "INVALID_FIELD"),
        ("Register", pb.RegisterRequest(name="a"), "MISSING_FIELD"),
        ("Register", pb.RegisterRequest(name="a", owner="b"), "INVALID_FIELD"),
        ("Promote", pb.PromoteRequest(name="a"), "CHANNEL_NOT_FOUND"),
        ("GetChannel", pb.GetChannelRequest(name="a"), "CHANNEL_NOT_FOUND"),
        ("Quarantine", pb.QuarantineRequest(name="a", reason="b"), "CHANNEL_NOT_FOUND"),
        ("Quarantine", pb.QuarantineRequest(name="a"), "MISSING_FIELD"),
        ("CorrectClock", pb.CorrectClockRequest(source="a"), "MISSING_FIELD"),
        ("CorrectClock", pb.CorrectClockRequest(source="a", reference="b"), "CLOCK_UNSURE"),
        ("ListChannels", pb.ListChannelsRequest(page_token="x"), "INVALID_TOKEN"),
    ],
)
def test_a_wrong_request_is_refused(
    server: RunningServer, method: str, request_: object, reason: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        getattr(server.client.channel, method)(request_)
    assert reason_of(caught.value) == reason


def _clocks(server: RunningServer) -> Sequence[report_service_pb2.ClockSkew]:
    server.catch_up()
    report = server.client.report.GetCaptureQuality(report_service_pb2.GetCaptureQualityRequest())
    return report.clocks


def test_a_clock_is_corrected_by_events_seen_twice(server: RunningServer) -> None:
    for n in range(20):
        seen, at = {"event_key": f"e{n}"}, MONDAY + n * HOUR
        late = stage_change(
            at=at + 4 * MINUTE,
            native_id=f"a{n}",
            kind=InteractionKind.ACTIVITY,
            detail=None,
            attributes=seen,
        )
        server.publish([message(at=at, attributes=seen), late])

    [proposed] = [one for one in _clocks(server) if one.source == "crm"]
    assert (proposed.proposed, proposed.corrected, proposed.offset_ms) == (True, False, 4 * MINUTE)

    request = pb.CorrectClockRequest(source="crm", reference="wecom")
    answer = server.client.channel.CorrectClock(request)
    assert (answer.offset_ms, answer.pairs) == (4 * MINUTE, 20)
    [corrected] = [one for one in _clocks(server) if one.source == "crm"]
    assert (corrected.proposed, corrected.corrected) == (False, True)
