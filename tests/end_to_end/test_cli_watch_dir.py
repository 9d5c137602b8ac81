"""`dealgraph watch-dir` beside a real server: files in, reports out, also after kill -9."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dealgraph.api.v1 import graph_service_pb2
from dealgraph.graph.model import NodeKind
from dealgraph.server.client import Client
from tests.support.command_line import dealgraph, started
from tests.support.dealgraphs import opened
from tests.support.interactions import MINUTE, MONDAY
from tests.support.processes import ServerProcess, serving

_WAIT = 60.0


def chat(name: str, count: int) -> str:
    """A WeCom archive with that many messages."""
    return "".join(
        json.dumps(
            {
                "msgid": f"{name}-{n}",
                "action": "send",
                "from": "wmLi",
                "tolist": ["WangFang"],
                "msgtime": MONDAY + n * MINUTE,
                "msgtype": "text",
                "text": {"content": f"Message {n}"},
            }
        )
        + "\n"
        for n in range(count)
    )


def actions(client: Client) -> int:
    """Return the number of actions in the graph."""
    return sum(
        node.ref.kind == graph_service_pb2.NODE_KIND_ACTION
        for piece in client.graph.ExportSubgraph(graph_service_pb2.ExportSubgraphRequest())
        for node in piece.nodes
    )


def _once(folder: Path, server: ServerProcess, source: str = "wecom") -> int:
    """Take in what lies in a folder; return the exit status."""
    target = ("--target", server.listen)
    return dealgraph("watch-dir", folder, source, "--once", "--settle", "0", *target).returncode


def test_files_go_into_a_data_directory_without_a_server(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "good.jsonl").write_text(chat("good", 3))
    data = ("--data", tmp_path / "data")

    done = dealgraph("watch-dir", folder, "wecom", "--once", "--settle", "0", *data)

    assert done.returncode == 0, done.stderr
    assert (folder / "done" / "good.jsonl").exists()
    with opened(tmp_path / "data") as embedded:
        assert embedded.graph.counts().nodes[NodeKind.ACTION] == 3
    nowhere = dealgraph("watch-dir", folder, "wecom", "--once")
    assert "--data DIR or --target" in nowhere.stderr


def test_files_are_taken_in_and_put_away_with_reports(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "good.jsonl").write_text(chat("good", 3) + "no json\n")
    (folder / "later.jsonl.part").write_text(chat("later", 1))
    with serving(tmp_path / "data") as server, Client(server.listen) as client:
        assert _once(folder, server) == 0
        report = json.loads((folder / "done" / "good.jsonl.report.json").read_bytes())
        assert (report["accepted"], sum(report["left_out"].values())) == (3, 1)
        assert (folder / "later.jsonl.part").exists()
        _until(lambda: actions(client) == 3)

        (folder / "log.csv").write_text("a,b\n1,2\n")
        assert (
            _once(folder, server, "eventlog") == 1
        )  # an event log cannot be read without a mapping
        report = json.loads((folder / "failed" / "log.csv.report.json").read_bytes())
        assert "mapping" in report["error"]


@pytest.mark.long
def test_a_kill_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    for n in range(6):
        (folder / f"{n:02d}.jsonl").write_text(chat(f"f{n}", 200))
    with serving(tmp_path / "data") as server, Client(server.listen) as client:
        for wait in (0.0, 0.05):
            command = ("watch-dir", folder, "wecom", "--settle", "0", "--target", server.listen)
            with started(*command) as watcher:
                assert watcher.stdout is not None
                watcher.stdout.readline()  # one file was put away
                time.sleep(wait)
        assert _once(folder, server) == 0
        assert len(list((folder / "done").glob("*.jsonl"))) == 6
        _until(lambda: actions(client) == 6 * 200)


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.2)
