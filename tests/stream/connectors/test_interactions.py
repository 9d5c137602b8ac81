"""Canonical interactions as JSON lines: what is written is read, and what is no interaction says why."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from dealgraph.stream.interaction import NOWHERE, Interaction, Reason
from dealgraph.stream.interaction_rows import decode_row, encode_row, from_row
from tests.support.files import options, read, reasons, taken
from tests.support.interactions import MONDAY, interactions, utterance


@settings(max_examples=150, deadline=None)
@given(interactions())
def test_a_row_holds_the_whole_interaction_but_for_its_provenance(interaction: Interaction) -> None:
    kept = replace(interaction, provenance=NOWHERE)
    assert from_row(decode_row(encode_row(interaction)), NOWHERE) == kept


def test_the_connector_reads_what_was_written(tmp_path: Path) -> None:
    said = [utterance(f"said {n}", MONDAY + n) for n in range(3)]
    content = b"".join(map(encode_row, said))
    found = taken(read(tmp_path / "stream.jsonl", "interactions", content, options()))
    assert [replace(item, provenance=NOWHERE) for item in found] == said
    assert [item.provenance.position for item in found] == [f"stream.jsonl:{n}" for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"source": "wecom"', Reason.TRUNCATED),
        (b"no json", Reason.UNREADABLE),
        (b'{"source": "wecom"}', Reason.MISSING_FIELD),
        (
            b'{"source":"w","native_id":"1","kind":"fax","channel":"chat","occurred_at_ms":1}',
            Reason.UNKNOWN_VALUE,
        ),
        (
            b'{"source":"w","native_id":"1","kind":"mail","channel":"mail","occurred_at_ms":"now"}',
            Reason.WRONG_TYPE,
        ),
    ],
)
def test_a_line_that_is_no_interaction_says_why(
    tmp_path: Path, line: bytes, reason: Reason
) -> None:
    content = encode_row(utterance("before")) + line + b"\n" + encode_row(utterance("after"))
    parsed = read(tmp_path / "stream.jsonl", "interactions", content, options())
    assert reasons(parsed) == [None, reason, None]
