"""Many clients, slow clients and clients that go away leave nothing behind and hinder nobody."""

import gc
import threading
from pathlib import Path
from typing import Any

import pytest

from dealgraph.api.v1 import alert_service_pb2 as pb
from dealgraph.stream.log import Topic
from tests.support.server import TIMEOUT, RunningServer, alarming, earliest, serving


def wait_until_nobody_subscribes(server: RunningServer) -> None:
    tick = threading.Event()
    for _ in range(3_000):
        if server.metric("dealgraph_alert_subscribers") == 0:
            return
        tick.wait(0.01)
    raise AssertionError("subscribers are left")


def storm(server: RunningServer, rounds: int) -> None:
    """Open streams, and cancel each at another moment of its life."""
    for number in range(rounds):
        call = server.client.alert.StreamAlerts(pb.StreamAlertsRequest(start=earliest()))
        for _ in range(number % 4):
            next(call)
        call.cancel()
    wait_until_nobody_subscribes(server)


def pending(server: RunningServer) -> int:
    """Return the number of tasks and of streams that the server's loop still holds."""
    gc.collect()
    return sum(type(thing).__name__ == "Task" and not thing.done() for thing in gc.get_objects())


@pytest.mark.parametrize("rounds", [300, pytest.param(10_000, marks=pytest.mark.long)])
def test_streams_that_are_cancelled_at_any_moment_leave_nothing_behind(
    tmp_path: Path, rounds: int
) -> None:
    with serving(tmp_path) as server:
        for number in range(3):
            server.publish(alarming(f"deal-{number}"))
        storm(server, 20)
        before = pending(server)
        storm(server, rounds)
        assert pending(server) <= before + 5
        server.publish(alarming("deal-after"))
        assert len(server.embedded.told.read(Topic.ALERTS, 0, 10)) == 4


def test_a_reader_that_does_not_read_holds_up_neither_ingest_nor_the_others(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as server:
        stuck = server.client.alert.StreamAlerts(pb.StreamAlertsRequest(start=earliest()))
        next(stuck)
        other = server.client.alert.StreamAlerts(pb.StreamAlertsRequest(start=earliest()))
        for number in range(100):
            server.publish(alarming(f"deal-{number}"))
        assert len(taken(other, 100)) == 100
        assert len(taken(stuck, 100)) == 100


def test_fifty_readers_get_the_same_alerts_in_the_same_order(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        calls = [
            server.client.alert.StreamAlerts(
                pb.StreamAlertsRequest(start=earliest()), timeout=TIMEOUT
            )
            for _ in range(50)
        ]
        for call in calls:
            next(call)
        assert server.metric("dealgraph_alert_subscribers") == 50
        for number in range(5):
            server.publish(alarming(f"deal-{number}"))
        ids = [record.id for record in server.embedded.told.read(Topic.ALERTS, 0, 10)]
        assert [[alert.id for alert in taken(call, 5)] for call in calls] == [ids] * 50


def taken(call: Any, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        item = next(call)
        if item.HasField("alert"):
            found.append(item.alert)
    call.cancel()
    return found
