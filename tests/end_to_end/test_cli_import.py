"""`dealgraph import`, `rebuild` and what the server then answers."""

import signal
import socket
from pathlib import Path

import pytest

from dealgraph.api.v1 import graph_service_pb2
from dealgraph.graph.hash import graph_hash
from dealgraph.server.client import Client
from dealgraph.server.compose import open_embedded
from dealgraph.server.settings import Settings
from dealgraph.stream.meter import SilentMeter
from tests.support.command_line import (
    COMPETITORS_CALL,
    PRICE_CALL,
    REFUSED_CALL,
    TIMEOUT,
    dealgraph,
    line_with,
    started,
)
from tests.support.dealgraphs import NOW
from tests.support.processes import serving


def squeezed(text: str) -> str:
    """The text with every run of blanks as one: tables are padded."""
    return " ".join(text.split())


def graph_hash_of(data: Path) -> str:
    embedded = open_embedded(data, Settings(), lambda: NOW, SilentMeter())
    try:
        return graph_hash(embedded.graph)
    finally:
        embedded.close()


def test_imported_files_are_answered_by_the_graph_service(tmp_path: Path) -> None:
    done = dealgraph("import", *COMPETITORS_CALL, "--data", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    with serving(tmp_path / "data") as server, Client(server.listen) as client:
        request = graph_service_pb2.ListBuyingCommitteeRequest(opportunity_id="opp-northfold")
        members = client.graph.ListBuyingCommittee(request, timeout=10).members
    assert {member.contact.id for member in members} == {
        "mail:ingrid.vassell@northfold.example",
        "mail:tomas.relander@northfold.example",
    }


def test_importing_again_counts_duplicates_and_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    dealgraph("import", *COMPETITORS_CALL, "--data", data)
    before = graph_hash_of(data)
    done = dealgraph("import", *COMPETITORS_CALL, "--data", data)
    assert done.returncode == 0
    assert "duplicates (were in before) 58" in squeezed(done.stdout)
    assert graph_hash_of(data) == before


def test_import_over_grpc_makes_the_same_graph_as_into_a_directory(tmp_path: Path) -> None:
    dealgraph("import", *PRICE_CALL, "--data", tmp_path / "direct")
    with serving(tmp_path / "served") as server:
        done = dealgraph("import", *PRICE_CALL, "--target", server.listen)
        assert done.returncode == 0, done.stderr
    assert dealgraph("rebuild", "--data", tmp_path / "served").stdout.strip() == graph_hash_of(
        tmp_path / "direct"
    )


def test_rebuild_prints_the_hash_of_the_graph_as_often_as_it_is_called(tmp_path: Path) -> None:
    data = tmp_path / "data"
    dealgraph("import", *COMPETITORS_CALL, "--data", data)
    before = graph_hash_of(data)
    hashes = [dealgraph("rebuild", "--data", data).stdout.strip() for _ in range(2)]
    assert hashes == [before, before]


def test_rebuild_of_a_directory_without_log_says_which_to_name(tmp_path: Path) -> None:
    done = dealgraph("rebuild", "--data", tmp_path)
    assert done.returncode == 1
    assert "holds no log" in done.stderr


def test_a_refused_call_ends_with_3_and_says_how_to_grant_consent(tmp_path: Path) -> None:
    done = dealgraph("import", *REFUSED_CALL, "--data", tmp_path / "data")
    assert done.returncode == 3
    refused = "refused: no consent of mail:marek.dolan@yanxi.example (voice) 45"
    assert refused in squeezed(done.stdout)
    assert "consent: {voice: [capture, analyse, emotion]}" in done.stdout


def test_dead_letters_are_counted_by_reason_and_end_with_3(tmp_path: Path) -> None:
    archive = tmp_path / "archive.jsonl"
    archive.write_text('{"msgid": "1", "action": "send", "from"\n')
    done = dealgraph("import", "wecom", archive, "--data", tmp_path / "data")
    assert done.returncode == 3
    assert "dead letter: TRUNCATED, the record is cut off 1" in squeezed(done.stdout)


@pytest.mark.parametrize("name", ["missing.vtt", "folder"])
def test_a_file_that_cannot_be_opened_ends_with_1_and_a_line_that_names_it(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder").mkdir()
    done = dealgraph("import", "webvtt", tmp_path / name, "--data", tmp_path / "data")
    assert done.returncode == 1
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_opened_does_not_hold_up_the_others(tmp_path: Path) -> None:
    source, good, *options = COMPETITORS_CALL
    done = dealgraph(
        "import", source, tmp_path / "missing.vtt", good, *options, "--data", tmp_path / "data"
    )
    assert done.returncode == 1
    assert "accepted 58" in squeezed(done.stdout)


def test_an_unknown_source_lists_those_that_exist(tmp_path: Path) -> None:
    done = dealgraph("import", "fax", tmp_path / "x", "--data", tmp_path / "data")
    assert done.returncode == 1
    assert "webvtt, wecom" in done.stderr


def test_a_broken_roster_names_the_line(tmp_path: Path) -> None:
    roster = tmp_path / "roster.yaml"
    roster.write_text("people:\n  - id: nobody\n    side: rep\n")
    done = dealgraph(
        "import", "webvtt", tmp_path / "x.vtt", "--roster", roster, "--data", tmp_path / "data"
    )
    assert done.returncode == 1
    assert "line 2" in done.stderr


def test_import_needs_one_place_to_go(tmp_path: Path) -> None:
    call = [*COMPETITORS_CALL]
    assert dealgraph("import", *call).returncode == 2
    both = dealgraph("import", *call, "--data", tmp_path, "--target", "127.0.0.1:1")
    assert both.returncode == 2
    assert "not both" in both.stderr


def test_a_second_process_on_a_data_directory_is_refused_with_the_holder(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        done = dealgraph("import", *COMPETITORS_CALL, "--data", tmp_path / "data")
    assert done.returncode == 1
    assert f"process {server.pid}" in done.stderr
    assert "--target" in done.stderr


def test_ctrl_c_during_an_import_says_how_to_go_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        with started("import", *COMPETITORS_CALL, "--target", f"127.0.0.1:{port}") as process:
            deaf.settimeout(TIMEOUT)
            connection, _ = deaf.accept()  # the import is under way, and nobody answers it
            process.send_signal(signal.SIGINT)
            reported, said = process.communicate(timeout=TIMEOUT)
            connection.close()
    assert process.returncode == 130
    assert "read 0" in squeezed(reported)
    assert said.split("\n") == [
        "Import the same files again to bring in the rest.",
        "",
        "Stopped by Ctrl-C.",
        "",
    ]


def test_import_lists_its_sources() -> None:
    done = dealgraph("import", "--sources")
    assert done.returncode == 0
    assert line_with(iter(done.stdout.splitlines()), "webvtt")
