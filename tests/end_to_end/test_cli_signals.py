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
