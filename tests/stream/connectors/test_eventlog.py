import json
from pathlib import Path

import pytest

from dealgraph.graph.model import ActionKind, Channel, Side
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.interaction import (
    FieldChange,
    Interaction,
    InteractionKind,
    Person,
    Reason,
    Rejected,
    StageChange,
)
from tests.support.files import (
    LOG,
    ROSTER,
    csv_file,
    csv_row,
    options,
    read,
    reasons,
    taken,
    told,
    zipped,
)

BASE = "kind: message\nchannel: chat\n"
TIME = "time: {from: '{at}'}\n"
AT = 1_772_443_800_000


def one(
    tmp_path: Path, mapping: str, record: object, roster: str = "", **stated: object
) -> Interaction:
    """What one JSON record becomes."""
    parsed = read(
        tmp_path / "log.jsonl", "eventlog", json.dumps(record), options(roster, mapping, **stated)
    )
    (item,) = taken(parsed)
    return item


def refused(tmp_path: Path, mapping: str, record: object) -> Rejected:
    parsed = read(tmp_path / "log.jsonl", "eventlog", json.dumps(record), options("", mapping))
    (item,) = told(parsed)
    assert isinstance(item, Rejected)
    return item


def test_a_row_becomes_what_the_mapping_says(tmp_path: Path) -> None:
    (item,) = taken(
        read(tmp_path / "log.csv", "eventlog", csv_file([csv_row(7)]), options("", LOG))
    )
    assert item.native_id == "m7"
    assert item.kind is InteractionKind.MESSAGE
    assert item.channel is Channel.CHAT
    assert item.occurred_at == AT + 7
    assert item.actor == Person(Side.CUSTOMER, "eventlog:li", confidence=1.0)
    assert (item.session, item.text) == ("case-1", "hello")
    assert item.attributes == {"amount": "12"}
    assert item.provenance.parser == "eventlog"
    assert item.provenance.position == "log.csv:1"
    assert len(item.provenance.raw_sha256) == 64


def test_the_same_file_again_gives_the_same_interactions(tmp_path: Path) -> None:
    rows = csv_file([csv_row(number) for number in range(20)])
    stated = options(ROSTER, LOG)
    first = read(tmp_path / "log.csv", "eventlog", rows, stated)
    assert read(tmp_path / "log.csv", "eventlog", rows, stated) == first


def test_without_an_id_file_and_row_name_the_interaction(tmp_path: Path) -> None:
    mapping = LOG.replace('native_id: "{id}"', "")
    parsed = read(
        tmp_path / "log.csv", "eventlog", csv_file([csv_row(1), csv_row(2)]), options("", mapping)
    )
    assert [item.native_id for item in taken(parsed)] == ["log#1", "log#2"]


