"""`dealgraph watch`: what it shows, and how it goes on after a break."""

from pathlib import Path

import pytest

from tests.support.command_line import (
    COMPETITORS_CALL,
    PRICE_CALL,
    dealgraph,
    free_port,
    line_with,
    started,
)
from tests.support.processes import serving


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with the three alerts of two calls."""
    directory = tmp_path / "data"
    competitors = {"DEALGRAPH_TAGGING__COMPETITORS": '["Palletron", "Veydra"]'}
    for call in (COMPETITORS_CALL, PRICE_CALL):
        done = dealgraph("import", *call, "--data", directory, variables=competitors)
        assert done.returncode == 0, done.stderr
    return directory


def test_watch_shows_who_why_what_to_do_and_the_words_behind_it(data: Path) -> None:
    with serving(data) as server:
        done = dealgraph("watch", "--target", server.listen, "--from", "earliest", "--once", "1")
    assert done.returncode == 0, done.stderr
    for words in (
        "Competitors come up often",
        "Northfold Logistics · opp-northfold",
        "clara.whitcombe@yanxi.example",
        "per 10 minutes",
        "do ",
        "Ingrid Vassell, Mon 02 Mar 2026",
    ):
        assert words in done.stdout


def test_watch_shows_only_what_the_filters_let_through(data: Path) -> None:
    with serving(data) as server:
        done = dealgraph(
            *("watch", "--target", server.listen, "--from", "earliest", "--once", "2"),
            *("--opportunity", "opp-suihe", "--kind", "price_sensitivity"),
        )
    assert done.returncode == 0, done.stderr
    assert "opp-suihe" in done.stdout
    assert "opp-northfold" not in done.stdout


def test_watch_goes_on_where_the_last_run_ended(data: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    shown: list[str] = []
    for _ in range(3):
        with serving(data) as server:
            done = dealgraph(
                *("watch", "--target", server.listen, "--from", "earliest", "--once", "1"),
                *("--resume", place),
            )
        assert done.returncode == 0, done.stderr
        shown.append(done.stdout.splitlines()[0])
    assert "Competitors" in shown[0]
    assert "Price" in shown[1]
    assert "stronger" not in shown[1]
    assert "stronger" in shown[2]


def test_watch_connects_again_when_the_server_comes_back(data: Path) -> None:
    port = free_port()
    listen = f"127.0.0.1:{port}"
    with started("watch", "--target", listen, "--from", "earliest", "--once", "4") as process:
        line_with(process.stderr, "next attempt")
        with serving(data, "--listen", listen):
            for words in ("Competitors", "Price", "stronger"):
                line_with(process.stdout, words)
        line_with(process.stderr, "next attempt")
        dealgraph("rebuild", "--data", data)
        with serving(data, "--listen", listen):
            folder = COMPETITORS_CALL[1]
            again = dealgraph(
                *("import", "webvtt", folder, *COMPETITORS_CALL[2:4]),
                *("--session", "another", "--started-at", "2026-03-05T09:30:00Z"),
                *("--target", listen),
            )
            assert again.returncode == 0, again.stdout + again.stderr
            rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Competitors" in rest
    assert "Price" not in rest


def test_a_place_that_no_server_gave_is_refused_with_what_to_do(data: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.write_text("forged\n")
    with serving(data) as server:
        done = dealgraph("watch", "--target", server.listen, "--resume", place)
    assert done.returncode == 1
    assert "Remove the file" in done.stderr
