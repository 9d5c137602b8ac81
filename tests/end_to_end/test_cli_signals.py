"""`dealgraph signals evaluate` as people call it."""

import json
from pathlib import Path

from tests.support.command_line import dealgraph

TINY = """
name: tiny
start: 2026-03-02
days: 60
reps: 4
deals_per_rep: 1.0
signals: {RECIPROCITY_DRIFT.GHOST: {share: 0.5}}
"""


def test_prints_and_writes_figures_for_every_signal(tmp_path: Path) -> None:
    scenario, report = tmp_path / "tiny.yaml", tmp_path / "report.json"
    scenario.write_text(TINY, encoding="utf-8")
    done = dealgraph("signals", "evaluate", "--scenario", str(scenario), "--json", str(report))
    assert done.returncode == 0, done.stderr
    assert "Weeks per false" in done.stdout
    written = json.loads(report.read_text(encoding="utf-8"))
    assert written["seeds"] == [101]
    assert {line["level"] for line in written["signals"]} == {"RECORDED", "PUSHED"}


def test_an_unknown_scenario_is_named_with_those_there_are() -> None:
    done = dealgraph("signals", "evaluate", "--scenario", "nowhere")
    assert done.returncode != 0
    assert "tuning" in done.stderr


def test_thresholds_are_found_tried_put_in_force_and_audited(tmp_path: Path) -> None:
    scenario, found = tmp_path / "tiny.yaml", tmp_path / "signals.yaml"
    scenario.write_text(TINY.replace("0.5", "0.1"), encoding="utf-8")
    calibrated = dealgraph("signals", "calibrate", "--scenario", scenario, "--out", found)
    assert calibrated.returncode == 0, calibrated.stderr
    assert "clean deals of scenario tiny" in found.read_text(encoding="utf-8")
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[signals]\nthresholds = "{found}"\n', encoding="utf-8")
    world, data = tmp_path / "world", tmp_path / "data"
    dealgraph("simulate", "--scenario", scenario, "--out", world)
    with_settings: list[str | Path] = ["--settings", settings]
    for chosen in ([], with_settings):
        imported = dealgraph(
            "import", "interactions", world / "stream.jsonl", "--data", data, *chosen
        )
        assert imported.returncode in (0, 3), imported.stderr
    tried = dealgraph("signals", "try", found, "--data", data)
    assert tried.returncode == 0 and "Raised in history of" in tried.stdout, tried.stderr
    audited = dealgraph("signals", "audit", "--data", data, "--settings", settings)
    assert "shipped values" in audited.stdout and str(found) in audited.stdout, audited.stderr
