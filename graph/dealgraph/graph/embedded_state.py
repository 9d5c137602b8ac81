"""One state of the embedded graph, looked at by one or more questions.

Questions name nodes by kind and id, the tables by integers. A walk meets the same nodes at every step, so
which is which is remembered for as long as it lasts: in one state nothing changes.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from dealgraph.graph.embedded_ids import NAMED, named
from dealgraph.graph.model import NodeKind, NodeRef
from dealgraph.graph.schema import IMPLIED_NODES


class State:
    """A connection that sees one state of the file, and the integers of what was met there."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.execute: Final = connection.execute
        self._keys: dict[NodeRef, int | None] = {}
        self._refs: dict[int, NodeRef] = {}
        self._rows: dict[str, int | None] = {}

    def keys_of(self, refs: Iterable[NodeRef]) -> dict[int, NodeRef]:
        """Return by their integers those of `refs` that are long-lived nodes and were ever named."""
        keys = self._keys
        asked = [ref for ref in refs if ref.kind not in IMPLIED_NODES]
        new = [ref for ref in asked if ref not in keys]
        if new:
            keys.update(dict.fromkeys(new))
            for key, kind, id_ in self.execute(_KEYS, (as_json(new),)):
                self._note(key, kind, id_)
        found = ((keys[ref], ref) for ref in asked)
        return {key: ref for key, ref in found if key is not None}

    def refs_of(self, keys: Iterable[int]) -> dict[int, NodeRef]:
        """Return the long-lived nodes that have these integers."""
        asked = set(keys)
        new = asked - self._refs.keys()
        if new:
            for key, kind, id_ in self.execute(_REFS, (as_json(list(new)),)):
                self._note(key, kind, id_)
        return {key: self._refs[key] for key in asked}

    def rows_of(self, ids: Iterable[str]) -> list[int]:
        """Return the rows of those of the actions that are stored."""
        rows = self._rows
        asked = list(ids)
        new = [id_ for id_ in asked if id_ not in rows]
        if new:
            rows.update(dict.fromkeys(new))
            rows.update((id_, key) for key, id_ in self.execute(_ROWS, named(new)))
        found = (rows[id_] for id_ in asked)
        return [row for row in found if row is not None]

    def note_rows(self, rows: Iterable[tuple[str, int]]) -> None:
        """Remember the (id, row) of actions that a question came upon."""
        self._rows.update(rows)

    def _note(self, key: int, kind: int, id_: str) -> None:
        ref = NodeRef(_NODE_KINDS[kind], id_)
        self._keys[ref] = key
        self._refs[key] = ref


def as_json(values: Sequence[str] | Sequence[int] | Sequence[NodeRef]) -> str:
    """Return a list as one parameter for `json_each`."""
    return msgspec.json.encode(values).decode()


_NODE_KINDS: Final = {int(kind): kind for kind in NodeKind}
_KEYS: Final = """
select n.key, n.kind, n.id from json_each(?) asked
cross join node n on n.kind = asked.value ->> 0 and n.id = asked.value ->> 1"""
_REFS: Final = "select key, kind, id from node where key in (select value from json_each(?))"
_ROWS: Final = f"select a.key, a.id from action a where {NAMED}"
