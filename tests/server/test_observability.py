"""What a run leaves in metrics and logs: how it went, and nothing of what was said by whom."""

import io
import logging
import urllib.request
from pathlib import Path

import grpc
import pytest

from dealgraph.api.v1 import graph_service_pb2
from dealgraph.graph.model import Side
from dealgraph.server import logs
from dealgraph.stream import codec
from dealgraph.stream.interaction import Person
from tests.support.interactions import DAY, MONDAY, message
from tests.support.server import RunningServer, alarming, serving

CANARIES = ("canary-deal", "canary-chat", "Kanari Envogel", "kanari@acme.example", "vogelfutter")


def busy_run(server: RunningServer) -> None:
    """Publish, refuse, alert, fail: all with names and words that must not show."""
    server.publish(alarming("canary-deal", "canary-chat"))
    kanari = Person(Side.CUSTOMER, "kanari@acme.example", "Kanari Envogel", confidence=1.0)
    odd = message("vogelfutter", MONDAY + 10_000 * DAY, actor=kanari, source="kanari@acme.example")
    server.client.publish([codec.interaction_to_message(odd)])
    for id_ in CANARIES:
        with pytest.raises(grpc.RpcError):
            server.client.graph.GetNode(
                graph_service_pb2.GetNodeRequest(ref=graph_service_pb2.NodeRef(id=id_, kind=3))  # type: ignore[arg-type]
            )


@pytest.fixture
def run(tmp_path: Path) -> tuple[str, str]:
    """Metrics and logs of a busy run."""
    root, ours = logging.getLogger(), logging.getLogger("dealgraph")
    handlers, levels = list(root.handlers), (root.level, ours.level)
    written = io.StringIO()
    logs.configure(lambda: 0, written)
    try:
        with serving(tmp_path) as server:
            busy_run(server)
            with urllib.request.urlopen(f"http://{server.addresses.metrics}/metrics") as page:
                scraped = page.read().decode()
    finally:
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
    return scraped, written.getvalue()


def test_neither_metrics_nor_logs_hold_names_ids_or_words(run: tuple[str, str]) -> None:
    scraped, written = run
    for canary in CANARIES:
        assert canary not in scraped
        assert canary not in written


@pytest.mark.parametrize(
    "line",
    [
        'dealgraph_ingest_events_total{outcome="accepted",source="wecom"} 8.0',
        'dealgraph_ingest_events_total{outcome="rejected",source="other"} 1.0',
        'dealgraph_dead_letters_total{reason="FUTURE_TIMESTAMP",source="other"} 1.0',
        'dealgraph_signals_total{kind="competitor_rate",state="raised"} 1.0',
        'dealgraph_graph_nodes{kind="session"} 1.0',
        "dealgraph_ingest_to_alert_seconds_count 1.0",
        "dealgraph_alert_subscribers 0.0",
        'grpc_server_started_total{grpc_method="Publish",grpc_service="dealgraph.api.v1.IngestService"'
        ',grpc_type="unary"} 2.0',
        'grpc_server_handled_total{grpc_code="NOT_FOUND",grpc_method="GetNode"'
        ',grpc_service="dealgraph.api.v1.GraphService",grpc_type="unary"} 5.0',
    ],
)
def test_the_metrics_tell_how_the_run_went(run: tuple[str, str], line: str) -> None:
    assert line in run[0].splitlines()
