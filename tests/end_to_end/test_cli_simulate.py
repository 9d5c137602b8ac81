"""`dealgraph simulate`: a world on disk that comes in whole, and the same one over gRPC."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import dealgraph
from tests.support.processes import serving

SCENARIO = """
name: handful
reps: 2
days: 25
deals_per_rep: 1
opening_days: 5
pace: {meetings_per_week: 1, customer_minutes: 2}
signals: {TECH_QUESTION_SURGE: {share: 0.5, strength: [2, 3]}}
disorder: {opt_out_reps: 0.5, duplicates: 0.02, broken_rows: 0.01}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    (folder / "handful.yaml").write_text(SCENARIO)
    done = dealgraph(
        *("simulate", "--scenario", folder / "handful.yaml", "--seed", "4", "--out", folder / "out")
    )
    assert done.returncode == 0, done.stderr
    return folder / "out"


def test_the_world_is_written_with_its_truth(world: Path) -> None:
    manifest = json.loads((world / "manifest.json").read_text())
    assert manifest["rows"] == len((world / "stream.jsonl").read_bytes().splitlines())
    assert set(manifest["truths"]) == {"deal", "rep", "utterance"}
    for name, number in manifest["truths"].items():
        assert len((world / f"truth-{name}.jsonl").read_bytes().splitlines()) == number


def test_the_stream_comes_in_and_what_is_left_out_is_what_the_world_left_out(
    world: Path, tmp_path: Path
) -> None:
    done = dealgraph("import", "interactions", world / "stream.jsonl", "--data", tmp_path / "data")
    assert done.returncode == 3, done.stderr
    refused = [line for line in done.stdout.splitlines() if "refused: no consent of" in line]
    assert refused
    assert len({line.split("rep:")[1].split()[0] for line in refused}) == 1
    assert "dead letter: TRUNCATED" in done.stdout
    assert "duplicates" in done.stdout


def test_it_goes_into_a_running_server_as_into_a_directory(world: Path, tmp_path: Path) -> None:
    scenario = world.parent / "handful.yaml"
    with serving(tmp_path / "data") as server:
        done = dealgraph(
            *("simulate", "--scenario", scenario, "--seed", "4", "--target", server.listen)
        )
    assert done.returncode == 0, done.stderr
    imported = dealgraph(
        *("import", "interactions", world / "stream.jsonl", "--data", tmp_path / "other"),
        *("--settings", world / "settings.toml"),
    )
    told = [line for line in imported.stdout.splitlines() if "accepted" in line or "read  " in line]
    assert len(told) == 2
    for line in told:
        assert line.split() in [shown.split() for shown in done.stdout.splitlines()]


def test_an_unknown_scenario_is_told_with_those_that_exist() -> None:
    done = dealgraph("simulate", "--scenario", "smal", "--out", "nowhere")
    assert done.returncode == 1
    assert "small" in done.stderr


def test_it_must_be_said_where_to() -> None:
    done = dealgraph("simulate", "--scenario", "small")
    assert done.returncode == 2
    assert "--out DIR or --target" in done.stderr
