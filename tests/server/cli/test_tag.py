"""`dealgraph tag` as a person runs it."""

import csv
import json
from pathlib import Path

from tests.support.command_line import dealgraph
from tests.support.dialogues import dialogues

MAPPING = """
kind: message
channel: chat
session: "{room}"
actor: {id: "{who}", side: customer}
time: {format: order, start: 2026-01-01T00:00:00Z}
text: "{text}"
attributes: {label_feeling: "{feeling}", labels_traits: "{traits}"}
"""


def written(tmp_path: Path, name: str, count: int, seed: int) -> Path:
    path = tmp_path / name
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["room", "who", "text", "feeling", "traits"])
        for one in dialogues(count, seed):
            labels = one.labels
            rows.writerow(
                [
                    one.dialogue,
                    "li",
                    one.said.text,
                    labels["feeling"][0],
                    ",".join(labels["traits"]),
                ]
            )
    return path


def test_trains_a_model_judges_it_and_explains_with_it(tmp_path: Path) -> None:
    mapping, model = tmp_path / "mapping.yaml", tmp_path / "model.safetensors"
    mapping.write_text(MAPPING, encoding="utf-8")
    known, new = written(tmp_path, "known.csv", 40, 1), written(tmp_path, "new.csv", 20, 2)

    done = dealgraph(
        "tag", "train", known, "--mapping", mapping, "--out", model, "--alone", "--bits", "12"
    )
    assert done.returncode == 0, done.stderr
    assert "feeling, traits" in done.stdout
    assert "known.csv" in model.with_suffix(".md").read_text(encoding="utf-8")

    figures = tmp_path / "figures.json"
    done = dealgraph(
        "tag", "evaluate", new, "--mapping", mapping, "--model", model, "--json", figures
    )
    assert done.returncode == 0, done.stderr
    assert "Majority" in done.stdout
    verdicts = json.loads(figures.read_text(encoding="utf-8"))
    assert {one["label"] for one in verdicts} == {"feeling", "traits"}
    assert all(one["model"] > one["majority"] for one in verdicts)

    done = dealgraph("tag", "explain", "a rotten price", "--model", model)
    assert done.returncode == 0, done.stderr
    assert "PRICE" in done.stdout
    assert "'rotten'" in done.stdout


def test_judges_by_cross_validation_without_a_model(tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(MAPPING, encoding="utf-8")
    known = written(tmp_path, "known.csv", 20, 1)
    line = ("--mapping", mapping, "--label", "feeling", "--folds", "2", "--bits", "10", "--alone")
    done = dealgraph("tag", "evaluate", known, *line)
    assert done.returncode == 0, done.stderr
    assert "macro_f1" in done.stdout


def test_explains_with_the_shipped_tagger() -> None:
    done = dealgraph("tag", "explain", "--side", "rep", "绝对没问题，我打包票")
    assert done.returncode == 0, done.stderr
    assert "OVER_PROMISE" in done.stdout
    assert "not inferred" in done.stdout


def test_a_file_that_is_no_model_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"nothing")
    done = dealgraph("tag", "explain", "hello", "--model", path)
    assert done.returncode == 1
    assert "is no model of dealgraph" in done.stderr
    assert "Traceback" not in done.stderr
