"""Why two ids are one: the rule and the confidence of the statements that SAME_AS edges rest on.

They stand in a table of their own, since edges are many and statements few; whoever asks for no SAME_AS edge
pays nothing.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import structs

from dealgraph.graph.embedded_state import State, as_json
from dealgraph.graph.model import OPEN, Edge, EdgeKind


def note_ground(connection: sqlite3.Connection, source: int, target: int, edge: Edge) -> None:
    """Note on what a statement that two nodes are one rests."""
    if edge.valid_to == OPEN and (edge.rule or edge.confidence):
        connection.execute(
            _ADD,
            (source, target, edge.valid_from, edge.recorded_at, edge.confidence, edge.rule),
        )


def grounded(state: State, edges: Sequence[Edge], as_of: int) -> list[Edge]:
    """Return the edges, those of SAME_AS with the rule and confidence known at `as_of`."""
    same = [edge for edge in edges if edge.kind is EdgeKind.SAME_AS]
    if not same:
        return list(edges)
    grounds = _grounds(state, same, as_of)
    return [
        structs.replace(edge, confidence=ground[0], rule=ground[1])
        if edge.kind is EdgeKind.SAME_AS and (ground := grounds.get(_name(edge)))
        else edge
        for edge in edges
    ]


def _name(edge: Edge) -> tuple[object, ...]:
    return (edge.source, edge.target, edge.valid_from)


def _grounds(
    state: State, edges: Iterable[Edge], as_of: int
) -> dict[tuple[object, ...], tuple[float, str]]:
    """Return by edge the surest of its grounds, of two as sure the rule that sorts last."""
    keys = state.keys_of({ref for edge in edges for ref in (edge.source, edge.target)})
    found: dict[tuple[object, ...], tuple[float, str]] = {}
    for source, target, valid_from, *ground in state.execute(_FIND, (as_json(list(keys)), as_of)):
        if source in keys and target in keys:
            name = (keys[source], keys[target], valid_from)
            found[name] = max((ground[0], ground[1]), found.get(name, (0.0, "")))
    return found


_ADD: Final = "insert or ignore into ground values (?, ?, ?, ?, ?, ?)"
_FIND: Final = """
select source, target, valid_from, confidence, rule from ground
where source in (select value from json_each(?)) and recorded_at <= ?"""
