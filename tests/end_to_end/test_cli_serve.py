"""`dealgraph serve`: signals, addresses, settings."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from dealgraph.api.v1 import ingest_service_pb2, ingest_service_pb2_grpc
from tests.support.command_line import dealgraph, line_with, started

FREE = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")


def address_of(ready: str) -> str:
    return ready.split("gRPC on ")[1].split(",")[0]


def test_ctrl_c_drains_and_ends_with_0(tmp_path: Path) -> None:
    with started("serve", "--data", tmp_path, *FREE) as process:
        line_with(process.stdout, "dealgraph is ready")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Draining" in said


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    slow = {"DEALGRAPH_SERVER__DRAIN_SECONDS": "3600"}
    hold = threading.Event()

    def never_done() -> Iterator[ingest_service_pb2.PublishStreamRequest]:
        yield ingest_service_pb2.PublishStreamRequest()
        hold.wait()

    with started("serve", "--data", tmp_path, *FREE, variables=slow) as process:
        target = address_of(line_with(process.stdout, "dealgraph is ready"))
        with grpc.insecure_channel(target) as channel:
            stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
            call = stub.PublishStream.future(never_done())
            grpc.channel_ready_future(channel).result(timeout=10)
            process.send_signal(signal.SIGINT)
            line_with(process.stdout, "Draining")
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=60)
            hold.set()
            call.cancel()
    assert process.returncode == 130
    assert "Nothing that was acknowledged is lost" in said


def test_a_second_server_on_a_data_directory_is_refused(tmp_path: Path) -> None:
    with started("serve", "--data", tmp_path, *FREE) as process:
        line_with(process.stdout, "dealgraph is ready")
        done = dealgraph("serve", "--data", tmp_path, *FREE)
    assert done.returncode == 1
    assert f"process {process.pid}" in done.stderr


def test_a_second_server_on_a_port_says_what_to_do(tmp_path: Path) -> None:
    with started("serve", "--data", tmp_path / "a", *FREE) as process:
        target = address_of(line_with(process.stdout, "dealgraph is ready"))
        done = dealgraph(
            "serve", "--data", tmp_path / "b", "--listen", target, "--metrics", "127.0.0.1:0"
        )
    assert done.returncode == 1
    assert target in done.stderr
    assert "Choose another port" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve"], "--data"),
        (["serve", "--data", "x", "--liste", "y"], "--listen"),
        (["serve", "--data", "x", "--listen", "nowhere"], "no HOST:PORT"),
        (["sreve"], "serve"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_what_is_right(arguments: list[str], words: str) -> None:
    done = dealgraph(*arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_an_unknown_setting_is_refused_by_name(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("[server]\nlissten = '127.0.0.1:1'\n")
    done = dealgraph("serve", "--data", tmp_path / "data", "--settings", settings)
    assert done.returncode == 1
    assert "server.listen" in done.stderr


def test_debug_shows_the_trace_that_is_hidden_otherwise(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("no toml")
    arguments = ("serve", "--data", tmp_path / "data", "--settings", settings)
    assert "Traceback" not in dealgraph(*arguments).stderr
    assert "Traceback" in dealgraph(*arguments, "--debug").stderr
