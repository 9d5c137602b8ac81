"""Events of Salesforce's Pub/Sub API: Avro, with the changed fields as bitmaps.

A record is `{"schemaJson": …, "event": {"payload": base64, …}}`: what `GetSchema` and `Subscribe` answer, as
JSON. A schema comes from outside like its payload, so only such as Salesforce makes are read: no type within
itself, and lists of plain values alone. Others could make the decoder run without end on few bytes.
"""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from typing import Any, Final

import fastavro
from fastavro.types import Schema

from dealgraph.stream.connectors.json_fields import object_of
from dealgraph.stream.connectors.raw import MAX_RECORD, RecordError, decode_json
from dealgraph.stream.interaction import Reason

_PLAIN: Final = frozenset({"boolean", "int", "long", "float", "double", "bytes", "string"})
_MAX_DEPTH: Final = 20
_BITMAP: Final = re.compile(r"(?:(\d{1,4})-)?0x([0-9a-fA-F]{1,2048})")
_BITMAPS: Final = ("changedFields", "diffFields", "nulledFields")
_HEADER: Final = "ChangeEventHeader"


def is_from_pubsub(value: Mapping[str, Any]) -> bool:
    """Say whether a record holds an event of the Pub/Sub API."""
    return "schemaJson" in value or "schema_json" in value


def from_pubsub(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload of an event with the names of its changed fields. Raises RecordError."""
    stated = value.get("schemaJson", value.get("schema_json"))
    encoded = object_of(value, "event").get("payload")
    if not isinstance(stated, str) or not isinstance(encoded, str):
        raise RecordError(Reason.WRONG_TYPE, "schemaJson and event.payload are texts")
    try:
        raw = b64decode(encoded, validate=True)
    except (Error, ValueError) as error:
        raise RecordError(Reason.UNREADABLE, f"the payload is no base64: {error}") from error
    return decode_event(raw, stated)


def decode_event(payload: bytes, schema_json: str) -> dict[str, Any]:
    """Return an Avro payload as values, its bitmaps as names of fields. Raises RecordError."""
    schema, fields = _schema(schema_json)
    stream = BytesIO(payload)
    try:
        value = fastavro.schemaless_reader(stream, schema, None)
    except EOFError as error:
        raise RecordError(Reason.TRUNCATED, "the Avro payload breaks off") from error
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError) as error:
        detail = f"the payload does not fit its schema: {type(error).__name__}"
        raise RecordError(Reason.UNREADABLE, detail) from error
    if stream.tell() != len(payload):
        raise RecordError(Reason.UNREADABLE, "bytes are left over: the schema is another one")
    header = value.get(_HEADER) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(header, dict):
        raise RecordError(Reason.MISSING_FIELD, f"the payload has no {_HEADER}")
    for name in _BITMAPS:
        header[name] = named_fields(header.get(name) or [], fields)
    return value


def named_fields(bitmaps: Sequence[Any], fields: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names that bitmaps stand for, given the fields of a record in an Avro schema.

    "0x5" names the fields 0 and 2; "3-0x2" names field 1 within field 3. What is no bitmap is a name
    already. Raises RecordError (WRONG_TYPE) for a bit beyond the fields.
    """
    names: list[str] = []
    for bitmap in bitmaps:
        found = _BITMAP.fullmatch(bitmap) if isinstance(bitmap, str) else None
        if found is None:
            names.append(str(bitmap))
            continue
        prefix, among = "", fields
        if found[1] is not None:
            parent = _at(fields, int(found[1]), bitmap)
            prefix, among = f"{parent['name']}.", _inner(parent["type"])
        bits = int(found[2], 16)
        while bits:
            lowest = (bits & -bits).bit_length() - 1
            names.append(f"{prefix}{_at(among, lowest, bitmap)['name']}")
            bits &= bits - 1
    return names


def _at(fields: Sequence[Mapping[str, Any]], place: int, bitmap: str) -> Mapping[str, Any]:
    if place >= len(fields):
        detail = f"{bitmap[:40]} names field {place}; the schema has {len(fields)}"
        raise RecordError(Reason.WRONG_TYPE, detail)
    return fields[place]


def _inner(kind: Any) -> Sequence[Mapping[str, Any]]:
    """Return the fields of a record, or of the record among the types of a union."""
    for one in kind if isinstance(kind, list) else [kind]:
        if isinstance(one, dict) and one.get("type") == "record":
            return one.get("fields") or []
    return []


@lru_cache(maxsize=64)
def _schema(text: str) -> tuple[Schema, Sequence[Mapping[str, Any]]]:
    if len(text) > MAX_RECORD:
        raise RecordError(Reason.TOO_LARGE, "the schema is too large")
    stated = decode_json(text)
    if not isinstance(stated, dict) or stated.get("type") != "record":
        raise RecordError(Reason.WRONG_TYPE, "the Avro schema is no record")
    _check(stated, 0)
    try:
        parsed = fastavro.parse_schema(stated)
    except (fastavro.schema.SchemaParseException, ValueError, TypeError, KeyError) as error:
        raise RecordError(Reason.UNREADABLE, f"not an Avro schema: {error}"[:300]) from error
    return parsed, stated["fields"]


def _check(kind: Any, depth: int) -> None:
    """Refuse what Salesforce does not make: types by name, maps, lists of anything but plain values."""
    if depth > _MAX_DEPTH:
        raise RecordError(Reason.TOO_DEEP, f"an Avro schema deeper than {_MAX_DEPTH}")
    if isinstance(kind, list):
        for one in kind:
            _check(one, depth + 1)
    elif isinstance(kind, dict):
        _check_named(kind, depth)
    elif kind != "null" and kind not in _PLAIN:
        raise RecordError(Reason.UNKNOWN_VALUE, f"{str(kind)[:80]!r} is no type of an event")


def _check_named(kind: Mapping[str, Any], depth: int) -> None:
    name = kind.get("type")
    if name == "record":
        fields = kind.get("fields")
        if not isinstance(fields, list) or not all(
            isinstance(field, dict) and isinstance(field.get("name"), str) for field in fields
        ):
            raise RecordError(Reason.WRONG_TYPE, "the fields of an Avro record are no list")
        for field in fields:
            _check(field.get("type"), depth + 1)
    elif name == "array":
        items = kind.get("items")
        if not isinstance(items, str) or items not in _PLAIN:
            raise RecordError(Reason.UNKNOWN_VALUE, "a list of something that is not plain")
    elif name != "enum":
        _check(name, depth + 1)
