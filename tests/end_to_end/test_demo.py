"""The demo, left alone, ends well and tells its story."""

import signal
from pathlib import Path

import pytest

from tests.support.command_line import dealgraph, line_with, started


@pytest.fixture(scope="module")
def summary() -> str:
    done = dealgraph("demo", "--fast")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout[done.stdout.index("What happened") :]


@pytest.mark.parametrize(
    "words",
    [
        "Competitors come up often",
        "Price talk while the mood falls",
        "WITHDRAWN A delivery concern keeps coming back",
        "The customer makes delivery its own",
    ],
)
def test_the_summary_holds_every_kind_of_alert(summary: str, words: str) -> None:
    assert words in summary


@pytest.mark.parametrize(
    "words",
    [
        "Tomas Relander, Tue 17 Mar 2026 12:01 UTC: “This is our go-live plan.",
        "marek.dolan@yanxi.example has not agreed",
        "crm-changes.csv:21",
        "1 message that its author took back",
        "韩雪梅",
        "dealgraph serve --data",
    ],
)
def test_the_summary_tells_who_said_what_and_what_was_left_out(summary: str, words: str) -> None:
    assert words in summary


def test_ctrl_c_in_the_middle_ends_the_demo_cleanly() -> None:
    with started("demo") as process:
        line_with(process.stdout, "Northfold Logistics")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip() == "Stopped by Ctrl-C."


def test_keep_goes_on_serving_until_ctrl_c(tmp_path: Path) -> None:
    with started("demo", "--fast", "--keep", "--data", tmp_path / "demo") as process:
        target = line_with(process.stdout, "The server goes on at").split()[5].rstrip(".")
        shown = dealgraph("watch", "--target", target, "--from", "earliest", "--once", "1")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert "Competitors come up often" in shown.stdout
    assert process.returncode == 0


def test_the_demo_does_not_touch_a_directory_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    done = dealgraph("demo", "--fast", "--data", tmp_path)
    assert done.returncode == 1
    assert "is not empty" in done.stderr
