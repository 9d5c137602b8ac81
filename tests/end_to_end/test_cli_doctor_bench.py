"""`dealgraph doctor` and `dealgraph bench`."""

import json
from pathlib import Path

from tests.support.command_line import COMPETITORS_CALL, dealgraph
from tests.support.processes import serving

FREE_PORTS = '[server]\nlisten = "127.0.0.1:0"\nmetrics = "127.0.0.1:0"\n'


def doctor(tmp_path: Path, *arguments: str | Path) -> tuple[int, str]:
    settings = tmp_path / "settings.toml"
    settings.write_text(FREE_PORTS)
    done = dealgraph("doctor", "--settings", settings, *arguments)
    return done.returncode, done.stdout + done.stderr


def test_doctor_is_content_with_a_sound_installation(tmp_path: Path) -> None:
    status, said = doctor(tmp_path, "--data", tmp_path / "new")
    assert status == 0, said
    assert "All is well." in said
    assert "0.21.1 (needed: ==0.21.1)" in said
    assert "\x1b" not in said
    assert "can be made" in said


def test_doctor_finds_a_damaged_graph_and_says_how_to_make_it_anew(tmp_path: Path) -> None:
    data = tmp_path / "data"
    dealgraph("import", *COMPETITORS_CALL, "--data", data)
    (data / "graph.db").write_bytes(b"no database" * 1000)
    status, said = doctor(tmp_path, "--data", data)
    assert status == 1
    assert "dealgraph rebuild" in said
    assert "1 of" in said


def test_doctor_names_the_process_that_works_on_a_directory(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        status, said = doctor(tmp_path, "--data", tmp_path / "data")
    assert status == 0, said
    assert f"process {server.pid} works on it" in said


def test_doctor_asks_a_server_for_its_health(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        status, said = doctor(tmp_path, "--target", server.listen)
    assert status == 0, said
    assert "SERVING" in said
    status, said = doctor(tmp_path, "--target", server.listen)
    assert status == 1
    assert "No server answers" in said


def test_doctor_tells_of_a_wrong_setting(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("[alerts]\nkeeep = 1\n")
    done = dealgraph("doctor", "--settings", settings)
    assert done.returncode == 1
    assert "alerts.keep" in done.stdout


GOOD = """
NAME = "good"
SUMMARY = "adds numbers"


def run(quick: bool) -> dict[str, object]:
    return {"rate": {"value": 12.5, "unit": "1/s"}, "quick": quick}
"""


def checkout(tmp_path: Path, **benchmarks: str) -> Path:
    folder = tmp_path / "tests" / "benchmarks"
    folder.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("")
    for name, code in benchmarks.items():
        (folder / f"bench_{name}.py").write_text(code)
    return tmp_path


def test_bench_prints_the_figures_and_writes_them_as_json(tmp_path: Path) -> None:
    root = checkout(tmp_path, good=GOOD)
    done = dealgraph("bench", "--json", tmp_path / "out.json", "--quick", cwd=root)
    assert done.returncode == 0, done.stderr
    assert "rate.value" in done.stdout
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures == {"good": {"rate": {"value": 12.5, "unit": "1/s"}, "quick": True}}


def test_bench_lists_what_there_is(tmp_path: Path) -> None:
    done = dealgraph("bench", "--list", cwd=checkout(tmp_path, good=GOOD))
    assert done.stdout.split() == ["good", "adds", "numbers"]


def test_a_benchmark_that_fails_does_not_hold_up_the_others(tmp_path: Path) -> None:
    root = checkout(tmp_path, bad="raise OSError('no disk')", good=GOOD)
    done = dealgraph("bench", cwd=root)
    assert done.returncode == 1
    assert "bench_bad.py failed: OSError: no disk" in done.stderr
    assert '"good"' in done.stdout


def test_an_unknown_benchmark_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    done = dealgraph("bench", "speed", cwd=checkout(tmp_path, good=GOOD))
    assert done.returncode == 1
    assert "Known: good" in done.stderr
