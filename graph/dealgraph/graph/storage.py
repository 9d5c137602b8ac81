"""One SQLite file: how it is opened, shared between threads, and which errors it gives.

The embedded graph and the embedded log both stand on `Database`. One connection writes, under a lock
of this process; every reading has a read-only connection of its own, so reads never wait for writes.
Readers come from a pool: there are never more than readings went on at once, whatever threads do.
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from dealgraph.graph.checkpoints import Checkpoints

_CACHE_KIB: Final = 128 * 1024
_MAPPED_BYTES: Final = 2 << 30
"""How much of the file readers map into memory instead of copying each page (as much as SQLite allows)."""
_BUSY_MS: Final = 2000
_IDLE_READERS: Final = 8


class StorageError(Exception):
    """The storage cannot do what was asked; the message says what to do next."""


class StorageLockedError(StorageError):
    """Another process holds the storage."""


class StorageCorruptError(StorageError):
    """A file is damaged, or was written by another version."""


class StorageFullError(StorageError):
    """No room is left to write."""


class StorageClosedError(StorageError):
    """The storage was closed."""


class Database:
    """An SQLite file in WAL mode with one writing connection and a pool of reading ones.

    `durable` writes survive loss of power (synchronous=FULL), others survive the death of the process.
    `schema` is a script of `create … if not exists`; `version` must equal that of an existing file.
    """

    def __init__(self, path: Path, schema: str, *, version: int, durable: bool) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._writing_thread = 0
        self._depth = 0
        self._closed = False
        self._idle_readers: deque[sqlite3.Connection] = deque()
        self._rollback_hooks: list[Callable[[], None]] = []
        self._committed = threading.Condition()
        with self._typed_errors():
            self._writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._open(schema, version, "FULL" if durable else "NORMAL")
            except BaseException:
                self._writer.close()
                raise
        self._checkpoints = Checkpoints(path)

    def _open(self, schema: str, version: int, synchronous: str) -> None:
        self._writer.execute(f"pragma busy_timeout={_BUSY_MS}")
        found = self._writer.execute("pragma user_version").fetchone()[0]
        if found not in (0, version):
            raise StorageCorruptError(
                f"{self._path} has format {found}, this dealgraph reads format {version}. "
                "Use the version that wrote it, or run `dealgraph rebuild --data DIR`."
            )
        self._writer.execute("pragma page_size=8192")
        self._writer.execute("pragma journal_mode=wal")
        self._writer.execute(f"pragma synchronous={synchronous}")
        self._writer.execute(f"pragma cache_size=-{_CACHE_KIB}")
        self._writer.execute("pragma wal_autocheckpoint=0")  # Checkpoints does it
        # Else every statement that may fail halfway keeps what it changes in a file of its own.
        self._writer.execute("pragma temp_store=memory")
        self._writer.executescript(schema)
        if found != version:
            self._writer.execute(f"pragma user_version={version}")

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def extend(self, schema: str) -> None:
        """Create what else is to live in this file: a script of `create … if not exists`."""
        with self._lock, self._typed_errors():
            self._check_open()
            self._writer.executescript(schema)

    def on_rollback(self, hook: Callable[[], None]) -> None:
        """Call `hook` whenever written rows are taken back: caches of them must be dropped."""
        self._rollback_hooks.append(hook)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write inside one commit.

        An inner transaction of the same thread joins the outer one; when it fails, what it wrote is
        taken back alone, and the outer one may go on.
        """
        with self._lock, self._typed_errors():
            self._check_open()
            level = self._depth
            self._writer.execute(f"savepoint level_{level}" if level else "begin immediate")
            self._writing_thread = threading.get_ident()
            self._depth += 1
            try:
                yield self._writer
                self._writer.execute(f"release level_{level}" if level else "commit")
            except BaseException:
                self._roll_back(level)
                raise
            finally:
                self._depth = level
                if not level:
                    self._writing_thread = 0
            if not level:
                with self._committed:
                    self._committed.notify_all()
                self._checkpoints.note(self._writer)

    def wait_for_commit(self, wanted: Callable[[], bool], seconds: float) -> None:
        """Return when a commit has brought about what is `wanted`, or after `seconds`."""
        with self._committed:
            self._committed.wait_for(wanted, seconds)

    def _roll_back(self, level: int) -> None:
        # SQLite itself may have rolled back, for example when the disk is full.
        with suppress(sqlite3.Error):
            if level:
                self._writer.execute(f"rollback to level_{level}")
                self._writer.execute(f"release level_{level}")
            else:
                self._writer.execute("rollback")
        for hook in self._rollback_hooks:
            hook()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one consistent state. Inside a transaction of this thread, its own writes are seen."""
        with self._typed_errors():
            if self._writing_thread == threading.get_ident():
                yield self._writer
                return
            reader = self._take_reader()
            try:
                reader.execute("begin")
                yield reader
            finally:
                self._return_reader(reader)

    def _take_reader(self) -> sqlite3.Connection:
        self._check_open()
        try:
            return self._idle_readers.pop()
        except IndexError:
            pass
        reader = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        reader.execute(f"pragma busy_timeout={_BUSY_MS}")
        reader.execute(f"pragma cache_size=-{_CACHE_KIB // 8}")
        reader.execute(f"pragma mmap_size={_MAPPED_BYTES}")
        return reader

    def _return_reader(self, reader: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):
            reader.execute("rollback")
        if len(self._idle_readers) >= _IDLE_READERS:
            reader.close()
            return
        self._idle_readers.append(reader)
        if self._closed:
            self._close_idle_readers()

    def _close_idle_readers(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle_readers.pop().close()

    def _check_open(self) -> None:
        if self._closed:
            raise StorageClosedError(f"{self._path} was closed; open it again to go on.")

    @contextmanager
    def _typed_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise typed(error, self._path) from error

    def compact(self) -> None:
        """Write the file anew, so that it holds nothing of what was deleted, and empty its log.

        Raises StorageLockedError while a reading goes on that began before.
        """
        with self._lock, self._checkpoints.resting, self._typed_errors():
            self._check_open()
            self._writer.execute("vacuum")
            busy, _, _ = self._writer.execute("pragma wal_checkpoint(truncate)").fetchone()
        if busy:
            raise StorageLockedError(
                f"{self._path} is being read, so that what was deleted cannot leave its log yet. "
                "Try again."
            )

    def close(self) -> None:
        """Close all connections; the database answers no more. Readings under way end first."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._checkpoints.stop()
            self._close_idle_readers()
            self._writer.close()


def typed(error: sqlite3.Error, path: Path) -> StorageError:
    """Return the error of this module that tells a reader what to do about an SQLite error."""
    text = str(error)
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StorageLockedError(
            f"{path} is locked by another process. Stop it, or use another data directory."
        )
    if name.startswith("SQLITE_FULL") or "disk I/O error" in text or "disk is full" in text:
        return StorageFullError(
            f"{path} cannot be written ({text}). Free some space on that disk, then start again; "
            "nothing that was acknowledged is lost."
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StorageCorruptError(
            f"{path} is damaged ({text}). A damaged graph is made anew by `dealgraph rebuild --data "
            "DIR`; a damaged log must come from a backup."
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
        return StorageError(
            f"{path} cannot be opened ({text}). Check the path and its permissions."
        )
    return StorageError(f"{path}: {text}.")
