"""How records are found in files: whatever is wrong with one, the others come in."""

import gzip
import json
from pathlib import Path

import pytest

from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.raw import KEPT, MAX_RECORD
from dealgraph.stream.interaction import Interaction, Reason, Rejected
from tests.support.files import (
    LOG,
    ROSTER,
    csv_file,
    csv_row,
    json_lines,
    options,
    read,
    reasons,
    taken,
    told,
    zipped,
)

STATED = options("", LOG)
JSON_LOG = options("", LOG.replace("'", '"'))


def record(number: int, **fields: object) -> dict[str, object]:
    values: dict[str, object] = {
        "id": f"m{number}",
        "case": "c",
        "who": "li",
        "at": "2026-03-02T09:30:00Z",
        "text": "hello",
        "amount": number,
    }
    return values | fields


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_end_of_line_ends_a_record(tmp_path: Path, end: str) -> None:
    content = csv_file([csv_row(number) for number in range(3)]).replace("\n", end)
    parsed = read(tmp_path / "log.csv", "eventlog", content, STATED)
    assert [item.native_id for item in taken(parsed)] == ["m0", "m1", "m2"]


def test_ends_of_lines_may_be_mixed_and_lines_empty(tmp_path: Path) -> None:
    rows = [csv_row(number) for number in range(4)]
    content = csv_file([]) + rows[0] + "\r\n\n" + rows[1] + "\r\r" + rows[2] + "\n\r\n" + rows[3]
    assert reasons(read(tmp_path / "log.csv", "eventlog", content, STATED)) == [None] * 4


def test_a_quoted_cell_may_hold_lines_quotes_and_delimiters(tmp_path: Path) -> None:
    content = csv_file([csv_row(1, '"a ""b"",\nc\r\nd"'), csv_row(2)])
    items = taken(read(tmp_path / "log.csv", "eventlog", content, STATED))
    assert [item.text for item in items] == ['a "b",\nc\r\nd', "hello"]


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path: Path) -> None:
    content = csv_file([csv_row(0), csv_row(1, '"open'), *[csv_row(n) for n in range(2, 900)]])
    found = reasons(read(tmp_path / "log.csv", "eventlog", content, STATED))
    assert found == [None, Reason.TRUNCATED, *[None] * 898]


def test_an_open_quote_before_a_line_that_is_too_long_costs_one_row(tmp_path: Path) -> None:
    rows = [
        csv_row(0),
        csv_row(1, '"open'),
        csv_row(2),
        csv_row(3, "x" * (MAX_RECORD + 1)),
        csv_row(4),
    ]
    found = reasons(read(tmp_path / "log.csv", "eventlog", csv_file(rows), STATED))
    assert found == [None, Reason.TRUNCATED, None, Reason.TOO_LARGE, None]


def test_an_open_quote_before_long_lines_costs_one_row(tmp_path: Path) -> None:
    rows = [csv_row(0, '"open'), *(csv_row(n, "x" * 100_000) for n in range(1, 60))]
    found = reasons(read(tmp_path / "log.csv", "eventlog", csv_file(rows), STATED))
    assert found == [Reason.TRUNCATED, *[None] * 59]


def test_rows_with_too_few_or_too_many_cells_are_refused(tmp_path: Path) -> None:
    content = csv_file([csv_row(1), "m2,case", csv_row(3) + ",more", csv_row(4)])
    found = reasons(read(tmp_path / "log.csv", "eventlog", content, STATED))
    assert found == [None, Reason.TRUNCATED, Reason.WRONG_TYPE, None]


def test_a_line_of_ten_megabytes_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    content = csv_file([csv_row(1), csv_row(2, "x" * 10_000_000), csv_row(3)])
    items = told(read(tmp_path / "log.csv", "eventlog", content, STATED))
    assert [isinstance(item, Interaction) for item in items] == [True, False, True]
    refused = items[1]
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.TOO_LARGE
    assert len(refused.payload) <= KEPT
    assert refused.position == "log.csv:2"


def test_a_line_at_the_limit_is_read(tmp_path: Path) -> None:
    text = "x" * (MAX_RECORD - len(csv_row(1, "")) - 1)
    assert reasons(read(tmp_path / "l.csv", "eventlog", csv_file([csv_row(1, text)]), STATED)) == [
        None
    ]
    over = csv_file([csv_row(1, text + "xx")])
    assert reasons(read(tmp_path / "l.csv", "eventlog", over, STATED)) == [Reason.TOO_LARGE]


def test_bytes_that_are_no_text_cost_one_row(tmp_path: Path) -> None:
    rows = [csv_row(number).encode() for number in range(4)]
    rows[1] = rows[1].replace(b"hello", b"\xff\xfe")
    rows[2] = rows[2].replace(b"hello", b"a\0b")
    content = csv_file([]).encode() + b"\n".join(rows)
    found = reasons(read(tmp_path / "log.csv", "eventlog", content, STATED))
    assert found == [None, Reason.BAD_ENCODING, Reason.BAD_ENCODING, None]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030"])
