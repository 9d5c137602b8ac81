"""Where the rows of actions are, by id.

Ids are hashes, so an index over them is written all over: at 600,000 actions it alone doubled the work of
a batch. Here new ids go into a small table; when that is full they move, sorted, into a large one, which
so is written once in many batches. Both hold 32-bit sums; the row of the action decides.
"""

import sqlite3
from collections.abc import Collection, Iterable
from typing import Any, Final
from zlib import crc32

import msgspec

_FRESH: Final = 65_536
"""Ids in the small table at which they move: it stays a few dozen pages, and moving takes some 25 ms."""

NAMED: Final = """
a.key in (
  select key from fresh_id where sum in (select value from json_each(:sums))
  union all
  select key from settled_id where sum in (select value from json_each(:sums)))
and a.id in (select value from json_each(:ids))"""
"""Condition that the row `a` of `action` has one of the ids in the parameters of `named`."""


def named(ids: Collection[str]) -> dict[str, Any]:
    """Return the parameters of `NAMED`."""
    lists = {"ids": list(ids), "sums": [crc32(id_.encode()) for id_ in ids]}
    return {name: msgspec.json.encode(values).decode() for name, values in lists.items()}


def stored_ids(connection: sqlite3.Connection, ids: Collection[str]) -> set[str]:
    """Return those of `ids` that are ids of stored actions."""
    return {id_ for (id_,) in connection.execute(_STORED, named(ids))}


class Ids:
    """Adds ids of actions. It only remembers how full the small table is."""

    def __init__(self) -> None:
        self._fresh: int | None = None

    def forget(self) -> None:
        """Count anew: written rows were taken back."""
        self._fresh = None

    def add(self, connection: sqlite3.Connection, keys: Iterable[tuple[int, str]]) -> None:
        """Note the (key, id) of new actions."""
        rows = [(crc32(id_.encode()), key) for key, id_ in keys]
        if self._fresh is None:
            self._fresh = connection.execute("select count(*) from fresh_id").fetchone()[0]
        connection.executemany("insert into fresh_id (sum, key) values (?, ?)", rows)
        self._fresh += len(rows)
        if self._fresh >= _FRESH:
            connection.execute(_SETTLE)
            connection.execute("delete from fresh_id")
            self._fresh = 0


_STORED: Final = f"select a.id from action a where {NAMED}"
_SETTLE: Final = "insert into settled_id (sum, key) select sum, key from fresh_id order by sum, key"
