"""Input that nobody should send: every parser takes it, and the records beside it come in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from dealgraph.stream.codec import interaction_to_record
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.interaction import Interaction, Reason, Rejected
from tests.support.files import read, told
from tests.support.golden import Golden, goldens

_WRONG: Final[tuple[Any, ...]] = (
    None, True, -1, 0, 1e308, 10**18, 2**63, "", " ", "x", "\0", "\ud800", "1e400", "nan",
    [], {}, [[]], [None],
    {"a": {"b": []}}, "0001-01-01", "1582-10-10T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30", "٢٠٢٦",
    -62_135_596_800_001, 253_402_300_800_000, "[" * 50, "{" * 50, "=?utf-8?b?=", "x" * 20_000,
)  # fmt: skip
"""Values of every type, times of every era, texts that mean something to somebody."""

JSON_GOLDENS: Final = [one for one in goldens() if one.path.suffix in (".json", ".jsonl")]
each_json = pytest.mark.parametrize(
    "golden", JSON_GOLDENS, ids=lambda g: f"{g.source}-{g.path.name}"
)
RECORDS: Final = [
    one for one in JSON_GOLDENS
    if one.path.suffix == ".jsonl" and one.source not in ("tencent-meeting", "eventlog", "interactions")
]  # fmt: skip
"""Lines that are records each, of sources that say why JSON cannot be read."""


def _values(golden: Golden) -> list[Any]:
    """The JSON values of a golden file, whole lines or the whole."""
    text = golden.path.read_text(encoding="utf-8")
    pieces = text.splitlines() if golden.path.suffix == ".jsonl" else [text]
    found = []
    for piece in pieces:
        try:
            found.append(json.loads(piece))
        except json.JSONDecodeError:
            continue
    return found


def _spoilt(value: Any, left: int = 3) -> Iterator[Any]:
    """The value with each part of it, some levels deep, replaced by a wrong one."""
    yield from _WRONG
    if left == 0:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield {key: part for key, part in value.items() if key != name}
            for wrong in _spoilt(inner, left - 1):
                yield {**value, name: wrong}
    elif isinstance(value, list) and value:
        for wrong in _spoilt(value[0], left - 1):
            yield [wrong, *value[1:]]


def _check(items: list[Interaction | Rejected]) -> None:
    for item in items:
        if isinstance(item, Rejected):
            assert item.reason in Reason
            item.detail.encode()
            continue
        try:
            interaction_to_record(item)
        except ValueError:  # the gate refuses what the contract cannot hold
            assert (
                "\ud800" in repr(item) or abs(item.occurred_at) > 2**62 or "\\ud800" in repr(item)
            )


@each_json
def test_a_wrong_value_at_any_field_is_taken_or_refused(golden: Golden) -> None:
    source, stated = connector(golden.source), golden.options()
    for value in _values(golden)[:12]:
        for spoilt in _spoilt(value):
            raw = json.dumps(spoilt).encode("utf-8", "surrogatepass")
            _check(source.parse_record(raw, f"{golden.path.name}:1", stated))


@pytest.mark.parametrize("golden", RECORDS, ids=lambda g: f"{g.source}-{g.path.name}")
@pytest.mark.parametrize(
    ("junk", "reason"),
    [
        (b'{"a": "' + b"x" * 10_000_000 + b'"}', Reason.TOO_LARGE),
        (b"[" * 10_000 + b"]" * 10_000, Reason.TOO_DEEP),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, Reason.TOO_DEEP),
        (b'{"a": "\\ud800"}', Reason.BAD_ENCODING),
        (b'{"a": "\xed\xa0\x80"}', Reason.BAD_ENCODING),
        (b"\0\0\0", Reason.UNREADABLE),
    ],
    ids=["10 MB", "deep list", "deep object", "half a character", "surrogate bytes", "NUL"],
)
def test_a_bad_line_costs_itself_only(
    tmp_path: Path, golden: Golden, junk: bytes, reason: Reason
) -> None:
    lines = golden.path.read_bytes().splitlines(keepends=True)
    path, stated = tmp_path / golden.path.name, golden.options()
    whole = told(read(path, golden.source, lines[0] + lines[1], stated))
    items = told(read(path, golden.source, lines[0] + junk + b"\r\n" + lines[1], stated))
    assert reason in [item.reason for item in items if isinstance(item, Rejected)]
    assert _taken(items) == _taken(whole)


def _taken(items: list[Interaction | Rejected]) -> list[bytes]:
    """What the interactions say, wherever their records stand."""
    return [interaction_to_record(item)[0] for item in items if isinstance(item, Interaction)]
