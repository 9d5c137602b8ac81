"""Change events of Salesforce: bitmaps, both forms of an event, and schemas that mean harm."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.model import NodeKind, NodeRef
from dealgraph.stream.codec import interaction_to_record
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.connectors.salesforce_avro import decode_event, named_fields
from dealgraph.stream.interaction import FieldChange, Interaction, Reason, Rejected, action_id
from tests.support.dealgraphs import opened, process
from tests.support.files import options
from tests.support.golden import FOLDER

LINES = {
    name: (FOLDER / "salesforce" / f"{name}.jsonl").read_bytes().splitlines()
    for name in ("events", "pubsub")
}
INNER = {"type": "record", "name": "Inner", "fields": [{"name": "x"}, {"name": "y"}]}
FIELDS: list[dict[str, Any]] = [
    *({"name": f"f{number}", "type": "string"} for number in range(20)),
    {"name": "deep", "type": ["null", INNER]},
]


def read(line: bytes) -> list[Interaction | Rejected]:
    return connector("salesforce").parse_record(line, "x:1", options())


@pytest.mark.parametrize(
    ("bitmaps", "names"),
    [
        ([], []),
        (["0x1"], ["f0"]),
        (["0x5"], ["f0", "f2"]),
        (["0x080001"], ["f0", "f19"]),
        (["0x0", "20-0x2"], ["deep.y"]),
        (["20-0x3", "0x2"], ["deep.x", "deep.y", "f1"]),
        (["StageName"], ["StageName"]),
    ],
)
def test_a_bitmap_names_the_fields_of_its_bits(bitmaps: list[str], names: list[str]) -> None:
    assert named_fields(bitmaps, FIELDS) == names


@pytest.mark.parametrize("bitmap", ["0x200000", "20-0x4", "21-0x1", "3-0x1"])
def test_a_bit_without_a_field_is_refused(bitmap: str) -> None:
    with pytest.raises(RecordError, match="the schema has"):
        named_fields([bitmap], FIELDS)


def test_an_event_is_the_same_from_both_interfaces() -> None:
    from_json = {
        action_id(item.source, item.native_id): interaction_to_record(item)[0]
        for line in LINES["events"]
        for item in read(line)
        if isinstance(item, Interaction)
    }
    twice = [
        (from_json[id_], interaction_to_record(item)[0])
        for line in LINES["pubsub"]
        for item in read(line)
        if isinstance(item, Interaction)
        and (id_ := action_id(item.source, item.native_id)) in from_json
    ]
    assert len(twice) == 3
    assert all(one == other for one, other in twice)


def test_changes_of_one_transaction_keep_their_order() -> None:
    first, second = (
        next(item for item in read(line) if isinstance(item, Interaction))
        for line in LINES["events"][1:3]
    )
    assert first.native_id.split("/")[1] == "2"
    assert second.occurred_at - first.occurred_at == 1


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ({"type": "array", "items": "null"}, Reason.UNKNOWN_VALUE),
        ({"type": "array", "items": {"type": "record", "name": "E", "fields": []}},
         Reason.UNKNOWN_VALUE),
        ({"type": "map", "values": "null"}, Reason.UNKNOWN_VALUE),
        ("Bomb", Reason.UNKNOWN_VALUE),
        ({"type": {"type": {"type": "long"}}}, None),
        (json.loads('{"type":' * 30 + '"long"' + "}" * 30), Reason.TOO_DEEP),
        (7, Reason.UNKNOWN_VALUE),
    ],
)  # fmt: skip
def test_a_schema_that_makes_much_of_little_is_refused(kind: Any, reason: Reason | None) -> None:
    schema = {"type": "record", "name": "Bomb", "fields": [{"name": "a", "type": kind}]}
    with pytest.raises(RecordError) as refused:
        decode_event(b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", json.dumps(schema))
    if reason is not None:
        assert refused.value.reason is reason


@settings(max_examples=60, deadline=None)
@given(payload=st.binary(max_size=200))
def test_any_payload_is_read_or_refused(payload: bytes) -> None:
    event = json.loads(LINES["pubsub"][0])
    event["event"]["payload"] = b64encode(payload).decode()
    for item in read(json.dumps(event).encode()):
        if isinstance(item, Interaction):
            interaction_to_record(item)


def test_a_record_that_was_fetched_again_is_clean_whatever_came_first(tmp_path: Path) -> None:
    gap = json.loads(LINES["events"][0])
    header = gap["data"]["payload"]["ChangeEventHeader"]
    header |= {"changeType": "GAP_UPDATE", "transactionKey": "gap"}
    record = {
        "attributes": {"type": "Opportunity"},
        "Id": header["recordIds"][0],
        "StageName": "Closed Won",
        "SystemModstamp": "2026-03-02T01:30:00.000+0000",
    }
    dirty, clean = (
        [item for item in read(json.dumps(one).encode()) if isinstance(item, Interaction)]
        for one in (gap, record)
    )
    deal = NodeRef(NodeKind.OPPORTUNITY, f"salesforce:{record['Id']}")
    states = []
    for name, order in (("a", (dirty, clean)), ("b", (clean, dirty))):
        with opened(tmp_path / name) as dealgraph:
            for items in order:
                process(dealgraph, items)
            node = dealgraph.graph.node(deal)
            assert node is not None
            states.append((node.attributes["sync_state"], node.attributes["stage"]))
    assert states == [("clean", "Closed Won")] * 2


def _values(event: dict[str, Any]) -> dict[str, str]:
    return {
        item.detail.field: item.detail.value
        for item in read(json.dumps(event).encode())
        if isinstance(item, Interaction) and isinstance(item.detail, FieldChange)
    }


def test_bitmaps_without_their_schema_leave_the_fields_that_have_a_value() -> None:
    event = json.loads(LINES["events"][1])
    payload = event["data"]["payload"]
    payload["ChangeEventHeader"] |= {"changedFields": ["0x400100"], "nulledFields": ["2-0x1"]}
    payload |= {"AccountNumber": "A7", "Phone": None}
    del payload["StageName"]
    assert _values(event) == {"AccountNumber": "A7"}


def test_an_event_that_a_relay_wrapped_is_read() -> None:
    payload = json.loads(LINES["events"][0])["data"]["payload"]
    plain = _values({"data": {"payload": payload}})
    assert plain["Name"] == "Big deal"
    relayed = {"detail-type": "Event", "detail": {"payload": payload, "schemaId": "s"}}
    assert _values(relayed) == plain == _values({"specversion": "1.0", "data": payload})
