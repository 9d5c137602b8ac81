"""Checks of the places that dealgraph uses: ports, data directory, server."""

import fcntl
import shutil
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dealgraph.graph.storage import typed
from dealgraph.server.cli.checks import Check, Verdict
from dealgraph.server.cli.failures import in_words
from dealgraph.server.settings import Settings, SettingsError, load

_NEEDED_BYTES: Final = 200 * 1024 * 1024
_ANSWER_SECONDS: Final = 5.0


def place_checks(data: Path | None, target: str | None, settings: Path | None) -> Iterator[Check]:
    """Yield the checks of settings, ports or server, and data directory."""
    try:
        tree = load(settings)
    except SettingsError as error:
        yield Check(Verdict.FAILED, "Settings", "wrong", str(error))
        return
    yield Check(Verdict.OK, "Settings", str(settings) if settings else "the defaults")
    if target is not None:
        yield server_answers(target)
    else:
        yield from ports(tree)
    if data is not None:
        yield from directory(data)


def ports(tree: Settings) -> Iterator[Check]:
    """Check that the ports of the settings are free."""
    for name, address in (
        ("server.listen", tree.server.listen),
        ("server.metrics", tree.server.metrics),
    ):
        host, _, port = address.rpartition(":")
        try:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, int(port)))
        except OSError as error:
            advice = (
                f"Choose another with --listen and --metrics, or set {name}; if it is a dealgraph, "
            )
            advice += f"ask it: dealgraph doctor --target {address}"
            yield Check(Verdict.WARNING, f"Port {address}", error.strerror or "taken", advice)
        else:
            yield Check(Verdict.OK, f"Port {address}", f"free ({name})")


def server_answers(target: str) -> Check:
    """Check that a server answers its health check."""
    with grpc.insecure_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=_ANSWER_SECONDS)
        except grpc.RpcError as error:
            return Check(Verdict.FAILED, f"Server {target}", "no answer", in_words(error))
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return Check(Verdict.OK, f"Server {target}", status)
    advice = "It starts or stops. Ask again soon; if it stays so, read its log."
    return Check(Verdict.FAILED, f"Server {target}", status, advice)


def directory(data: Path) -> Iterator[Check]:
    """Check that a data directory can be written, is free, has room and is whole."""
    existing = data
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    yield _writable(data, existing)
    yield _room(existing)
    if existing != data:
        return
    yield _lock(data)
    for name in ("log.db", "graph.db"):
        if (data / name).exists():
            yield _whole(data / name)


def _writable(data: Path, existing: Path) -> Check:
    name = f"Data {data}"
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        advice = f"Make {existing} a directory that you may write to, or choose another."
        return Check(Verdict.FAILED, name, error.strerror or "cannot be written", advice)
    return Check(Verdict.OK, name, "can be written" if existing == data else "can be made")


def _room(existing: Path) -> Check:
    free = shutil.disk_usage(existing).free
    found = f"{free / 1e9:.1f} GB free"
    if free >= _NEEDED_BYTES:
        return Check(Verdict.OK, "Disk", found)
    return Check(Verdict.FAILED, "Disk", found, "Free at least 200 MB, or use another disk.")


def _lock(data: Path) -> Check:
    file = data / "lock"
    try:
        with file.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return Check(Verdict.OK, "Lock", "nobody works on it")
    except OSError:
        holder = file.read_text().strip() or "unknown"
        advice = "Talk to it with --target, or stop it before another command uses the directory."
        return Check(Verdict.WARNING, "Lock", f"process {holder} works on it", advice)
    return Check(Verdict.OK, "Lock", "nobody works on it")


def _whole(file: Path) -> Check:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute("pragma quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        return Check(Verdict.FAILED, file.name, "damaged", str(typed(error, file)))
    if found == "ok":
        return Check(Verdict.OK, file.name, "whole")
    advice = (
        "A damaged graph is made anew by `dealgraph rebuild --data DIR`; "
        "a damaged log must come from a backup."
    )
    return Check(Verdict.FAILED, file.name, str(found).splitlines()[0], advice)
