"""The fields that a change event of Salesforce says are changed, with their values as text."""

import re
from collections.abc import Mapping
from typing import Any, Final

from dealgraph.stream.connectors.raw import RecordError, encode_json
from dealgraph.stream.connectors.templates import plain_text
from dealgraph.stream.interaction import Reason

_HEADER: Final = "ChangeEventHeader"
_STAMPS: Final = frozenset(
    {"LastModifiedDate", "LastModifiedById", "SystemModstamp", "CreatedDate", "CreatedById"}
)
"""What every change stamps on its record: header and actor say the same."""
_MAX_FIELDS: Final = 1_000
_BITMAP: Final = re.compile(r"(\d+-)?0x[0-9A-Fa-f]+")


def changed_values(payload: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, str]:
    """Return the changed fields by name, in the order of the names; a field that was emptied is "".

    Where the header names no changed fields, or as bitmaps whose schema was left away, all that have a
    value are. Compound fields are named "Name.FirstName".
    """
    flat = _flat({name: value for name, value in payload.items() if name != _HEADER})
    stated = [*_names(header, "changedFields"), *_names(header, "diffFields")]
    named = [] if any(map(_BITMAP.fullmatch, stated)) else stated
    nulled = [name for name in _names(header, "nulledFields") if not _BITMAP.fullmatch(name)]
    if named:
        wanted = {key for name in named for key in _under(name, flat)} | {*named} - {
            *_compound(flat)
        }
    else:
        wanted = {name for name, value in flat.items() if value is not None}
    wanted |= {*nulled}
    if len(wanted) > _MAX_FIELDS:
        raise RecordError(Reason.TOO_LARGE, f"{len(wanted)} fields; at most {_MAX_FIELDS}")
    return {
        name: "" if name in nulled else _text(flat.get(name))
        for name in sorted(wanted)
        if name.partition(".")[0] not in _STAMPS
    }


def stated_values(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return all fields of a whole record by name; an empty one is "", and related records are left out."""
    own = {
        name: value
        for name, value in fields.items()
        if not (isinstance(value, dict) and ("attributes" in value or "records" in value))
    }
    flat = _flat(own)
    if len(flat) > _MAX_FIELDS:
        raise RecordError(Reason.TOO_LARGE, f"{len(flat)} fields; at most {_MAX_FIELDS}")
    return {
        name: _text(flat[name]) for name in sorted(flat) if name.partition(".")[0] not in _STAMPS
    }


def _flat(payload: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in payload.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{part}": inner for part, inner in value.items()}
        else:
            flat[name] = value
    return flat


def _compound(flat: Mapping[str, Any]) -> set[str]:
    return {name.partition(".")[0] for name in flat if "." in name}


def _under(name: str, flat: Mapping[str, Any]) -> list[str]:
    """Return the parts of a compound field that have a value, and the field itself where it is plain."""
    if name in flat:
        return [name]
    return [key for key, value in flat.items() if key.startswith(f"{name}.") and value is not None]


def _names(header: Mapping[str, Any], name: str) -> list[str]:
    stated = header.get(name) or []
    if not isinstance(stated, list) or not all(isinstance(one, str) for one in stated):
        raise RecordError(Reason.WRONG_TYPE, f"{name} is no list of texts")
    return stated


def _text(value: Any) -> str:
    """Return a value as text, the same for the JSON and for the Avro form of an event."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, list | dict):
        return encode_json(value).decode()
    return plain_text(value)
