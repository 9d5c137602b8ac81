"""A folder of dropped files: complete before they are read, put away once, nothing lost by a kill."""

import json
from pathlib import Path

import pytest

from dealgraph.server.cli.drop_folder import DropFolder, Report


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def names(folder: DropFolder) -> list[str]:
    return [file.name for file in folder.complete()]


def test_a_file_is_complete_once_it_stays_the_same_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    folder = DropFolder(tmp_path, 2000, clock)
    (tmp_path / "a.vtt").write_text("WEBVTT")
    assert names(folder) == []

    clock.now = 1999
    assert names(folder) == []
    (tmp_path / "a.vtt").write_text("WEBVTT and more")
    clock.now = 2000
    assert names(folder) == []
    clock.now = 3999
    assert names(folder) == []
    clock.now = 4000
    assert names(folder) == ["a.vtt"]


@pytest.mark.parametrize("name", [".hidden", "a.vtt.part", "a.TMP", "a.crdownload", "a.vtt~"])
def test_a_name_of_a_file_still_being_written_is_left_alone(tmp_path: Path, name: str) -> None:
    folder = DropFolder(tmp_path, 0, Clock())
    (tmp_path / name).write_text("x")
    (tmp_path / "b").write_text("x")

    assert names(folder) == ["b"]


def test_folders_and_links_are_left_alone(tmp_path: Path) -> None:
    folder = DropFolder(tmp_path, 0, Clock())
    (tmp_path / "inner").mkdir()
    (tmp_path / "link").symlink_to("/etc/hostname")

    assert names(folder) == []


@pytest.mark.parametrize(("error", "where"), [("", "done"), ("no such thing", "failed")])
def test_a_file_is_put_away_with_its_report(tmp_path: Path, error: str, where: str) -> None:
    folder = DropFolder(tmp_path, 0, Clock())
    for count in (1, 2):
        file = tmp_path / "a.vtt"
        file.write_text(f"the {count}. of this name")
        target = folder.put_away(file, Report("a.vtt", 5, 4, 0, {"TRUNCATED": 1}, error))
        assert not file.exists()
        assert target.read_text() == f"the {count}. of this name"
        report = json.loads(target.with_name(target.name + ".report.json").read_bytes())
        assert (report["accepted"], report["left_out"]) == (4, {"TRUNCATED": 1})

    assert sorted(file.name for file in (tmp_path / where).iterdir()) == [
        "a.2.vtt",
        "a.2.vtt.report.json",
        "a.vtt",
        "a.vtt.report.json",
    ]
    assert names(folder) == []


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    folder = DropFolder(tmp_path, 0, Clock())
    file = tmp_path / "a"
    file.write_text("x")
    assert names(folder) == ["a"]
    assert folder.is_unchanged(file)

    file.write_text("xy")
    assert not folder.is_unchanged(file)
    file.unlink()
    assert not folder.is_unchanged(file)
