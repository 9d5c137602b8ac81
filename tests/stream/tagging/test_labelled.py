import json
from pathlib import Path

import pytest

from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.mapping import Mapping, load_mapping, parse_mapping
from dealgraph.stream.tagging.labelled import folds, questions, read_labelled
from tests.support.dialogues import dialogues

MAPPINGS = Path("deploy/mappings")
SHARED = """
kind: message
channel: chat
session: "{room}"
actor: {id: "{who}", side: customer}
time: {format: order, start: 2026-01-01T00:00:00Z}
text: "{text}"
"""
TABLE = parse_mapping(SHARED + 'attributes: {label_mood: "{mood}", labels_traits: "{traits}"}')
ROWS = """room,who,text,mood,traits
a,li,Hello,good,"kind, short"
a,li,Still there?,,
a,wang,Yes,good,short
b,li,New room,bad,
"""


def table(tmp_path: Path, mapping: Mapping = TABLE) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def test_labels_are_read_one_or_several_and_an_empty_one_is_none(tmp_path: Path) -> None:
    found = read_labelled([table(tmp_path)], TABLE)
    assert [one.labels for one in found] == [
        {"mood": ("good",), "traits": ("kind", "short")},
        {},
        {"mood": ("good",), "traits": ("short",)},
        {"mood": ("bad",)},
    ]


def test_a_text_knows_what_came_before_it_in_its_session_and_who_spoke(tmp_path: Path) -> None:
    said = [one.said for one in read_labelled([table(tmp_path)], TABLE)]
    assert [one.before for one in said] == ["", "Hello", "Still there?", ""]
    nobody = (False, False)
    assert [one.same for one in said] == [nobody, (True, False), nobody, nobody]
    assert [one.position for one in said] == [0, 1, 2, 0]


def test_questions_are_those_of_the_mapping() -> None:
    assert [(one.name, one.several) for one in questions(TABLE)] == [
        ("mood", False),
        ("traits", True),
    ]
    assert [one.name for one in questions(TABLE, ["traits"])] == ["traits"]


def test_a_label_that_the_mapping_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(SourceError, match="no label 'act'; it has mood, traits"):
        questions(TABLE, ["act"])


def test_a_mapping_without_labels_says_how_to_add_them() -> None:
    with pytest.raises(SourceError, match="label_emotion"):
        questions(parse_mapping(SHARED))


def test_annotations_beside_a_chat_become_labels_of_its_texts(tmp_path: Path) -> None:
    path = tmp_path / "chats.json"
    chat = [{"id": "a", "text": "hi"}, {"id": "b", "text": "need wood"}, {"id": "a", "text": "ok"}]
    notes = [["hi", "small-talk"], ["need wood", "self-need,no-need"]]
    path.write_text(json.dumps([{"dialogue_id": 1, "chat_logs": chat, "annotations": notes}]))
    found = read_labelled([path], load_mapping(MAPPINGS / "casino.yaml"))
    assert [one.labels for one in found] == [
        {"strategy": ("small-talk",)},
        {"strategy": ("self-need", "no-need")},
        {},
    ]


def test_folds_hold_every_text_once_and_keep_dialogues_whole() -> None:
    given = dialogues(23)
    parts = folds(given, 4)
    assert sorted(number for part in parts for number in part) == list(range(len(given)))
    homes = [{given[number].dialogue for number in part} for part in parts]
    assert sum(len(home) for home in homes) == len(set.union(*homes))
    assert max(map(len, parts)) - min(map(len, parts)) <= 6
