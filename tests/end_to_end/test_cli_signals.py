"""`dealgraph signals evaluate` as people call it."""

import json
from pathlib import Path

from PIL import Image

from dealgraph.api.v1 import alert_pb2
from dealgraph.api.v1 import signal_service_pb2 as pb
from dealgraph.stream.baselines.record import all_baselines
from tests.support.command_line import dealgraph
from tests.support.dealgraphs import opened, process
from tests.support.server import serving
from tests.support.stories import delivery_story, long_story

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
    assert "How soon the signals speak" in done.stdout
    written = json.loads(report.read_text(encoding="utf-8"))
    assert written["seeds"] == [101]
    assert {line["level"] for line in written["signals"]} == {"RECORDED", "PUSHED"}
    assert all({"delay", "delay_unit", "delay_days"} <= set(line) for line in written["signals"])


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


def test_baselines_shows_what_was_learnt_from_how_many_deals(tmp_path: Path) -> None:
    with opened(tmp_path) as embedded:
        process(embedded, long_story(weeks=4, deals=3, seed=2))
        newest = list(all_baselines(embedded.log))[-1]
    shown = dealgraph("signals", "baselines", "--data", tmp_path)
    assert shown.returncode == 0, shown.stderr
    rate = newest.values["tech_question_surge"]["prior_rate_per_minute"]
    for words in ("tech_question_surge", "prior_rate_per_minute", "usual.large.all", f"{rate:g}"):
        assert words in shown.stdout
    off = tmp_path / "off.toml"
    off.write_text("[signals]\nlearning = false\n", encoding="utf-8")
    shown = dealgraph("signals", "baselines", "--data", tmp_path, "--settings", off)
    assert "Learning is off" in shown.stdout


def test_explain_says_why_and_draws_the_statistic_from_a_directory_and_from_a_server(
    tmp_path: Path,
) -> None:
    with serving(tmp_path / "data") as server:
        server.publish(delivery_story(1, 7))
        wanted = pb.SignalFilter(kinds=[alert_pb2.SIGNAL_KIND_DELIVERY_CONCERN_RECURRENCE])
        (signal,) = server.client.signal.ListSignals(pb.ListSignalsRequest(filter=wanted)).signals
        live = dealgraph("signals", "explain", signal.id, "--target", server.addresses.listen)
        assert live.returncode == 0, live.stderr
    picture = tmp_path / "signal.png"
    stored = dealgraph(
        "signals", "explain", signal.id, "--data", tmp_path / "data", "--png", picture
    )
    assert stored.returncode == 0, stored.stderr
    for words in (
        "A delivery concern keeps coming back",
        signal.explanation,
        "a risk",
        "threshold",
    ):
        assert words in live.stdout
    assert "When will the delivery arrive?" in live.stdout or "rollout" in live.stdout
    assert live.stdout.splitlines()[:10] == stored.stdout.splitlines()[:10]
    with Image.open(picture) as image:
        assert (image.format, image.size) == ("PNG", (1200, 500))


def test_explain_says_where_the_id_of_a_signal_comes_from(tmp_path: Path) -> None:
    unknown = dealgraph("signals", "explain", "nothing", "--data", tmp_path)
    assert unknown.returncode == 1
    assert "Take the id from an alert" in unknown.stderr
