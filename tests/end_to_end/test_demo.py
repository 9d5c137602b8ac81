"""The demo, left alone, ends well and tells its story."""

import signal
from pathlib import Path

import pytest

from tests.support.command_line import dealgraph, line_with, started


@pytest.fixture(scope="module")
def told() -> str:
    done = dealgraph("demo", "--fast", timeout=300.0)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def summary(told: str) -> str:
    return told[told.index("What happened") :]


def test_the_first_weeks_show_growth_an_alert_and_who_does_not_take_part() -> None:
    done = dealgraph("demo", "--fast", "--days", "25")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    before, _, after = done.stdout.partition("What happened")
    assert "Competitors come up often" in before
    assert "     said " in before
    assert "does not take part: nothing of theirs is stored" in before
    assert "cannot be read; it is kept as a dead letter" in before
    assert "decision signal" in after
    assert "One of them explained" in after
    assert "threshold" in after
    assert "who did not agree" in after
    assert "dealgraph serve --data" in after


@pytest.mark.long
def test_the_graph_grows_and_alerts_arrive_while_it_does(told: str) -> None:
    before = told[: told.index("What happened")]
    weeks = [line for line in before.splitlines() if "actions" in line and "deals" in line]
    grown = [int(line.split(" deals")[0].split()[-1].replace(",", "")) for line in weeks]
    assert len(weeks) >= 10
    assert grown == sorted(grown)
    assert grown[-1] > 200
    assert before.count("     said ") >= 5


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        "Competitors come up often",
        "Price talk while the mood falls",
        "A delivery concern keeps coming back",
        "The customer makes delivery its own",
        "WITHDRAWN A delivery concern keeps coming back",
        "One of them taken back",
        "came late, from mail",
    ],
)
def test_the_summary_holds_every_kind_of_alert(summary: str, words: str) -> None:
    assert words in summary


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        "reps who did not agree",
        "nothing of them is stored",
        "came twice and changed nothing",
        "the record is cut off. It is kept as a dead letter",
        "that the author took back",
        "dealgraph serve --data",
        "dealgraph simulate --scenario small",
    ],
)
def test_the_summary_tells_what_was_left_out_and_what_to_try_next(summary: str, words: str) -> None:
    assert words in summary


def test_ctrl_c_in_the_middle_ends_the_demo_cleanly() -> None:
    with started("demo") as process:
        line_with(process.stdout, "does not take part")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip() == "Stopped by Ctrl-C."


def test_keep_goes_on_serving_until_ctrl_c(tmp_path: Path) -> None:
    with started(
        "demo", "--fast", "--days", "20", "--keep", "--data", tmp_path / "demo"
    ) as process:
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
