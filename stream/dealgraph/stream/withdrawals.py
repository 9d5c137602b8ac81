"""Withdrawals of consent that were learnt late: what was kept or derived before anybody knew of them.

A withdrawal holds from its event time on. What came before it in the log, but happened after it, was taken in
and analysed in good faith; it must go when the withdrawal becomes known. A graph that is made anew knows all
withdrawals from its start (`admission.py`), so what is left to do is to find out whether there is any such.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Action, EdgeKind, NodeKind, NodeRef
from dealgraph.graph.store import EdgeQuery, GraphStore, TimelineQuery
from dealgraph.stream import codec
from dealgraph.stream.identity import person_id
from dealgraph.stream.ingest import Gate
from dealgraph.stream.interaction import ConsentChange, Interaction, Purpose
from dealgraph.stream.log import EventLog, Record, Topic

_CHUNK: Final = 1000
_ALL: Final = 1 << 30
_PLACES: Final = frozenset({EdgeKind.PERFORMED, EdgeKind.TOOK_PART_IN, EdgeKind.WORKS_ON})


class Late(Struct, frozen=True):
    """What goes: records of the log that may not be kept, and whether the graph holds what it may not."""

    records: tuple[Record, ...] = ()
    derived: bool = False


class Withdrawals:
    """Looks at withdrawals as the log takes them in, at each once in the life of a process."""

    def __init__(self, log: EventLog, graph: GraphStore, gate: Gate) -> None:
        self._log = log
        self._graph = graph
        self._gate = gate
        self._read = 0

    def begin_again(self) -> None:
        """Look at all withdrawals again: what followed from them could not be done."""
        self._read = 0

    def late(self) -> Late:
        """Return what goes because of withdrawals since the last call that the graph has passed."""
        found: dict[str, Action] = {}
        for withdrawal in self._new():
            found.update(self._after(withdrawal))
        return self._refused(found)

    def _new(self) -> Iterator[Interaction]:
        """Yield withdrawals up to the first that the dataflow has still to pass."""
        position = self._graph.position()
        while page := self._log.read(Topic.REGISTRY, self._read, _CHUNK):
            originals = self._log.find(Topic.INTERACTIONS, [record.id for record in page])
            for record in page:
                original = originals.get(record.id)
                if original is not None and original.offset > position:
                    return
                self._read = record.offset
                stated = codec.interaction_from_record(record.body)
                if isinstance(stated, Interaction) and _is_withdrawal(stated):
                    yield stated

    def _after(self, withdrawal: Interaction) -> Iterator[tuple[str, Action]]:
        """Yield what the graph holds of the person's channel after a withdrawal, by id."""
        detail, since = withdrawal.detail, withdrawal.occurred_at
        if not isinstance(detail, ConsentChange):
            return
        named = person_id(withdrawal.source, detail.subject)
        refs = [NodeRef(kind, named) for kind in (NodeKind.CONTACT, NodeKind.REP)]
        members = sorted(self._graph.same_as(refs))
        query = EdgeQuery(edge_kinds=_PLACES, since=since, limit_per_node=_ALL)
        performed: list[str] = []
        for edge in self._graph.edges(members, query):
            if edge.kind is EdgeKind.PERFORMED:
                performed.append(edge.target.id)
                continue
            for action in self._graph.timeline(edge.target, TimelineQuery(since=since, limit=_ALL)):
                if action.channel is detail.channel:
                    yield action.id, action
        for id_, action in self._graph.actions(performed).items():
            if action.channel is detail.channel:
                yield id_, action

    def _refused(self, found: dict[str, Action]) -> Late:
        records: list[Record] = []
        derived = False
        ids = sorted(found)
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            known = self._log.find(Topic.INTERACTIONS, chunk)
            # What the log no longer holds was taken out before a crash: the graph has still to follow.
            derived = derived or len(known) < len(chunk)
            for id_, record in known.items():
                interaction = codec.interaction_from_record(record.body)
                if not isinstance(interaction, Interaction):
                    continue
                if self._gate.refusal(interaction, Purpose.CAPTURE):
                    records.append(record)
                elif self._gate.refusal(interaction, Purpose.ANALYSE):
                    derived = True
                elif found[id_].emotion is not None:
                    derived = derived or bool(self._gate.refusal(interaction, Purpose.EMOTION))
        return Late(tuple(records), derived)


def _is_withdrawal(stated: Interaction) -> bool:
    return isinstance(stated.detail, ConsentChange) and not stated.detail.granted
