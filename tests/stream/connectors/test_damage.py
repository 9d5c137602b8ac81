"""Files of every source, damaged at random: nothing raises, and what stands before the damage comes in."""

import json
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from dealgraph.stream.codec import interaction_to_record
from dealgraph.stream.connectors.connector import Options, Parsed
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.raw import KEPT
from dealgraph.stream.connectors.registry import connector, connectors
from dealgraph.stream.interaction import Interaction, Rejected
from dealgraph.stream.interaction_rows import encode_row
from tests.support.files import (
    LOG,
    ROSTER,
    csv_file,
    csv_row,
    cue,
    json_lines,
    mail_bytes,
    mbox,
    options,
    read,
    told,
    vtt,
    wecom_message,
    zipped,
)
from tests.support.golden import goldens
from tests.support.interactions import MONDAY, utterance

_STRANGE: Final = [
    b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b'"', b"\r", b"\n\n", b"<", b"{", b"[[[[[[", b"]", b"\\u",
    b"\\ud800", b"From ", b"-->", b"00:00", b"\x1f\x8b", b"&#x0;", b"=?utf-8?b?=", b":", b",,,,",
]  # fmt: skip


class Sample(Struct, frozen=True):
    """A file, with the number of its records when all of them are valid."""

    source: str
    name: str
    content: bytes
    stated: Options
    records: int = 0


def _row(number: int) -> dict[str, object]:
    return {"id": f"m{number}", "case": "c", "who": "li", "at": "2026-03-02", "text": "“报价”"}


def _xes() -> bytes:
    event = '<event><date key="time:timestamp" value="2026-03-02"/></event>'
    return f'<?xml version="1.0"?><log><trace>{event * 8}</trace></log>'.encode()


_XES: Final = 'kind: activity\nchannel: crm\ntime: {from: "{time:timestamp}"}\n'
_CHAT: Final = [
    wecom_message(1),
    wecom_message(2, "agree", agree={"userid": "wmLiNa", "agree_time": 1_772_415_000_000}),
    wecom_message(3, "mixed", mixed={"item": [{"type": "text", "content": '{"content": "a"}'}]}),
    wecom_message(4, "revoke", action="recall", revoke={"pre_msgid": "m1"}),
    wecom_message(5, "todo", todo={"title": "x"}),
    wecom_message(6),
]
_ROWS: Final = b"".join(encode_row(utterance(f"“报价” {n}", MONDAY + n)) for n in range(8))
VALID: Final = [
    Sample("eventlog", "l.csv", csv_file([csv_row(n) for n in range(8)]).encode(), options(ROSTER, LOG), 8),
    Sample("eventlog", "l.jsonl", json_lines(map(_row, range(8))), options(ROSTER, LOG), 8),
    Sample("eventlog", "l.json", json.dumps([*map(_row, range(8))]).encode(), options("", LOG), 8),
    Sample("eventlog", "l.xes", _xes(), options("", _XES), 8),
    Sample("eventlog", "l.csv.gz", zipped(csv_file([csv_row(1)])), options("", LOG), 1),
    Sample("webvtt", "l.vtt", vtt(*(cue(n) for n in range(8))).encode(), options(ROSTER), 8),
    Sample("wecom", "l.jsonl", json_lines(_CHAT), options(ROSTER), 8),
    Sample("wecom", "l.json", json.dumps(_CHAT).encode(), options(ROSTER), 8),
    Sample("interactions", "l.jsonl", _ROWS, options(), 8),
    Sample("mail", "l.eml", mail_bytes(1), options(ROSTER), 1),
    Sample("mail", "l.mbox", mbox(mail_bytes(n) for n in range(8)), options(ROSTER), 8),
]  # fmt: skip

SAMPLES: Final = VALID + [
    Sample(golden.source, golden.path.name, golden.path.read_bytes(), golden.options())
    for golden in goldens()
]
each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.source}-{s.name}")
modest = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _check(sample: Sample, path: Path, content: bytes) -> list[Parsed]:
    """Read the content; every item can be stored, and every rejection be tried again."""
    try:
        parsed = read(path / sample.name, sample.source, content, sample.stated)
    except SourceError:
        return []
    for step in parsed:
        item = step.item
        if isinstance(item, Interaction):
            interaction_to_record(item)
            continue
        assert len(item.payload) <= KEPT
        item.detail.encode()
        connector(sample.source).parse_record(item.payload, item.position, sample.stated)
    return parsed


@pytest.mark.parametrize("sample", VALID, ids=lambda s: f"{s.source}-{s.name}")
def test_a_sample_is_whole(tmp_path: Path, sample: Sample) -> None:
    items = told(_check(sample, tmp_path, sample.content))
    assert len(items) == sample.records
    assert not [item for item in items if isinstance(item, Rejected)]


def test_each_connector_has_a_sample() -> None:
    assert {sample.source for sample in SAMPLES} == set(connectors())


@each_sample
@given(content=st.binary(max_size=400))
@modest
def test_any_bytes_can_be_read(tmp_path: Path, sample: Sample, content: bytes) -> None:
    _check(sample, tmp_path, content)


@each_sample
@given(data=st.data())
@modest
def test_damage_leaves_what_stands_before_it(
    tmp_path: Path, sample: Sample, data: st.DataObject
) -> None:
    content = sample.content
    at = data.draw(st.integers(0, len(content)))
    length = data.draw(st.sampled_from([0, 1, 2, 7, 50, len(content)]))
    strange = data.draw(st.sampled_from(_STRANGE) | st.binary(max_size=6))
    whole = told(_check(sample, tmp_path, content))
    begun = told(_check(sample, tmp_path, content[:at]))
    before = [one for one, other in zip(begun, whole, strict=False) if one == other]
    damaged = told(_check(sample, tmp_path, content[:at] + strange + content[at + length :]))
    # What parts the last record from the next one may be damaged, and then they are one; and a line that
    # holds several is read as a whole.
    last = _position(before[-1]) if before else ""
    before = [item for item in before if _position(item) != last]
    assert damaged[: len(before)] == before


def _position(item: Interaction | Rejected) -> str:
    return item.position if isinstance(item, Rejected) else item.provenance.position
