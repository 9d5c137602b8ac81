"""What the sources of JSON records share: lines or one array, each record an object.

A line may also be an array of records, or an object with a list of them; each of those may fail alone.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dealgraph.graph.model import Channel
from dealgraph.stream.connectors.connector import Options, Parsed
from dealgraph.stream.connectors.json_stream import json_values
from dealgraph.stream.connectors.raw import (
    Line,
    RawFile,
    RecordError,
    decode_json,
    encode_json,
    lines,
    provenance,
    rejected,
)
from dealgraph.stream.interaction import Interaction, Provenance, Reason, Rejected

Reads = Callable[[Mapping[str, Any], Provenance, Options], list[Interaction]]
"""The interactions that a record holds, given its values and where it came from. Raises RecordError."""


class JsonRecords:
    """Reads records of one kind. Positions are "file:number" of lines, or of elements of an array.

    `lists` are the keys under which answers and requests hold several records.
    """

    def __init__(
        self,
        name: str,
        summary: str,
        channel: Channel,
        reads: Reads,
        *,
        version: str = "1",
        lists: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.summary = summary
        self._channel = channel
        self._reads = reads
        self._version = version
        self._lists = lists

    def parse(self, path: Path, options: Options) -> Iterator[Parsed]:
        """Yield what the roster states, then what the records hold."""
        for stated in options.roster.events():
            yield Parsed(stated, 0)
        with RawFile(path) as file:
            for line in json_values(file) if file.is_json_array else lines(file):
                if line.fault is None and not line.raw.strip():
                    continue
                for item in self._line(line, f"{path.name}:{line.number}", options):
                    yield Parsed(item, line.end)

    def parse_record(
        self, raw: bytes, position: str, options: Options
    ) -> list[Interaction | Rejected]:
        """Parse a record again, or the body of a request as it comes from the vendor."""
        return self._line(Line(raw, 0, 0), position, options)

    def _line(self, line: Line, position: str, options: Options) -> list[Interaction | Rejected]:
        try:
            if line.fault is not None:
                raise RecordError(line.fault, line.detail)
            value = decode_json(line.raw)
        except RecordError as error:
            return [self._refuse(error, line.raw, position)]
        several = self._several(value)
        if several is None:
            return self._one(value, line.raw, position, options)
        found: list[Interaction | Rejected] = []
        for one in several:
            found += self._one(one, encode_json(one), position, options)
        return found

    def _several(self, value: Any) -> list[Any] | None:
        if isinstance(value, dict):
            held = (value.get(name) for name in self._lists)
            return next((records for records in held if isinstance(records, list)), None)
        return value if isinstance(value, list) else None

    def _one(
        self, value: Any, raw: bytes, position: str, options: Options
    ) -> list[Interaction | Rejected]:
        try:
            if not isinstance(value, dict):
                raise RecordError(Reason.WRONG_TYPE, "the record is no JSON object")
            origin = provenance(self.name, self._version, raw, position)
            return [*self._reads(value, origin, options)]
        except RecordError as error:
            return [self._refuse(error, raw, position)]

    def _refuse(self, error: RecordError, raw: bytes, position: str) -> Rejected:
        return rejected(self.name, position, error, raw, self._channel)
