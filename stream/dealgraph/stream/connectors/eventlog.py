"""The connector of event logs: CSV, JSON lines, a JSON array or XES, as a mapping says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from dealgraph.stream.connectors.connector import Options, Parsed
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.mapping import Mapping
from dealgraph.stream.connectors.raw import RecordError, encode_json, provenance, rejected
from dealgraph.stream.connectors.records import Record, read_kept, read_records
from dealgraph.stream.connectors.statements import CHANNELS, consent_events
from dealgraph.stream.connectors.templates import Item, lookup, plain_text
from dealgraph.stream.connectors.translation import Translates, compile_mapping
from dealgraph.stream.interaction import Interaction, Reason, Rejected

VERSION: Final = "1"
_NESTED: Final = msgspec.json.Decoder(tuple[dict[str, Any], dict[str, Any]])


class EventLog:
    """Reads event logs. Positions are "file:row", or "file:row.item" within a nested list."""

    name = "eventlog"
    summary = "CSV, JSONL, JSON or XES event logs, read with --mapping FILE (may be .gz)"

    def parse(self, path: Path, options: Options) -> Iterator[Parsed]:
        """Yield stated consent and people, then an interaction or rejection per record."""
        mapping = _mapping(options)
        for stated in options.roster.events():
            yield Parsed(stated, 0)
        for stated in consent_events(mapping.consent):
            yield Parsed(stated, 0)
        reading = _Reading(path.name, mapping, compile_mapping(mapping, options))
        for record in read_records(path, mapping):
            for item in reading.items(record):
                yield Parsed(item, record.end)

    def parse_record(
        self, raw: bytes, position: str, options: Options
    ) -> list[Interaction | Rejected]:
        """Parse the record of a dead letter again."""
        mapping = _mapping(options)
        name, _, place = position.rpartition(":")
        row, _, item = place.partition(".")
        reading = _Reading(name, mapping, compile_mapping(mapping, options))
        if not (row.isdecimal() and (item or "1").isdecimal()):
            error = RecordError(Reason.UNREADABLE, f"{position!r} is no position of an event log")
            return [reading.refuse(error, raw, position)]
        if item:
            return reading.again(raw, int(row), int(item))
        return list(reading.items(read_kept(raw, name, int(row), mapping)))


CONNECTOR: Final = EventLog()


class _Reading:
    """The reading of one file."""

    def __init__(self, name: str, mapping: Mapping, translate: Translates) -> None:
        self._name = name
        self._stem = name.removesuffix(".gz").rpartition(".")[0] or name
        self._mapping = mapping
        self._translate = translate
        self._channel = CHANNELS.get(mapping.channel) if isinstance(mapping.channel, str) else None
        self._wanted = [(column, frozenset(kept)) for column, kept in mapping.keep.items()]

    def items(self, record: Record) -> Iterator[Interaction | Rejected]:
        """Yield what a record holds: one item, or those of its nested list."""
        position = f"{self._name}:{record.row}"
        try:
            if record.error is not None:
                raise record.error
            if self._mapping.records:
                yield from self._nested(record)
                return
            item = Item(record.values, self._stem, record.row)
            if self._is_wanted(item):
                yield self._one(item, record.raw, record.kept, position)
        except RecordError as error:
            yield self.refuse(error, record.kept, position)

    def again(self, kept: bytes, row: int, number: int) -> list[Interaction | Rejected]:
        """Parse an item of a nested list again, as its dead letter kept it."""
        position = f"{self._name}:{row}.{number}"
        try:
            parent, values = _NESTED.decode(kept)
            raw = encode_json(values)
        except RecordError as error:
            return [self.refuse(error, kept, position)]
        except (msgspec.MsgspecError, RecursionError) as cause:
            return [self.refuse(RecordError(Reason.UNREADABLE, str(cause)), kept, position)]
        item = Item(values, self._stem, row, number, parent)
        return [self._one(item, raw, kept, position)]

    def refuse(self, error: RecordError, kept: bytes, position: str) -> Rejected:
        """Return a rejection; on the channel that the mapping states, when it is one for all."""
        return rejected(self._mapping.source, position, error, kept, self._channel)

    def _nested(self, record: Record) -> Iterator[Interaction | Rejected]:
        found = lookup(record.values, self._mapping.records)
        if not isinstance(found, list):
            raise RecordError(Reason.WRONG_TYPE, f"{self._mapping.records} is no list")
        parent = {key: value for key, value in record.values.items() if not _is_nest(value)}
        pairs = self._pairs(record)
        for number, values in enumerate(found, 1):
            position = f"{self._name}:{record.row}.{number}"
            if isinstance(values, dict):
                values |= self._beside(values, pairs)
            raw, kept = encode_json(values), encode_json((parent, values))
            if not isinstance(values, dict):
                error = RecordError(Reason.WRONG_TYPE, "the item is no JSON object")
                yield self.refuse(error, kept, position)
                continue
            item = Item(values, self._stem, record.row, number, parent)
            if self._is_wanted(item):
                yield self._one(item, raw, kept, position)

    def _pairs(self, record: Record) -> dict[str, Any]:
        """Return what the list beside the nested one says, by the value that items are matched with."""
        if self._mapping.beside is None:
            return {}
        found = lookup(record.values, self._mapping.beside.source)
        pairs = found if isinstance(found, list) else []
        return {
            pair[0]: pair[1]
            for pair in pairs
            if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)
        }

    def _beside(self, values: dict[str, Any], pairs: dict[str, Any]) -> dict[str, Any]:
        beside = self._mapping.beside
        if beside is None:
            return {}
        match = lookup(values, beside.match)
        return {beside.name: pairs.get(match) if isinstance(match, str) else None}

    def _is_wanted(self, item: Item) -> bool:
        for column, kept in self._wanted:
            value = lookup(item.values, column)
            if _is_nest(value) or plain_text(value) not in kept:
                return False
        return True

    def _one(self, item: Item, raw: bytes, kept: bytes, position: str) -> Interaction | Rejected:
        origin = provenance(EventLog.name, VERSION, raw, position)
        try:
            return self._translate(item, origin)
        except RecordError as error:
            return self.refuse(error, kept, position)


def _is_nest(value: Any) -> bool:
    return isinstance(value, dict | list)


def _mapping(options: Options) -> Mapping:
    if options.mapping is None:
        raise SourceError("An event log needs --mapping FILE; deploy/mappings/ holds examples.")
    return options.mapping
