"""Measured values: units, CloudEvents over HTTP, and what the graph keeps."""

import json
from pathlib import Path

import pytest

from dealgraph.graph.model import NodeKind, NodeRef
from dealgraph.stream.connectors.cloud_events import cloud_events, is_cloud_event
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.metric_schemas import known_metrics, load_metrics
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.interaction import Interaction
from tests.support.dealgraphs import opened, process
from tests.support.files import options, read, taken

HEAD = "subject,name,value,unit,time\n"
DATA = {"name": "nps", "value": 41, "unit": "score"}
BINARY = {
    "Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "e%201",
    "CE-Source": "/survey", "ce-type": "t", "ce-subject": "acme", "ce-time": "2026-03-02T01:30:00Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "unit", "kept"),
    [
        ("device_uptime", "0.5", "ratio", "50"),
        ("device_uptime", "99.95", "%", "99.95"),
        ("payment_terms", "2", "weeks", "14"),
        ("mtbf", "1e3", "hours", "1000"),
        ("nps", "-0", "score", "0"),
    ],
)
def test_a_value_is_kept_in_the_unit_of_its_metric(
    name: str, value: str, unit: str, kept: str
) -> None:
    assert known_metrics()[name].value(value, unit) == kept


@pytest.mark.parametrize("value", ["1" * 41, "1_0", "٣", "inf", "1e400", "1e-400", ""])
def test_what_is_no_plain_number_is_refused(value: str) -> None:
    with pytest.raises(RecordError):
        known_metrics()["nps"].value(value, "score")


def test_a_file_adds_metrics_and_is_told_what_is_wrong_with_it(tmp_path: Path) -> None:
    file = tmp_path / "metrics.yaml"
    file.write_text("seats: {meaning: licences in use, unit: seats}\n")
    assert {"nps", "seats"} <= set(load_metrics(file))
    stated = options(metrics=load_metrics(file))
    row = HEAD + "acme,seats,12,seats,2026-03-02\n"
    (item,) = taken(read(tmp_path / "m.csv", "metrics", row, stated))
    assert item.attributes["metric"] == "seats"
    file.write_text("seats: {meaning: x, unti: seats}\n")
    with pytest.raises(SourceError, match="did you mean `unit`"):
        load_metrics(file)


def test_a_cloud_event_is_the_same_in_each_http_form() -> None:
    assert is_cloud_event(BINARY)
    binary = cloud_events(BINARY, json.dumps(DATA).encode())
    event = {
        "specversion": "1.0", "id": "e 1", "source": "/survey", "type": "t", "subject": "acme",
        "time": "2026-03-02T01:30:00Z", "data": DATA,
    }  # fmt: skip
    structured = {"content-type": "application/cloudevents+json; charset=utf-8"}
    batched = {"content-type": "application/cloudevents-batch+json"}
    assert binary == cloud_events(structured, json.dumps(event).encode()) == [event]
    assert cloud_events(batched, json.dumps([event, event]).encode()) == [event, event]
    (item,) = connector("metrics").parse_record(json.dumps(binary).encode(), "r:1", options())
    assert isinstance(item, Interaction)
    assert (item.customer, item.attributes["value"]) == ("acme", "41")


def test_a_request_that_is_no_cloud_event_is_refused() -> None:
    assert not is_cloud_event({"content-type": "application/json"})
    with pytest.raises(RecordError, match="ce-id"):
        cloud_events({"ce-source": "/x"}, b"{}")


def test_the_graph_keeps_the_newest_value_of_a_metric_as_an_attribute(tmp_path: Path) -> None:
    rows = [f"acme,nps,{value},score,2026-03-0{day}" for day, value in ((3, 12), (5, 30), (4, 20))]
    items = taken(read(tmp_path / "m.csv", "metrics", HEAD + "\n".join(rows) + "\n", options()))
    with opened(tmp_path / "data") as dealgraph:
        process(dealgraph, items)
        node = dealgraph.graph.node(NodeRef(NodeKind.CUSTOMER, "acme"))
    assert node is not None
    assert node.attributes["metric.nps"] == "30 score"
