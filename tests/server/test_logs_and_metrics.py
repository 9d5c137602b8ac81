"""Logs and metrics tell how the server runs, and nothing about people."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from prometheus_client import generate_latest

from dealgraph.graph.model import EdgeKind, NodeKind, SignalKind, SignalState
from dealgraph.graph.store import Counts
from dealgraph.server import logs
from dealgraph.server.metrics import Metrics

CANARY = "Li Wei li@acme.example 王丽 13800138000"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root, ours = logging.getLogger(), logging.getLogger("dealgraph")
    handlers, levels = list(root.handlers), (root.level, ours.level)
    stream = io.StringIO()
    logs.configure(lambda: 1_700_000_000_000, stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def test_an_event_is_one_json_line_with_its_fields(lines: io.StringIO) -> None:
    logs.event("import_finished", accepted=3, reason="NO_CONSENT")
    assert json.loads(lines.getvalue()) == {
        "at_ms": 1_700_000_000_000,
        "level": "info",
        "event": "import_finished",
        "accepted": 3,
        "reason": "NO_CONSENT",
    }


def test_the_message_of_an_error_is_not_logged_but_its_place_is(lines: io.StringIO) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        logs.fault("call_failed", error, method="Publish")
    line = json.loads(lines.getvalue())
    assert line["error"] == "ValueError"
    assert line["places"][0].startswith("test_logs_and_metrics.py:")
    assert CANARY not in lines.getvalue()


def test_what_libraries_log_is_named_but_not_repeated(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("cannot parse %s", CANARY)
    logging.getLogger("some.library").info("quiet")
    (line,) = lines.getvalue().splitlines()
    assert json.loads(line)["logger"] == "some.library"
    assert "Li Wei" not in line


def metrics(now: int = 10_000) -> Metrics:
    return Metrics(lambda: now, ["mail"])


def value(of: Metrics, name: str, **labels: str) -> float | None:
    return of.registry.get_sample_value(name, labels)


def test_a_source_that_is_not_shipped_counts_as_other() -> None:
    shown = metrics()
    shown.ingested("mail", "accepted", 2)
    shown.ingested(CANARY, "accepted", 3)
    shown.dead_letters(CANARY, "MISSING_ID", 1)
    shown.processed(CANARY, 0.5, 9_000)
    name = "dealgraph_ingest_events_total"
    assert value(shown, name, source="mail", outcome="accepted") == 2
    assert value(shown, name, source="other", outcome="accepted") == 3
    assert "Li Wei" not in generate_latest(shown.registry).decode()


def test_the_watermark_delay_is_the_age_of_the_newest_event() -> None:
    shown = metrics()
    shown.processed("mail", 0.01, 4_000)
    shown.processed("mail", 0.01, 3_000)
    assert value(shown, "dealgraph_watermark_delay_seconds", source="mail") == 6


def test_a_retracted_signal_counts_twice() -> None:
    shown = metrics()
    shown.signalled(SignalKind.COMPETITOR_RATE, SignalState.RETRACTED)
    kind = "competitor_rate"
    assert value(shown, "dealgraph_signals_total", kind=kind, state="retracted") == 1
    assert value(shown, "dealgraph_signal_retractions_total", kind=kind) == 1


def test_the_size_of_the_graph_is_asked_for_only_when_it_may_be_old() -> None:
    now, asked = [10_000], [0]

    def counts() -> Counts:
        asked[0] += 1
        return Counts({NodeKind.ACTION: 5}, {EdgeKind.PART_OF: 7})

    shown = Metrics(lambda: now[0], [])
    shown.watch_graph(counts)
    assert asked == [0]
    assert value(shown, "dealgraph_graph_nodes", kind="action") == 5
    assert value(shown, "dealgraph_graph_edges", kind="part_of") == 7
    assert asked == [1]
    now[0] += 15_000
    assert value(shown, "dealgraph_graph_nodes", kind="action") == 5
    assert asked == [2]
