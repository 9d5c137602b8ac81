"""One SQLite file: how it is opened, shared between threads, and which errors it gives.

The embedded graph and the embedded log both stand on `Database`. One connection writes, under a lock
of this process; every reading thread has its own read-only connection, so reads never wait for writes.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_CACHE_KIB: Final = 256 * 1024


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
    """An SQLite file in WAL mode with one writing connection and a reading one per thread.

    `durable` writes survive loss of power (synchronous=FULL), others survive the death of the process.
    `schema` is a script of `create … if not exists`; `version` must equal that of an existing file.
    """

    def __init__(self, path: Path, schema: str, *, version: int, durable: bool) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._closed = False
        self._readers: dict[int, sqlite3.Connection] = {}
        self._readers_lock = threading.Lock()
        with self._typed_errors():
            self._writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._open(schema, version, "FULL" if durable else "NORMAL")
            except BaseException:
                self._writer.close()
                raise

    def _open(self, schema: str, version: int, synchronous: str) -> None:
        self._writer.execute("pragma busy_timeout=2000")
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
        self._writer.execute("pragma wal_autocheckpoint=4000")
        self._writer.executescript(schema)
        self._writer.execute(f"pragma user_version={version}")

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write inside one commit; an inner transaction of the same thread joins the outer one."""
        with self._lock, self._typed_errors():
            if self._closed:
                raise StorageClosedError(f"{self._path} was closed.")
            if self._depth:
                self._depth += 1
                try:
                    yield self._writer
                finally:
                    self._depth -= 1
                return
            self._writer.execute("begin immediate")
            self._depth = 1
            try:
                yield self._writer
                self._writer.execute("commit")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._writer.execute("rollback")
                raise
            finally:
                self._depth = 0

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read a consistent state. Inside a transaction of this thread, its own writes are seen."""
        with self._typed_errors():
            if self._lock._is_owned() and self._depth:  # type: ignore[attr-defined]
                yield self._writer
                return
            yield self._reader()

    def _reader(self) -> sqlite3.Connection:
        thread = threading.get_ident()
        reader = self._readers.get(thread)
        if reader is None:
            with self._readers_lock:
                if self._closed:
                    raise StorageClosedError(f"{self._path} was closed.")
                reader = sqlite3.connect(
                    f"file:{self._path}?mode=ro",
                    uri=True,
                    isolation_level=None,
                    check_same_thread=False,
                )
                reader.execute("pragma busy_timeout=2000")
                reader.execute(f"pragma cache_size=-{_CACHE_KIB // 8}")
                self._readers[thread] = reader
        return reader

    @contextmanager
    def _typed_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise typed(error, self._path) from error

    def close(self) -> None:
        """Close all connections; the database answers no more."""
        with self._lock, self._readers_lock:
            if self._closed:
                return
            self._closed = True
            for reader in self._readers.values():
                reader.close()
            self._readers.clear()
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
