"""A mapping is proposed from a sample: it can always be read, and often it fits."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.mapping import Choice, parse_mapping
from dealgraph.stream.connectors.mapping_proposal import propose
from dealgraph.stream.connectors.samples import read_sample
from dealgraph.stream.interaction import Interaction, InteractionKind
from tests.support.files import options, read, taken

CHAT = "msg_id;dialogue;sender;sent at;content\n" + "".join(
    f"m{number};d{number // 4};p{number % 2};{number + 1:02}/03/2026 09:30;hello number {number}\n"
    for number in range(20)
)
STAGES = [
    {
        "case": f"c{number // 3}",
        "ts": 1_772_415_000_000 + number,
        "stage": ["new", "won"][number % 2],
    }
    for number in range(12)
]


def proposed(path: Path, content: bytes | str) -> tuple[str, list[Interaction]]:
    """The proposal for a file, and what it makes of it."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    sample = read_sample(path, 500)
    text = propose(sample.records, path.stem, sample.form.value, sample.settings).text()
    return text, taken(read(path, "eventlog", path.read_bytes(), options("", text)))


def test_a_chat_with_semicolons_and_local_dates_is_read_by_its_proposal(tmp_path: Path) -> None:
    text, items = proposed(tmp_path / "Chat Log.csv", CHAT)
    assert len(items) == 20
    first = items[0]
    assert (first.kind, first.native_id, first.session) == (InteractionKind.MESSAGE, "m0", "d0")
    assert first.text == "hello number 0"
    assert items[1].occurred_at - first.occurred_at == 86_400_000
    assert parse_mapping(text).source == "chat-log"


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_chinese_log_is_read_in_its_encoding(tmp_path: Path, encoding: str) -> None:
    content = "会话,说话人,时间,内容\n" + "a,王芳,2026-03-02 09:30,报价太高了\n" * 3
    _, items = proposed(tmp_path / "l.csv", content.encode(encoding))
    assert [(item.session, item.text) for item in items] == [("a", "报价太高了")] * 3


def test_stages_without_words_are_changes_of_stage(tmp_path: Path) -> None:
    content = "".join(json.dumps(row) + "\n" for row in STAGES)
    _, items = proposed(tmp_path / "s.jsonl", content)
    assert {item.kind for item in items} == {InteractionKind.STAGE_CHANGE}
    assert items[0].opportunity == "c0"


def test_records_in_a_nested_list_are_found(tmp_path: Path) -> None:
    turns = [{"speaker": "a", "text": "hello there"}, {"speaker": "b", "text": "hi"}]
    content = json.dumps({"title": "x", "turns": turns}) + "\n"
    _, items = proposed(tmp_path / "n.jsonl", content * 2)
    assert [item.session for item in items] == ["n/1", "n/1", "n/2", "n/2"]


def test_a_file_without_records_is_told(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("a,b\n")
    with pytest.raises(SourceError, match="holds no record"):
        read_sample(tmp_path / "e.csv", 5)


@settings(max_examples=150, deadline=None)
@given(
    records=st.lists(
        st.dictionaries(
            st.text(max_size=8) | st.sampled_from(["time", "id", "stage", "speaker", "text"]),
            st.text(max_size=12) | st.integers() | st.none() | st.lists(st.integers(), max_size=2),
            max_size=6,
        ),
        max_size=6,
    ),
    stem=st.text(max_size=20),
)
def test_a_proposal_can_be_read_whatever_the_columns(
    records: list[dict[str, Any]], stem: str
) -> None:
    mapping = parse_mapping(propose(records, stem, "jsonl", {"delimiter": "\t"}).text())
    assert not isinstance(mapping.session, Choice)