def test_other_encodings_are_read_when_stated(tmp_path: Path, encoding: str) -> None:
    content = csv_file([csv_row(1, "报价太高")]).encode(encoding)
    stated = options("", f"{LOG}encoding: {encoding}")
    (item,) = taken(read(tmp_path / "log.csv", "eventlog", content, stated))
    assert item.text == "报价太高"


def test_marks_of_byte_order_need_no_statement(tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        content = csv_file([csv_row(1, "报价")]).encode(encoding)
        (item,) = taken(read(tmp_path / "log.csv", "eventlog", content, STATED))
        assert item.text == "报价"


def test_a_file_without_header_has_its_columns_in_the_mapping(tmp_path: Path) -> None:
    stated = options(
        "", LOG + "columns: [id, case, who, at, text, amount]\ndelimiter: '|'\nquotes: false"
    )
    content = csv_row(1, 'say "hi').replace(",", "|")
    (item,) = taken(read(tmp_path / "log.csv", "eventlog", content, stated))
    assert item.text == 'say "hi'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "m1"', Reason.TRUNCATED),
        (b"no json", Reason.UNREADABLE),
        (b"3", Reason.WRONG_TYPE),
        (b"[1, 2]", Reason.WRONG_TYPE),
        (b"null", Reason.WRONG_TYPE),
        (b"[" * 10_000, Reason.TOO_DEEP),
        (b'{"a":' * 10_000, Reason.TOO_DEEP),
        (b'{"text": "\xff"}', Reason.BAD_ENCODING),
        (b'{"text": "\\ud800"}', Reason.BAD_ENCODING),
        (b'{"id": "m1", "amount": 1e999}', Reason.UNREADABLE),
        (b'{"text": {}, "at": "2026-03-02"}', Reason.WRONG_TYPE),
    ],
)
def test_a_bad_json_line_is_refused_alone(tmp_path: Path, line: bytes, reason: Reason) -> None:
    content = json_lines([record(1)]) + line + b"\n" + json_lines([record(2)])
    assert reasons(read(tmp_path / "l.jsonl", "eventlog", content, JSON_LOG)) == [
        None,
        reason,
        None,
    ]


@pytest.mark.parametrize("indent", [None, 2])
def test_the_elements_of_an_array_are_records(tmp_path: Path, indent: int | None) -> None:
    values = [record(1, text='a "},{[" b'), record(2, text="\\"), record(3)]
    content = json.dumps(values, indent=indent)
    items = taken(read(tmp_path / "log.json", "eventlog", content, JSON_LOG))
    assert [item.text for item in items] == ['a "},{[" b', "\\", "hello"]


def test_values_one_after_another_are_records(tmp_path: Path) -> None:
    content = json.dumps(record(1), indent=1) + json.dumps(record(2)) + "\n" + json.dumps(record(3))
    assert reasons(read(tmp_path / "log.json", "eventlog", content, JSON_LOG)) == [None] * 3


def test_a_bad_element_of_an_array_is_refused_alone(tmp_path: Path) -> None:
    good = json.dumps(record(1))
    deep = "[" * 10_000 + "]" * 10_000
    large = json.dumps({"id": "x" * (MAX_RECORD + 1)})
    content = f'[{good}, {{"id": }}, 3, {deep}, {large}, {good}]'
    found = reasons(read(tmp_path / "log.json", "eventlog", content, JSON_LOG))
    assert found == [
        None,
        Reason.UNREADABLE,
        Reason.WRONG_TYPE,
        Reason.TOO_DEEP,
        Reason.TOO_LARGE,
        None,
    ]


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_an_array_that_breaks_off_says_so(tmp_path: Path, cut: int) -> None:
    content = json.dumps([record(1), record(2)])[:-cut]
    found = reasons(read(tmp_path / "log.json", "eventlog", content, JSON_LOG))
    assert found[0] is None
    assert found[-1] is Reason.TRUNCATED


def test_values_may_lie_across_chunks(tmp_path: Path) -> None:
    values = [record(number, text='\\"' * 700) for number in range(1000)]
    content = json.dumps(values)
    assert reasons(read(tmp_path / "log.json", "eventlog", content, JSON_LOG)) == [None] * 1000