@pytest.mark.parametrize(
    ("time", "value", "expected"),
    [
        ("{from: '{at}'}", "2026-03-02T17:30:00+08:00", AT),
        ("{from: '{at}', zone: '+08:00'}", "2026-03-02 17:30:00", AT),
        ("{from: '{at}'}", "2026-03-02T09:30:00.1239Z", AT + 123),
        ("{from: '{at}', format: epoch_ms}", AT, AT),
        ("{from: '{at}', format: epoch_s}", str(AT // 1000), AT),
        ("{from: '{at}', format: epoch_s}", AT / 1000 + 0.25, AT + 250),
        ("{from: '{at}', format: '%d/%m/%Y %H:%M'}", "02/03/2026 09:30", AT),
        ("{from: '{at}', format: offset, start: 2026-03-02T09:30:00Z}", "00:00:01,5", AT + 1500),
        ("{from: '{at}', format: offset, start: 2026-03-02T09:30:00Z}", "1:02.003", AT + 62_003),
        ("{format: order, start: 2026-03-02T09:30:00Z, step_ms: 10}", "", AT),
    ],
)
def test_times_are_read_to_the_millisecond(
    tmp_path: Path, time: str, value: object, expected: int
) -> None:
    item = one(tmp_path, f"{BASE}time: {time}", {"at": value})
    assert item.occurred_at == expected


@pytest.mark.parametrize("value", ["", "soon", "2026-13-01", None, "9" * 30, "1e400", True, "nan"])
@pytest.mark.parametrize("form", ["iso", "epoch_s", "epoch_ms", "offset", "%d/%m/%Y"])
def test_what_is_no_time_is_a_bad_timestamp(tmp_path: Path, form: str, value: object) -> None:
    item = refused(tmp_path, f"{BASE}time: {{from: '{{at}}', format: '{form}'}}", {"at": value})
    assert item.reason is Reason.BAD_TIMESTAMP


def test_a_time_by_order_says_so(tmp_path: Path) -> None:
    mapping = f"{BASE}time: {{format: order, start: 2026-03-02T09:30:00Z, step_ms: 10}}"
    parsed = read(tmp_path / "log.jsonl", "eventlog", "{}\n{}\n", options("", mapping))
    assert [item.occurred_at for item in taken(parsed)] == [AT, AT + 10]
    assert taken(parsed)[0].attributes == {"time_basis": "order"}


def test_the_start_of_a_recording_may_come_from_the_command(tmp_path: Path) -> None:
    mapping = f"{BASE}time: {{from: '{{at}}', format: offset, start: 2020-01-01T00:00:00Z}}"
    assert one(tmp_path, mapping, {"at": "00:01.000"}, started_at=AT).occurred_at == AT + 1000


def test_durations_come_from_a_column_or_from_the_end(tmp_path: Path) -> None:
    by_length = f"{BASE}{TIME}duration: {{from: '{{len}}', unit: s}}"
    by_end = f"{BASE}time: {{from: '{{at}}', end: '{{to}}', format: epoch_ms}}"
    assert one(tmp_path, by_length, {"at": "2026-03-02", "len": "1.5"}).duration_ms == 1500
    assert one(tmp_path, by_end, {"at": AT, "to": AT + 70}).duration_ms == 70
    assert one(tmp_path, by_end, {"at": AT, "to": AT - 70}).duration_ms == 0


def test_recorded_time_is_a_column_of_its_own(tmp_path: Path) -> None:
    mapping = f"{BASE}time: {{from: '{{at}}', recorded: '{{known}}', format: epoch_ms}}"
    assert one(tmp_path, mapping, {"at": AT, "known": AT + 5}).recorded_at == AT + 5


def test_values_map_to_kinds_stages_and_actions(tmp_path: Path) -> None:
    mapping = f"""
channel: crm
{TIME}
kind: {{from: "{{act}}", values: {{"S_*": stage_change, Q: message}}, otherwise: activity}}
stage: {{from: "{{act}}", values: {{S_SENT: proposal}}, otherwise: contact}}
action: {{from: "{{act}}", values: {{Q: question}}, otherwise: ""}}
"""
    sent = one(tmp_path, mapping, {"act": "S_SENT", "at": "2026-03-02"})
    asked = one(tmp_path, mapping, {"act": "Q", "at": "2026-03-02"})
    other = one(tmp_path, mapping, {"act": "X", "at": "2026-03-02"})
    assert sent.detail == StageChange("proposal")
    assert (asked.kind, asked.action_kind) == (InteractionKind.MESSAGE, ActionKind.QUESTION)
    assert (other.kind, other.action_kind) == (InteractionKind.ACTIVITY, None)


def test_a_field_change_holds_name_and_both_values(tmp_path: Path) -> None:
    change = "field: {name: '{f}', value: '{v}', previous: '{p}'}"
    mapping = f"kind: field_change\nchannel: crm\n{TIME}{change}"
    item = one(tmp_path, mapping, {"f": "amount", "v": 12, "p": None, "at": "2026-03-02"})
    assert item.detail == FieldChange("amount", "12", "")


@pytest.mark.parametrize("kind", ["stage_change", "field_change"])
def test_a_change_of_nothing_is_refused(tmp_path: Path, kind: str) -> None:
    item = refused(tmp_path, f"kind: {kind}\nchannel: crm\n{TIME}", {"at": "2026-03-02"})
    assert item.reason is Reason.MISSING_FIELD


def test_a_value_that_no_map_holds_is_refused_with_the_fix(tmp_path: Path) -> None:
    mapping = f"channel: chat\n{TIME}kind: {{from: '{{k}}', values: {{a: message}}}}"
    item = refused(tmp_path, mapping, {"k": "b", "at": "2026-03-02"})
    assert item.reason is Reason.UNKNOWN_VALUE
    assert "'b' of {k} is not under `values`; add it or `otherwise`" in item.detail


def test_templates_join_columns_nested_values_and_trim(tmp_path: Path) -> None:
    mapping = BASE + TIME + 'session: "s-{a.b}-{@file}-{@row}"\ntext: "{who|trim:[\']}"'
    item = one(tmp_path, mapping, {"a": {"b": 7}, "who": "['Ross']", "at": "2026-03-02"})
    assert (item.session, item.text) == ("s-7-log-1", "Ross")


@pytest.mark.parametrize("value", [[1], {"x": 1}])
@pytest.mark.parametrize("field", ["text", "session", "native_id", "rep", "language"])
def test_a_list_where_a_text_is_expected_is_a_wrong_type(
    tmp_path: Path, field: str, value: object
) -> None:
    item = refused(tmp_path, f"{BASE}{TIME}{field}: '{{x}}'", {"x": value, "at": "2026-03-02"})
    assert item.reason is Reason.WRONG_TYPE
    assert item.detail.startswith("x: ")


def test_a_roster_goes_before_the_sides_of_the_mapping(tmp_path: Path) -> None:
    mapping = f"{BASE}{TIME}actor: {{name: '{{who}}', side: customer}}"
    known = one(tmp_path, mapping, {"who": "Wang Fang", "at": "2026-03-02"}, ROSTER)
    unknown = one(tmp_path, mapping, {"who": "Somebody", "at": "2026-03-02"}, ROSTER)
    assert (known.actor.side, known.actor.native_id) == (Side.REP, "wecom:WangFang")
    assert unknown.actor == Person(name="Somebody")


def test_what_a_record_leaves_open_comes_from_roster_and_options(tmp_path: Path) -> None:
    item = one(tmp_path, BASE + TIME, {"at": "2026-03-02"}, ROSTER, opportunity="deal-9")
    assert (item.opportunity, item.customer, item.rep) == ("deal-9", "acme", "wecom:WangFang")


def test_consent_that_the_mapping_states_comes_first(tmp_path: Path) -> None:
    mapping = LOG + (
        "consent: [{subject: 'x:rep', side: rep, channel: voice, purposes: [capture, analyse], "
        "basis: published, since: 2026-01-01}]"
    )
    parsed = read(tmp_path / "log.csv", "eventlog", csv_file([csv_row(1)]), options("", mapping))
    kinds = [step.item.kind for step in parsed if isinstance(step.item, Interaction)]
    assert kinds == [InteractionKind.CONSENT, InteractionKind.CONSENT, InteractionKind.MESSAGE]


def test_only_records_to_keep_are_read(tmp_path: Path) -> None:
    mapping = LOG + "keep: {id: [m1, m3]}"
    rows = csv_file([csv_row(number) for number in range(5)])
    parsed = read(tmp_path / "log.csv", "eventlog", rows, options("", mapping))
    assert [item.native_id for item in taken(parsed)] == ["m1", "m3"]


NESTED = f"""
records: talk.turns
{BASE}
session: "{{@parent.id}}"
text: "{{words}}"
time: {{format: order, start: 2026-03-02T09:30:00Z, step_ms: 10, row_step_ms: 1000}}
"""


def test_a_nested_list_gives_an_interaction_per_item(tmp_path: Path) -> None:
    meetings = [
        {"id": f"s{n}", "talk": {"turns": [{"words": "a"}, {"words": "b"}]}} for n in (1, 2)
    ]
    lines = "\n".join(json.dumps(meeting) for meeting in meetings)
    items = taken(read(tmp_path / "log.jsonl", "eventlog", lines, options("", NESTED)))
    assert [(i.session, i.text, i.native_id, i.occurred_at - AT) for i in items] == [
        ("s1", "a", "log#1.1", 0),
        ("s1", "b", "log#1.2", 10),
        ("s2", "a", "log#2.1", 1000),
        ("s2", "b", "log#2.2", 1010),
    ]


def test_a_bad_item_of_a_nested_list_is_refused_alone_and_can_be_read_again(tmp_path: Path) -> None:
    record = {"id": "s1", "talk": {"turns": [{"words": "a"}, 3, {"words": ["b"]}]}}
    stated = options("", NESTED)
    items = told(read(tmp_path / "log.jsonl", "eventlog", json.dumps(record), stated))
    _, number, words = items
    assert isinstance(number, Rejected)
    assert isinstance(words, Rejected)
    assert (number.reason, words.reason) == (Reason.WRONG_TYPE, Reason.WRONG_TYPE)
    fixed = words.payload.replace(b'["b"]', b'"b"')
    (again,) = connector("eventlog").parse_record(fixed, words.position, stated)
    assert isinstance(again, Interaction)
    assert (again.native_id, again.session, again.occurred_at) == ("log#1.3", "s1", AT + 20)


def test_an_event_log_needs_a_mapping(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="--mapping FILE"):
        read(tmp_path / "log.csv", "eventlog", "a\n1\n", options())


def test_a_column_that_the_file_lacks_is_told_with_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no column 'case'.*mean 'casse'\?.*id, casse, who"):
        read(tmp_path / "l.csv", "eventlog", "id,casse,who,at,text,amount\n", options("", LOG))


def test_a_format_that_the_name_does_not_tell_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Write `format:` in the mapping: csv, jsonl, json, xes"):
        read(tmp_path / "log.txt", "eventlog", "", options("", LOG))


def test_a_missing_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"Cannot read .*none\.csv: No such file"):
        list(connector("eventlog").parse(tmp_path / "none.csv", options("", LOG)))


def again(items: list[Interaction | Rejected], stated: Options) -> list[Interaction | Rejected]:
    """The rejected items, parsed again from what their dead letters keep."""
    return [
        item
        for old in items
        if isinstance(old, Rejected)
        for item in connector("eventlog").parse_record(old.payload, old.position, stated)
    ]


def test_a_dead_letter_of_csv_is_read_again_without_its_file(tmp_path: Path) -> None:
    row = csv_row(1).replace("2026-03-02T09", "02.03.2026 09")
    content = csv_file([csv_row(0), row])
    items = told(read(tmp_path / "log.csv", "eventlog", content, options("", LOG)))
    fixed = options(
        "", LOG.replace('{from: "{at}"}', '{from: "{at}", format: "%d.%m.%Y %H:%M:%S.%fZ"}')
    )
    (item,) = again(items, fixed)
    assert isinstance(item, Interaction)
    assert (item.native_id, item.occurred_at) == ("m1", AT + 1)
    assert item.provenance.position == "log.csv:2"


def test_a_dead_letter_with_a_strange_position_stays_rejected() -> None:
    (item,) = connector("eventlog").parse_record(b"{}", "somewhere", options("", LOG))
    assert isinstance(item, Rejected)
    assert item.reason is Reason.UNREADABLE


def test_a_rejection_names_the_channel_that_the_mapping_states(tmp_path: Path) -> None:
    item = refused(tmp_path, f"kind: utterance\nchannel: voice\n{TIME}", {"at": "?"})
    assert item.channel is Channel.VOICE


def test_files_may_be_compressed(tmp_path: Path) -> None:
    content = zipped(csv_file([csv_row(number) for number in range(50)]))
    parsed = read(tmp_path / "log.csv.gz", "eventlog", content, options("", LOG))
    assert reasons(parsed) == [None] * 50
    assert parsed[-1].bytes_read == len(content)
