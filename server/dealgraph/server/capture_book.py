"""The capture report of one log: read on from where the last question ended, up to what the graph knows."""

import sys
import threading
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import NodeKind, NodeRef, Side
from dealgraph.graph.store import GraphStore
from dealgraph.stream import codec
from dealgraph.stream.capture import Capture, Dimension, Row
from dealgraph.stream.clocks import EVENT_KEY, Sightings, Skew
from dealgraph.stream.identity import person_ref
from dealgraph.stream.ingest import Gate
from dealgraph.stream.interaction import ClockCorrection, Interaction, Rejected
from dealgraph.stream.log import EventLog, Record, Topic

_CHUNK: Final = 1000
_PAGES_PER_SCRAPE: Final = 50
_REPLAYED: Final = "/replayed"


class CaptureReport(Struct, frozen=True):
    """Rows sorted by (dimension, key), the clocks, and the corrections that hold by source, in ms."""

    rows: Sequence[Row]
    clocks: Sequence[Skew]
    corrections: dict[str, int]


class CaptureBook:
    """Keeps what was counted of a log. Safe for use by several threads."""

    def __init__(self, log: EventLog, graph: GraphStore, gate: Gate) -> None:
        self._log = log
        self._graph = graph
        self._gate = gate
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        """Count from the start of the log."""
        self._generation = self._gate.generation
        self._capture = Capture()
        self._sightings = Sightings()
        self._corrections: dict[str, int] = {}
        self._read = 0
        self._letters = 0

    def report(self, since: int = 0, before: int = 0, reference: str = "") -> CaptureReport:
        """Return what happened in [since, before); `before` 0 means no bound.

        `reference` names the source whose clock is right; empty compares each with its companions.
        """
        with self._lock:
            self._catch_up()
            identities = self._gate.identities()

            def first_rep(rep: str) -> str:
                return identities.canonical(NodeRef(NodeKind.REP, rep)).id

            rows = self._capture.rows(since, before, first_rep)
            clocks = self._sightings.skews(reference)
            return CaptureReport(rows, clocks, dict(self._corrections))

    def traceable_ratio(self) -> float | None:
        """Return the share of all known interactions that can be followed from source to report.

        It reads on by a bounded part of the log, so that whoever scrapes metrics never waits for all of it.
        """
        with self._lock:
            self._catch_up(_PAGES_PER_SCRAPE)
            rows = self._capture.rows(0, 0, lambda rep: rep)
        total = next((row for row in rows if row.dimension is Dimension.TOTAL), None)
        return total.traceable_ratio if total is not None else None

    def _catch_up(self, pages: int = sys.maxsize) -> None:
        if self._generation != self._gate.generation:
            self._begin()
        position = self._graph.position()
        while self._read < position and pages > 0:
            pages -= 1
            page = self._log.read(Topic.INTERACTIONS, self._read, _CHUNK)
            if not page:
                break
            self._take([record for record in page if record.offset <= position])
            self._read = min(page[-1].offset, position)
        while page := self._log.read(Topic.DEAD_LETTERS, self._letters, _CHUNK):
            self._letters = page[-1].offset
            for record in page:
                self._take_letter(record)

    def _take(self, records: Sequence[Record]) -> None:
        known = self._graph.actions([record.id for record in records])
        for record in records:
            interaction = codec.interaction_from_record(record.body)
            if isinstance(interaction, Rejected):
                continue
            if isinstance(interaction.detail, ClockCorrection):
                detail = interaction.detail
                self._corrections[detail.source] = detail.offset_ms
            self._count(interaction, in_graph=record.id in known)

    def _count(self, interaction: Interaction, *, in_graph: bool) -> None:
        rep = person_ref(Side.REP, interaction.source, interaction.rep)
        self._capture.add(interaction, rep.id if rep else "", in_graph=in_graph)
        event = interaction.attributes.get(EVENT_KEY)
        if event:
            self._sightings.add(interaction.source, event, interaction.occurred_at)

    def _take_letter(self, record: Record) -> None:
        if record.id.endswith(_REPLAYED):
            # It came in after all, and counts as the interaction that it became.
            original = record.id.removesuffix(_REPLAYED)
            found = self._log.find(Topic.DEAD_LETTERS, [original]).get(original)
            if found is not None:
                self._capture.lose(codec.dead_letter_from_bytes(found.body).source, -1)
        elif record.body:
            self._capture.lose(codec.dead_letter_from_bytes(record.body).source)
