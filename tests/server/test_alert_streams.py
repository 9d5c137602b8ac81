"""Streams of alerts: each once and in order through any break, and never a silent loss."""

import asyncio
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from queue import Queue
from random import Random
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from dealgraph.api.v1 import alert_pb2
from dealgraph.api.v1 import alert_service_pb2 as pb
from dealgraph.server.client import Client
from dealgraph.server.hub import Beat, Entry, Gap
from dealgraph.server.tokens import ResumePoint
from dealgraph.stream.alerts import Alert
from dealgraph.stream.log import Topic
from tests.support.server import (
    TIMEOUT,
    RunningServer,
    alarming,
    detail_of,
    earliest,
    item_of,
    reason_of,
    serving,
    settings,
)

LATEST = pb.StreamStart(preset=pb.START_PRESET_LATEST)


def raise_alerts(server: RunningServer, first: int, count: int) -> None:
    """Raise one alert for each of the deals deal-<first> and following."""
    for number in range(first, first + count):
        server.publish(alarming(f"deal-{number}"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("data")) as running:
        raise_alerts(running, 0, 12)
        yield running


def stream(server: RunningServer, start: pb.StreamStart, **wanted: Any) -> Any:
    request = pb.StreamAlertsRequest(start=start, filter=pb.AlertFilter(**wanted))
    return server.client.alert.StreamAlerts(request)


def resume(token: str) -> pb.StreamStart:
    return pb.StreamStart(resume_token=token)


def taken(call: Any, count: int) -> list[alert_pb2.Alert]:
    """Take alerts from a stream, then end it."""
    alerts = (response.alert for response in call if response.HasField("alert"))
    found = list(islice(alerts, count))
    call.cancel()
    return found


def logged(server: RunningServer) -> list[str]:
    return [record.id for record in server.embedded.told.read(Topic.ALERTS, 0, 1_000_000)]


def test_the_first_item_is_a_heartbeat_with_the_token_of_the_start(server: RunningServer) -> None:
    call = stream(server, earliest())
    first = next(call)
    call.cancel()
    assert item_of(first) == "heartbeat"
    assert [one.id for one in taken(stream(server, resume(first.heartbeat.resume_token)), 3)] == (
        logged(server)[:3]
    )


def test_from_earliest_a_stream_gives_what_the_log_holds_in_order(server: RunningServer) -> None:
    alerts = taken(stream(server, earliest()), 12)
    assert [one.id for one in alerts] == logged(server)[:12]
    assert [one.opportunity_id for one in alerts] == [f"deal-{number}" for number in range(12)]
    assert alerts[0].evidence_ids
    assert alerts[0].suggestion
    assert alerts[0].status == alert_pb2.ALERT_STATUS_OPEN


def test_a_client_that_is_killed_anywhere_resumes_without_loss_or_doubles(
    server: RunningServer,
) -> None:
    random, start, seen = Random(7), earliest(), list[str]()
    while len(seen) < 12:
        for alert in taken(stream(server, start), min(random.randint(1, 4), 12 - len(seen))):
            seen.append(alert.id)
            start = resume(alert.resume_token)
    assert seen == logged(server)[:12]


def test_a_filter_lets_through_only_what_is_asked_for(server: RunningServer) -> None:
    wanted = {"opportunity_ids": ["deal-3", "deal-7"], "kinds": [1]}
    found = taken(stream(server, earliest(), **wanted), 2)
    assert [one.opportunity_id for one in found] == ["deal-3", "deal-7"]
    by_session = taken(stream(server, earliest(), session_ids=["deal-5-chat"]), 1)
    assert by_session[0].opportunity_id == "deal-5"
    by_customer = taken(stream(server, earliest(), customer_ids=["deal-6-customer"]), 1)
    assert by_customer[0].opportunity_id == "deal-6"


@pytest.mark.parametrize("rep", ["wecom:rep-1", "rep-1"])
def test_a_rep_is_named_with_or_without_the_namespace_of_the_id(
    server: RunningServer, rep: str
) -> None:
    (alert,) = taken(stream(server, earliest(), rep_ids=["nobody", rep]), 1)
    assert (alert.opportunity_id, alert.rep_id) == ("deal-0", "wecom:rep-1")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"start": {"resume_token": "made-up"}}, "start.resume_token"),
        ({"start": {"preset": 9}}, "start.preset"),
        ({"filter": {"kinds": [0]}}, "filter.kinds[0]"),
        ({"filter": {"min_severity": 9}}, "filter.min_severity"),
    ],
)
def test_a_wrong_field_is_named(server: RunningServer, asked: dict[str, Any], field: str) -> None:
    with pytest.raises(grpc.RpcError) as error:
        list(server.client.alert.StreamAlerts(pb.StreamAlertsRequest(**asked)))
    (violation,) = detail_of(error.value, error_details_pb2.BadRequest).field_violations
    assert violation.field == field


