"""`dealgraph map`: a proposal, what it would make, and a file that `import` takes."""

from pathlib import Path

from tests.support.command_line import dealgraph

LOG = "id,case,who,at,text\n1,d1,li,2026-03-02T09:30:00Z,The price is too high\n"


def test_a_proposal_is_shown_written_and_can_be_imported(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(LOG)
    done = dealgraph("map", log)
    assert done.returncode == 0, done.stderr
    assert "The price is too high" in done.stdout
    mapping = tmp_path / "log.mapping.yaml"
    done = dealgraph("import", "eventlog", log, "--mapping", mapping, "--data", tmp_path / "data")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_mapping_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(LOG)
    (tmp_path / "log.mapping.yaml").write_text("mine")
    done = dealgraph("map", log)
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert (tmp_path / "log.mapping.yaml").read_text() == "mine"
    assert dealgraph("map", log, "--force", "--show", "0").returncode == 0


def test_a_file_of_unknown_form_is_told(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(LOG)
    done = dealgraph("map", tmp_path / "log.txt")
    assert done.returncode == 1
    assert "what is its format" in done.stderr
