"""What the log does when its process dies, its disk is full, or its file is damaged."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from dealgraph.graph.storage import (
    Database,
    StorageCorruptError,
    StorageFullError,
)
from dealgraph.stream.log import Appended, Topic
from dealgraph.stream.sqlite_log import SCHEMA, SqliteLog
from tests.support.interactions import message
from tests.support.logs import open_gate, open_log, record

_WRITER = """
import os, signal, sys
from pathlib import Path
from dealgraph.graph.storage import Database
from dealgraph.stream.log import NewRecord, Topic
from dealgraph.stream.sqlite_log import SCHEMA, SqliteLog

file, seconds, begin, size = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
database = Database(file, SCHEMA, version=1, durable=True)
log = SqliteLog(dict.fromkeys(Topic, database))
# Nobody handles this signal: the kernel ends the process between two instructions, as kill -9 does.
signal.setitimer(signal.ITIMER_REAL, seconds)
number = begin
while True:
    batch = [NewRecord(f"id-{n}", b"", n, b"x" * 300) for n in range(number, number + size)]
    with log.transaction(Topic.INTERACTIONS):
        log.append(Topic.INTERACTIONS, batch)
        log.append(Topic.REGISTRY, batch)
    number += size
    os.write(1, b"%d\\n" % number)
"""


def _crash_writer(file: Path, seconds: float, begin: int, size: int) -> int:
    """Append from number `begin` on until death; return the number below which all was acknowledged."""
    died = subprocess.run(
        [sys.executable, "-c", _WRITER, str(file), str(seconds), str(begin), str(size)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert died.returncode < 0, died.stderr.decode()
    acknowledged = died.stdout.split()
    return int(acknowledged[-1]) if acknowledged else begin


def _crash_and_check(directory: Path, seeds: range) -> None:
    file = directory / "log.db"
    acknowledged = 0
    for seed in seeds:
        moment = random.Random(seed)
        # Some records are sent again, as a client does that got no answer.
        begin = max(0, acknowledged - moment.randrange(20))
        told = _crash_writer(file, moment.uniform(0.0005, 0.06), begin, moment.randrange(1, 200))
        acknowledged = max(acknowledged, told)

        log = open_log(directory)
        records = log.read(Topic.INTERACTIONS, 0, 10**9)
        stored = [found.id for found in records]
        repeated = [found.id for found in log.read(Topic.REGISTRY, 0, 10**9)]
        log.close()

        assert stored == [f"id-{number}" for number in range(len(stored))]
        assert len(stored) >= acknowledged
        assert repeated == stored


def test_a_killed_writer_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path) -> None:
    _crash_and_check(tmp_path, range(20))


@pytest.mark.long
def test_a_writer_killed_very_often_loses_nothing_acknowledged(tmp_path: Path) -> None:
    _crash_and_check(tmp_path, range(100, 400))


def _small_database(file: Path, pages: int) -> Database:
    """Return a database that cannot grow beyond some pages, like one on a full disk."""
    database = Database(file, SCHEMA, version=1, durable=False)
    with database.transaction() as connection:
        connection.execute(f"pragma max_page_count={pages}")
    return database


def test_a_full_disk_stores_nothing_of_a_batch_and_keeps_the_rest(tmp_path: Path) -> None:
    database = _small_database(tmp_path / "log.db", 60)
    log = SqliteLog(dict.fromkeys(Topic, database))
    log.append(Topic.INTERACTIONS, [record("before")])

    with pytest.raises(StorageFullError, match="Free some space"):
        log.append(Topic.INTERACTIONS, [record(str(n), "x" * 10_000) for n in range(100)])

    assert [found.id for found in log.read(Topic.INTERACTIONS, 0, 9)] == ["before"]
    assert log.append(Topic.INTERACTIONS, [record("after")]) == [Appended.STORED]
    log.close()


def test_ingest_on_a_full_disk_acknowledges_nothing(tmp_path: Path) -> None:
    database = _small_database(tmp_path / "log.db", 60)
    log = SqliteLog(dict.fromkeys(Topic, database))
    gate = open_gate(log)

    with pytest.raises(StorageFullError):
        gate.publish([message("x" * 900_000)])

    assert log.end(Topic.INTERACTIONS) == 0
    log.close()


def test_a_file_that_is_no_log_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"This is a text, not a database.\n" * 1000)

    with pytest.raises(StorageCorruptError, match="backup"):
        open_log(tmp_path)


def test_damage_inside_a_log_is_an_error_and_not_wrong_data(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(Topic.INTERACTIONS, [record(f"{n:032x}", "x" * 500) for n in range(2000)])
    log.close()
    file = tmp_path / "log.db"
    content = bytearray(file.read_bytes())
    page = 8192
    for start in range(20 * page, len(content), page):
        content[start : start + 200] = b"\xff" * 200
    file.write_bytes(content)

    damaged = open_log(tmp_path)
    with pytest.raises(StorageCorruptError):
        damaged.read(Topic.INTERACTIONS, 0, 10_000)
    damaged.close()