def test_heartbeats_move_on_even_when_the_filter_lets_nothing_through(tmp_path: Path) -> None:
    with serving(tmp_path, settings(alerts={"heartbeat_seconds": 0.02})) as server:
        call = stream(server, LATEST, opportunity_ids=["no-such-deal"])
        start = next(call).heartbeat.resume_token
        raise_alerts(server, 0, 2)
        token = next(
            beat.heartbeat.resume_token for beat in call if beat.heartbeat.resume_token != start
        )
        call.cancel()
        last = next(stream(server, resume(token))).heartbeat.resume_token
        assert last == token


def test_from_latest_a_stream_gives_only_what_comes_from_now_on(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        raise_alerts(server, 0, 2)
        call = stream(server, LATEST)
        next(call)
        raise_alerts(server, 2, 2)
        assert [one.opportunity_id for one in taken(call, 2)] == ["deal-2", "deal-3"]


def test_a_token_whose_place_is_no_longer_kept_is_out_of_range(tmp_path: Path) -> None:
    with serving(tmp_path, settings(alerts={"keep": 2, "ring": 2})) as server:
        raise_alerts(server, 0, 1)
        (first,) = taken(stream(server, earliest()), 1)
        raise_alerts(server, 1, 8)
        with pytest.raises(grpc.RpcError) as error:
            list(stream(server, resume(first.resume_token)))
        assert error.value.code() is grpc.StatusCode.OUT_OF_RANGE
        assert reason_of(error.value) == "RESUME_TOKEN_TOO_OLD"
        kept = taken(stream(server, earliest()), 2)
        assert kept[-1].opportunity_id != "deal-0"


def test_a_token_outlives_the_server_and_a_rebuilt_graph(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        raise_alerts(server, 0, 3)
        token = taken(stream(server, earliest()), 2)[1].resume_token
        third = logged(server)[2]
    for name in ("graph.db", "graph.db-wal", "graph.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with serving(tmp_path) as server:
        server.catch_up()
        assert [one.id for one in taken(stream(server, resume(token)), 1)] == [third]


def test_a_reader_that_is_too_slow_is_told_of_the_gap_and_the_others_are_not(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, settings(alerts={"backlog_limit": 3, "ring": 4})) as server:
        pull = Pull(server, pb.PullAlertsRequest(start=LATEST, credits=1))
        assert next(pull.call).HasField("heartbeat")
        fast = stream(server, LATEST)
        next(fast)
        raise_alerts(server, 0, 8)
        assert len(taken(fast, 8)) == 8
        first = next(pull.call).alert
        pull.grant(1_000)
        assert first.opportunity_id == "deal-0"
        assert next(pull.call).alert.opportunity_id == "deal-1"  # was on its way already
        gap = next(item.gap for item in pull.call if item.HasField("gap"))
        assert gap.reason == "client too slow"
        raise_alerts(server, 8, 1)
        assert next(pull.call).alert.opportunity_id == "deal-8"
        again = taken(stream(server, resume(gap.from_token)), gap.count + 1)
        assert [one.id for one in again] == logged(server)[-gap.count - 1 :]
        assert server.metric("dealgraph_alert_stream_gaps_total") == 1
        pull.close()


def test_history_is_given_whole_however_much_comes_while_it_is_read(tmp_path: Path) -> None:
    with serving(tmp_path, settings(alerts={"backlog_limit": 3, "ring": 4})) as server:
        raise_alerts(server, 0, 5)
        hub = server.server.services.hub
        items = hub.follow(ResumePoint(0, ""), lambda alert: True, TIMEOUT)

        async def following() -> Entry[Alert] | Gap | Beat:
            await hub.catch_up()
            return await anext(items)

        def take() -> Entry[Alert] | Gap | Beat:
            return asyncio.run_coroutine_threadsafe(following(), server.loop).result(TIMEOUT)

        assert isinstance(take(), Beat)
        raise_alerts(server, 5, 5)
        found = [take() for _ in range(5)]
        assert [item.id for item in found if isinstance(item, Entry)] == logged(server)[:5]


class Pull:
    """A client of PullAlerts that grants credits when the test says so."""

    def __init__(self, server: RunningServer, *requests: pb.PullAlertsRequest) -> None:
        self._requests = list(requests)
        self._ended = False
        self._changed = threading.Condition()
        self.call: Any = server.client.alert.PullAlerts(self._sent())

    def _sent(self) -> Iterator[pb.PullAlertsRequest]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._requests) or self._ended)
                if not self._requests:
                    return
                request = self._requests.pop(0)
            yield request

    def grant(self, credits: int) -> None:
        with self._changed:
            self._requests.append(pb.PullAlertsRequest(credits=credits))
            self._changed.notify()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()

    def close(self) -> None:
        self.end()
        self.call.cancel()


def test_a_pulling_client_gets_as_many_alerts_as_it_granted_credits(server: RunningServer) -> None:
    pull = Pull(server, pb.PullAlertsRequest(start=earliest(), credits=2))
    pull.grant(3)
    pull.end()
    items = [item for item in pull.call if item.HasField("alert")]
    assert [item.alert.id for item in items] == logged(server)[:5]
    assert items[-1].credits_left == 0


def test_without_credits_only_heartbeats_come(tmp_path: Path) -> None:
    with serving(tmp_path, settings(alerts={"heartbeat_seconds": 0.02})) as server:
        raise_alerts(server, 0, 1)
        pull = Pull(server, pb.PullAlertsRequest(start=earliest()))
        assert [item_of(next(pull.call)) for _ in range(4)] == ["heartbeat"] * 4
        pull.grant(1)
        assert next(item for item in pull.call if item.HasField("alert")).credits_left == 0
        pull.close()


def test_negative_credits_are_refused(server: RunningServer) -> None:
    pull = Pull(server, pb.PullAlertsRequest(start=earliest(), credits=1))
    pull.grant(-1)
    with pytest.raises(grpc.RpcError) as error:
        list(pull.call)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    pull.close()


def test_the_client_follows_alerts_through_a_restart_of_the_server(tmp_path: Path) -> None:
    seen: Queue[str] = Queue()
    broken = threading.Event()

    def follow(client: Client) -> None:
        alerts = client.alerts(None, earliest(), on_break=lambda error, delay: broken.set())
        for alert in islice(alerts, 3):
            assert isinstance(alert, alert_pb2.Alert)
            seen.put(alert.opportunity_id)

    with serving(tmp_path) as server:
        raise_alerts(server, 0, 2)
        listen = server.addresses.listen
        client = Client(listen, attempts=1_000)
        follower = threading.Thread(target=follow, args=(client,), daemon=True)
        follower.start()
        assert [seen.get(timeout=TIMEOUT) for _ in range(2)] == ["deal-0", "deal-1"]
    with serving(tmp_path, settings(server={"listen": listen})) as server:
        assert broken.wait(TIMEOUT)
        raise_alerts(server, 2, 1)
        assert seen.get(timeout=TIMEOUT) == "deal-2"
        follower.join()
        client.close()
