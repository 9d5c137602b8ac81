"""One file, many threads, and what goes wrong with files."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dealgraph.graph.embedded import EmbeddedGraph
from dealgraph.graph.storage import (
    Database,
    StorageClosedError,
    StorageCorruptError,
    StorageError,
    StorageFullError,
    StorageLockedError,
)
from dealgraph.graph.store import GraphBatch, TimelineQuery
from tests.support.graph_facts import DEAL, make_action, make_node

_NOTES = "create table if not exists note (text text not null);"


class _GivenUpError(Exception):
    """Ends a transaction without keeping it."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An open file with one table."""
    opened = Database(tmp_path / "notes.db", _NOTES, version=1, durable=False)
    yield opened
    opened.close()


def _notes(database: Database) -> list[str]:
    with database.reading() as connection:
        return [text for (text,) in connection.execute("select text from note order by rowid")]


def _write(database: Database, text: str) -> None:
    with database.transaction() as connection:
        connection.execute("insert into note values (?)", (text,))


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    for text in ("one", "two"):
        database = Database(tmp_path / "notes.db", _NOTES, version=1, durable=True)
        _write(database, text)
        database.close()
    again = Database(tmp_path / "notes.db", _NOTES, version=1, durable=True)
    assert _notes(again) == ["one", "two"]
    again.close()


def test_a_compacted_file_holds_nothing_of_what_was_deleted(database: Database) -> None:
    for number in range(200):
        _write(database, f"secret {number}")
    with database.transaction() as connection:
        connection.execute("delete from note")
    database.compact()
    assert not any(b"secret" in file.read_bytes() for file in database.path.parent.iterdir())


def test_a_file_cannot_be_compacted_while_somebody_reads_what_was_there(database: Database) -> None:
    _write(database, "one")
    with database.reading() as connection:
        connection.execute("select text from note").fetchone()
        with pytest.raises(StorageLockedError):
            database.compact()
    database.compact()
    assert _notes(database) == ["one"]


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(_GivenUpError), database.transaction():
        _write(database, "lost")
        raise _GivenUpError
    _write(database, "kept")
    assert _notes(database) == ["kept"]


def test_a_failed_inner_transaction_is_taken_back_alone(database: Database) -> None:
    with database.transaction():
        _write(database, "outer")
        with pytest.raises(_GivenUpError), database.transaction():
            _write(database, "inner")
            raise _GivenUpError
        _write(database, "after")
    assert _notes(database) == ["outer", "after"]


def test_whoever_asked_is_told_of_rows_taken_back(database: Database) -> None:
    told: list[str] = []
    database.on_rollback(lambda: told.append("taken back"))
    _write(database, "kept")
    with pytest.raises(_GivenUpError), database.transaction():
        raise _GivenUpError
    assert told == ["taken back"]


def test_the_writing_thread_reads_its_own_writes_and_others_do_not(database: Database) -> None:
    with ThreadPoolExecutor(1) as other, database.transaction():
        _write(database, "new")
        assert _notes(database) == ["new"]
        assert other.submit(_notes, database).result() == []


def test_a_reading_sees_one_state_while_others_write(database: Database) -> None:
    _write(database, "first")
    with database.reading() as connection:
        before = connection.execute("select count(*) from note").fetchone()
        with ThreadPoolExecutor(1) as other:
            other.submit(_write, database, "second").result()
        assert connection.execute("select count(*) from note").fetchone() == before
    assert _notes(database) == ["first", "second"]


def test_threads_that_came_and_went_leave_no_connections(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    connect = sqlite3.connect

    def counting(*args: object, **kwargs: object) -> sqlite3.Connection:
        opened.append("reader")
        return connect(*args, **kwargs)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(sqlite3, "connect", counting)
    for _ in range(20):
        thread = threading.Thread(target=_notes, args=(database,))
        thread.start()
        thread.join()
    assert len(opened) == 1


def test_readers_and_a_writer_do_not_wait_for_each_other(tmp_path: Path) -> None:
    graph = EmbeddedGraph(tmp_path / "graph.db")
    batches = [
        GraphBatch(actions=[make_action(f"a{i}", i), make_action(f"b{i}", i)], position=i)
        for i in range(1, 40)
    ]
    graph.apply(batches[0])

    def read() -> bool:
        sizes = [len(graph.timeline(DEAL, TimelineQuery(limit=100))) for _ in range(40)]
        return sizes == sorted(sizes) and all(size % 2 == 0 for size in sizes)

    with ThreadPoolExecutor(8) as readers:
        answers = [readers.submit(read) for _ in range(8)]
        for batch in batches[1:]:
            graph.apply(batch)
        assert all(answer.result() for answer in answers)
    assert graph.position() == 39
    graph.close()


def test_a_closed_database_says_so(database: Database) -> None:
    database.close()
    database.close()
    for use in (lambda: _write(database, "late"), lambda: _notes(database)):
        with pytest.raises(StorageClosedError, match="open it again"):
            use()


def test_a_reading_under_way_survives_closing(database: Database) -> None:
    _write(database, "kept")
    with database.reading() as connection:
        database.close()
        assert connection.execute("select text from note").fetchall() == [("kept",)]


def _damaged(path: Path) -> None:
    graph = EmbeddedGraph(path)
    graph.apply(GraphBatch(actions=[make_action(f"a{i}", i) for i in range(500)]))
    graph.close()
    content = bytearray(path.read_bytes())
    content[4096:-4096] = b"\xff" * (len(content) - 8192)
    path.write_bytes(bytes(content))


def _no_database(path: Path) -> None:
    path.write_bytes(b"Dear Li, thank you for the offer. " * 500)


def _newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version=99")
    connection.close()


@pytest.mark.parametrize("spoil", [_damaged, _no_database])
def test_a_spoilt_file_is_named_with_the_way_out(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "graph.db"
    spoil(path)
    with pytest.raises(StorageCorruptError, match=r"graph\.db.*dealgraph rebuild"):
        graph = EmbeddedGraph(path)
        try:
            list(graph.scan_nodes())
        finally:
            graph.close()


def test_a_file_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    _newer(tmp_path / "graph.db")
    before = (tmp_path / "graph.db").read_bytes()
    with pytest.raises(StorageCorruptError, match="format 99"):
        EmbeddedGraph(tmp_path / "graph.db")
    assert (tmp_path / "graph.db").read_bytes() == before


def test_a_file_locked_by_another_process_says_so(database: Database) -> None:
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(StorageLockedError, match="Stop it"):
        _write(database, "never")
    other.execute("rollback")
    _write(database, "now")
    other.close()
    assert _notes(database) == ["now"]


def test_a_full_disk_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    graph = EmbeddedGraph(tmp_path / "graph.db")
    graph.apply(GraphBatch(nodes=[make_node(DEAL)], position=1))
    with graph.database.transaction() as connection:
        pages = connection.execute("pragma page_count").fetchone()[0]
        connection.execute(f"pragma max_page_count={pages + 2}")
    much = GraphBatch(actions=[make_action(f"a{i}", i, text="x" * 999) for i in range(99)])
    with pytest.raises(StorageFullError, match="Free some space"):
        graph.apply(much)
    assert graph.position() == 1
    assert graph.timeline(DEAL, TimelineQuery()) == []
    with graph.database.transaction() as connection:
        connection.execute("pragma max_page_count=1000000")
    graph.apply(much)
    assert len(graph.timeline(DEAL, TimelineQuery(limit=200))) == 99
    graph.close()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Check the path"):
        EmbeddedGraph(tmp_path / "nowhere" / "graph.db")