def test_a_compressed_file_that_breaks_off_says_so(tmp_path: Path) -> None:
    content = zipped(csv_file([csv_row(n, f"{n * n * n}") for n in range(5000)]))
    parsed = read(tmp_path / "log.csv.gz", "eventlog", content[: len(content) // 2], STATED)
    found = reasons(parsed)
    assert found[-1] is Reason.TRUNCATED
    assert set(found[:-1]) == {None}
    assert len(found) > 1000


def test_a_damaged_compressed_file_says_so(tmp_path: Path) -> None:
    content = bytearray(zipped(csv_file([csv_row(n, f"{n * n * n}") for n in range(5000)])))
    content[len(content) // 2 : len(content) // 2 + 50] = b"\0" * 50
    found = reasons(read(tmp_path / "log.csv.gz", "eventlog", bytes(content), STATED))
    assert found[-1] in (Reason.UNREADABLE, Reason.TRUNCATED)


def test_a_file_that_inflates_beyond_bounds_is_left(tmp_path: Path) -> None:
    content = gzip.compress((b" " * 10_000 + b"\n") * 4_000)
    found = reasons(read(tmp_path / "log.jsonl.gz", "eventlog", content, JSON_LOG))
    assert found == [Reason.TOO_LARGE]


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.json"])
def test_an_empty_file_holds_nothing(tmp_path: Path, name: str) -> None:
    assert told(read(tmp_path / name, "eventlog", b"", STATED)) == []


def test_a_header_that_is_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="header cannot be read"):
        read(tmp_path / "log.csv", "eventlog", b"\xff\xff,\xff\n1,2\n", STATED)


def test_bytes_read_grow_up_to_the_size_of_the_file(tmp_path: Path) -> None:
    content = csv_file([csv_row(number) for number in range(100)])
    parsed = read(tmp_path / "log.csv", "eventlog", content, options(ROSTER, LOG))
    ends = [step.bytes_read for step in parsed]
    assert ends == sorted(ends)
    assert ends[-1] == len(content)


XES_LOG = options(
    "",
    """
kind: activity
channel: crm
session: "{case:concept:name}"
time: {from: "{time:timestamp}"}
actor: {id: "{org:resource}", side: rep}
attributes: {activity: "{concept:name}", amount: "{case:amount}"}
""",
)


def xes(*events: str, head: str = "") -> str:
    return (
        f'<?xml version="1.0"?>{head}<log xmlns="http://www.xes-standard.org/">'
        '<global scope="event"><string key="concept:name" value="?"/></global>'
        '<trace><string key="concept:name" value="case-1"/><int key="amount" value="12"/>'
        + "".join(events)
        + "</trace></log>"
    )


def xes_event(activity: str, at: str = "2026-03-02T09:30:00.007+00:00") -> str:
    return (
        f'<event><string key="concept:name" value="{activity}"/>'
        f'<date key="time:timestamp" value="{at}"/>'
        '<string key="org:resource" value="7"><string key="nested" value="x"/></string></event>'
    )


def test_an_xes_event_has_its_own_values_and_those_of_its_trace(tmp_path: Path) -> None:
    content = xes(xes_event("A &amp; B"), xes_event("C"))
    first, second = taken(read(tmp_path / "log.xes", "eventlog", content, XES_LOG))
    assert first.session == "case-1"
    assert first.occurred_at == 1_772_443_800_007
    assert first.attributes == {"activity": "A & B", "amount": "12"}
    assert first.actor.native_id == "eventlog:7"
    assert second.attributes["activity"] == "C"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xes_may_be_compressed_and_in_utf16(tmp_path: Path, encoding: str) -> None:
    content = zipped(xes(xes_event("报价")).encode(encoding))
    (item,) = taken(read(tmp_path / "log.xes.gz", "eventlog", content, XES_LOG))
    assert item.attributes["activity"] == "报价"


def test_entities_and_document_types_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE log [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    (item,) = told(read(tmp_path / "l.xes", "eventlog", xes(xes_event("&b;"), head=bomb), XES_LOG))
    assert isinstance(item, Rejected)
    assert (item.reason, item.detail) == (
        Reason.UNREADABLE,
        "document types and entities are refused",
    )


def test_xes_nested_too_deep_is_refused(tmp_path: Path) -> None:
    content = xes(xes_event("A"), "<list>" * 10_000)
    assert reasons(read(tmp_path / "l.xes", "eventlog", content, XES_LOG)) == [
        None,
        Reason.TOO_DEEP,
    ]


def test_xes_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    content = xes(xes_event("A"), xes_event("B"))[:-60]
    found = reasons(read(tmp_path / "log.xes", "eventlog", content, XES_LOG))
    assert found == [None, Reason.TRUNCATED]


def test_an_endless_attribute_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    content = xes(xes_event("A"), f'<event><string key="k" value="{"x" * 12_000_000}"/></event>')
    found = reasons(read(tmp_path / "log.xes", "eventlog", content, XES_LOG))
    assert found == [None, Reason.TOO_LARGE]


def test_a_bad_time_in_xes_is_refused_alone_and_can_be_read_again(tmp_path: Path) -> None:
    content = xes(xes_event("A", "?"), xes_event("B"))
    items = told(read(tmp_path / "log.xes", "eventlog", content, XES_LOG))
    assert isinstance(items[0], Rejected)
    assert items[0].reason is Reason.BAD_TIMESTAMP
    assert isinstance(items[1], Interaction)
    assert json.loads(items[0].payload)["concept:name"] == "A"
