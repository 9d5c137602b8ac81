"""The first records of an event log whose form nobody stated."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.mapping import FormatName, TimeMapping
from dealgraph.stream.connectors.mapping import Mapping as ColumnMapping
from dealgraph.stream.connectors.raw import RawFile
from dealgraph.stream.connectors.records import Record, format_of, read_records

_DELIMITERS: Final = (",", ";", "\t", "|")
_HEAD: Final = 64 * 1024
_FEWEST_LINES: Final = 20


class Sample(Struct, frozen=True):
    """Records of a file, its format, and the keys of a mapping that it took to read them."""

    records: tuple[Mapping[str, Any], ...]
    form: FormatName
    settings: Mapping[str, str]


def read_sample(path: Path, number: int) -> Sample:
    """Return at most `number` records. Raises SourceError for a file that holds none."""
    settings: dict[str, str] = {}
    bare = ColumnMapping("activity", "crm", TimeMapping(format="order"))
    form = format_of(path.name, bare)
    with RawFile(path) as file:
        head = next(file.chunks(), b"")[:_HEAD]
    if form is not FormatName.XES and not _is_utf8(head):
        settings["encoding"] = "gb18030"
    if form is FormatName.CSV:
        delimiter = _delimiter(head.decode(settings.get("encoding", "utf-8"), "replace"))
        settings |= {"delimiter": delimiter} if delimiter != "," else {}
    mapping = replace(
        bare,
        format=form,
        encoding=settings.get("encoding", bare.encoding),
        delimiter=settings.get("delimiter", bare.delimiter),
    )
    found = tuple(record.values for record in islice(_whole(path, mapping), number))
    nested = _nested(found[0]) if found else ""
    if nested:
        settings["records"] = nested
        found = tuple(
            item for values in found for item in values.get(nested) or () if isinstance(item, dict)
        )[:number]
    if not found:
        raise SourceError(f"{path} holds no record that can be read as {form}.")
    return Sample(found, form, settings)


def _whole(path: Path, mapping: ColumnMapping) -> Iterator[Record]:
    return (record for record in read_records(path, mapping) if record.error is None)


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3
    return True


def _delimiter(head: str) -> str:
    """Return the character that parts the first lines most evenly."""
    lines = head.splitlines()[:_FEWEST_LINES]
    counts = {mark: [line.count(mark) for line in lines if line] for mark in _DELIMITERS}
    even = {mark: min(found, default=0) for mark, found in counts.items()}
    return max(_DELIMITERS, key=lambda mark: (even[mark], sum(counts[mark])))


def _nested(values: Mapping[str, Any]) -> str:
    """Return the name of the longest list of objects within a record, "" when there is none."""
    lists = {name: value for name, value in values.items() if isinstance(value, list) and value}
    of_objects = [name for name, value in lists.items() if isinstance(value[0], dict)]
    return max(of_objects, key=lambda name: len(lists[name]), default="")
