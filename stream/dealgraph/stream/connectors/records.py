"""The records of an event log, whatever its format: numbered, bounded, each a set of named values."""

import csv
import difflib
from collections import deque
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingOf
from pathlib import Path
from typing import Any, Final, Self

import msgspec
from msgspec import Struct

from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.json_stream import json_values
from dealgraph.stream.connectors.mapping import FormatName, Mapping
from dealgraph.stream.connectors.raw import (
    MAX_RECORD,
    Line,
    RawFile,
    RecordError,
    decode,
    decode_json,
    kept_lines,
    lines,
)
from dealgraph.stream.connectors.xes import xes_events
from dealgraph.stream.interaction import Reason

_MAX_ROW_LINES: Final = 500

csv.field_size_limit(MAX_RECORD)


class Record(Struct, gc=False):
    """A record: its number, where the file was read to, and what was read.

    `values` is empty when `error` says why. `raw` is the record as it was, `kept` what a dead letter
    keeps of it: enough to read it again without its file.
    """

    row: int
    end: int
    raw: bytes
    kept: bytes = b""
    values: MappingOf[str, Any] = {}
    error: RecordError | None = None


def format_of(name: str, mapping: Mapping) -> FormatName:
    """Return the format that the mapping states, else the one that the file's name ends in."""
    if mapping.format is not None:
        return mapping.format
    stem = name.lower().removesuffix(".gz")
    for form in FormatName:
        if stem.endswith(f".{form}"):
            return form
    known = ", ".join(FormatName)
    raise SourceError(f"{name}: what is its format? Write `format:` in the mapping: {known}.")


def read_records(path: Path, mapping: Mapping) -> Iterator[Record]:
    """Yield the records of a file.

    Raises SourceError when the file cannot be opened or lacks columns that the mapping names.
    """
    form = format_of(path.name, mapping)
    with RawFile(path, mapping.encoding) as file:
        if form is FormatName.CSV:
            yield from _csv(file, mapping)
        elif form is FormatName.XES:
            yield from _xes(file)
        else:
            pieces = lines(file) if form is FormatName.JSONL else json_values(file)
            for line in pieces:
                if line.fault is not None or line.raw.strip():
                    yield _json(line, file.encoding)


def read_kept(kept: bytes, name: str, row: int, mapping: Mapping) -> Record:
    """Read again what the dead letter of record `row` of the file `name` kept."""
    if format_of(name, mapping) is not FormatName.CSV:
        return _json(Line(kept, row, 0), "utf-8")
    rows = _rows(kept_lines(kept), mapping, mapping.encoding)
    first = next(rows, None)
    found = first if mapping.columns else next(rows, None)
    if first is None or found is None:
        error = RecordError(Reason.TRUNCATED, "the dead letter holds no record")
        return Record(row, 0, kept, kept, error=error)
    return _named(found, mapping.columns or _header(first), b"", row)


def _json(line: Line, encoding: str) -> Record:
    record = Record(line.number, line.end, line.raw, line.raw)
    try:
        if line.fault is not None:
            raise RecordError(line.fault, line.detail)
        utf8 = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
        values = decode_json(line.raw if utf8 else decode(line.raw, encoding))
        if not isinstance(values, dict):
            raise RecordError(Reason.WRONG_TYPE, "the record is no JSON object")
        record.values = values
    except RecordError as error:
        record.error = error
    return record


def _xes(file: RawFile) -> Iterator[Record]:
    for event in xes_events(file):
        raw = msgspec.json.encode(event.values)
        yield Record(event.row, event.end, raw, raw, event.values, event.error)


class _Row(Struct, gc=False):
    """A row of CSV as it was read: its cells or why there are none."""

    end: int
    raw: bytes
    cells: Sequence[str] = ()
    error: RecordError | None = None


class _Feed:
    """Hands lines to the CSV reader and remembers those of the present row."""

    def __init__(self, source: Iterator[Line], encoding: str) -> None:
        self._source = source
        self._encoding = encoding
        self._again: deque[Line] = deque()
        self._pulled: list[Line] = []
        self._error: RecordError | None = None
        self._starved = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        if len(self._pulled) >= _MAX_ROW_LINES:
            self._starved = True
            raise StopIteration
        line = self._again.popleft() if self._again else next(self._source, None)
        if line is None:
            self._starved = bool(self._pulled)
            raise StopIteration
        self._pulled.append(line)
        if line.fault is not None:
            raise RecordError(line.fault, line.detail)
        try:
            text = decode(line.raw, self._encoding)
        except RecordError as error:
            self._error = error
            text = line.raw.decode(self._encoding, "replace")
        if "\0" in text:
            self._error = RecordError(Reason.BAD_ENCODING, "a NUL byte")
        return text

    def row(self, cells: Sequence[str], error: RecordError | None) -> _Row:
        """Return the row that was read, and begin the next one."""
        pulled = self._pulled
        is_open = self._starved or (error is not None and len(pulled) > 1)
        error = error or self._error
        if is_open:
            # A quote that is never closed costs its own line only: the others are read again.
            error = RecordError(Reason.TRUNCATED, "a quote is opened and never closed")
            self._again.extendleft(reversed(pulled[1:]))
            del pulled[1:]
        raw = pulled[0].raw if len(pulled) == 1 else b"".join(line.raw for line in pulled)
        row = _Row(pulled[-1].end, raw, cells, error)
        self._pulled, self._error, self._starved = [], None, False
        return row


def _rows(source: Iterator[Line], mapping: Mapping, encoding: str) -> Iterator[_Row]:
    feed = _Feed(source, encoding)
    reader = csv.reader(
        feed,
        delimiter=mapping.delimiter,
        quoting=csv.QUOTE_MINIMAL if mapping.quotes else csv.QUOTE_NONE,
    )
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except RecordError as error:
            yield feed.row((), error)
        except csv.Error as error:
            yield feed.row((), RecordError(Reason.UNREADABLE, f"not CSV: {error}"))
        else:
            row = feed.row(cells, None)
            if cells or row.error is not None:
                yield row


def _csv(file: RawFile, mapping: Mapping) -> Iterator[Record]:
    rows = _rows(lines(file), mapping, file.encoding)
    header, head = mapping.columns, b""
    if not header:
        first = next(rows, None)
        if first is None:
            return
        header, head = _header(first), first.raw.rstrip(b"\r\n") + b"\n"
    _check_columns(header, mapping)
    for number, row in enumerate(rows, 1):
        yield _named(row, header, head, number)


def _named(row: _Row, header: Sequence[str], head: bytes, number: int) -> Record:
    record = Record(number, row.end, row.raw, error=row.error)
    if row.error is None and len(row.cells) != len(header):
        few = len(row.cells) < len(header)
        detail = f"{len(row.cells)} fields; the header has {len(header)}"
        record.error = RecordError(Reason.TRUNCATED if few else Reason.WRONG_TYPE, detail)
    if record.error is None:
        record.values = dict(zip(header, row.cells, strict=True))
    record.kept = head + row.raw if head else row.raw
    return record


def _header(row: _Row) -> tuple[str, ...]:
    if row.error is not None:
        raise SourceError(f"The header cannot be read: {row.error.detail}.")
    return tuple(name.strip() for name in row.cells)


def _check_columns(header: Sequence[str], mapping: Mapping) -> None:
    missing = sorted(mapping.columns_used().difference(header))
    if not missing:
        return
    close = difflib.get_close_matches(missing[0], header, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise SourceError(
        f"The file has no column {missing[0]!r}, which the mapping names.{hint} "
        f"Its columns: {', '.join(header)}."
    )
