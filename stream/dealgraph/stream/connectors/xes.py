"""The events of an XES file (IEEE 1849), streamed. Entities and document types are refused.

The attributes of an event become values under their keys ("concept:name"), those of its trace the same with
"case:" before ("case:concept:name").
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, Final
from xml.parsers import expat

from msgspec import Struct

from dealgraph.stream.connectors.raw import MAX_RECORD, RawFile, RecordError
from dealgraph.stream.interaction import Reason

_MAX_DEPTH: Final = 100
_VALUES: Final = frozenset({"string", "date", "int", "float", "boolean", "id"})


class XesEvent(Struct, gc=False):
    """An event: its number, where the file was read to, its values or why there are none."""

    row: int
    end: int
    values: dict[str, str]
    error: RecordError | None = None


def xes_events(file: RawFile) -> Iterator[XesEvent]:
    """Yield the events; the last one may say why the file cannot be read further."""
    reader = _Reader(file)
    try:
        for chunk in file.chunks():
            reader.feed(chunk)
            yield from reader.drain()
        reader.finish()
        yield from reader.drain()
    except RecordError as error:
        yield from reader.drain()
        yield XesEvent(reader.number + 1, file.consumed, {}, error)


class _Reader:
    def __init__(self, file: RawFile) -> None:
        self.number = 0
        self._file = file
        self._done: deque[XesEvent] = deque()
        self._trace: dict[str, str] = {}
        self._event: dict[str, str] | None = None
        self._path: list[str] = []
        self._size = 0
        self._fed = 0
        encoding = None if file.encoding == "utf-8" and not file.transcoded else file.encoding
        self._parser = expat.ParserCreate(encoding)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._refuse
        self._parser.StartDoctypeDeclHandler = self._refuse

    def drain(self) -> Iterator[XesEvent]:
        while self._done:
            yield self._done.popleft()

    def feed(self, chunk: bytes) -> None:
        self._fed += len(chunk)
        self._parse(chunk, False)
        if self._fed - self._parser.CurrentByteIndex > MAX_RECORD:
            raise RecordError(Reason.TOO_LARGE, f"an element of more than {MAX_RECORD} bytes")

    def finish(self) -> None:
        if self._file.fault is not None:
            raise RecordError(*self._file.fault)
        self._parse(b"", True)

    def _parse(self, chunk: bytes, last: bool) -> None:
        try:
            self._parser.Parse(chunk, last)
        except (expat.ExpatError, ValueError, LookupError) as error:
            reason = Reason.TRUNCATED if last else Reason.UNREADABLE
            raise RecordError(reason, f"not XML: {error}") from error

    def _refuse(self, *declaration: Any) -> None:
        raise RecordError(Reason.UNREADABLE, "document types and entities are refused")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        self._path.append(name)
        if len(self._path) > _MAX_DEPTH:
            raise RecordError(Reason.TOO_DEEP, f"XML nested deeper than {_MAX_DEPTH}")
        if name == "trace":
            self._trace, self._size = {}, 0
        elif name == "event":
            self._event, self._size = {}, 0
        elif name in _VALUES:
            self._note(attributes)

    def _note(self, attributes: dict[str, str]) -> None:
        key, value = attributes.get("key", ""), attributes.get("value", "")
        holder = self._path[-2] if len(self._path) > 1 else ""
        self._size += len(key) + len(value)
        if self._size > MAX_RECORD:
            return
        if holder == "event" and self._event is not None:
            self._event[key] = value
        elif holder == "trace":
            self._trace[f"case:{key}"] = value

    def _end(self, name: str) -> None:
        self._path.pop()
        if name.rpartition(":")[2] != "event" or self._event is None:
            return
        self.number += 1
        event = XesEvent(self.number, self._file.consumed, self._trace | self._event)
        if self._size > MAX_RECORD:
            detail = f"more than {MAX_RECORD} characters"
            event.error = RecordError(Reason.TOO_LARGE, detail)
        self._done.append(event)
        self._event = None
