"""The fields of JSON records, typed as they should be or written as text. All raise RecordError."""

from collections.abc import Mapping
from typing import Any

from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.templates import plain_text
from dealgraph.stream.connectors.times import epoch_ms
from dealgraph.stream.interaction import Reason


def text_of(values: Mapping[str, Any], name: str) -> str:
    """Return a field as trimmed text, "" when it is missing; 7.0 is 7, as relays write ids so."""
    value = values.get(name)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    try:
        return plain_text(value).strip()
    except RecordError as error:
        raise RecordError(error.reason, f"{name}: {error.detail}") from error


def object_of(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a field that must be an object."""
    value = message.get(name)
    if isinstance(value, dict):
        return value
    reason = Reason.MISSING_FIELD if value is None else Reason.WRONG_TYPE
    raise RecordError(reason, f"{name} is no object")


def objects_of(values: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return a field that must be a list of objects; an empty one when it is missing."""
    found = values.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise RecordError(Reason.WRONG_TYPE, f"{name} is no list of objects")
    return found


def time_of(values: Mapping[str, Any], name: str, unit_ms: int) -> int:
    """Return a time, written in units of `unit_ms` ms as number or string, in ms."""
    value = values.get(name)
    if value is None or value == "":
        raise RecordError(Reason.BAD_TIMESTAMP, f"{name} is missing")
    return milliseconds(value, unit_ms)


def milliseconds(value: Any, unit_ms: int) -> int:
    """Return a number of units of `unit_ms` ms in ms."""
    if isinstance(value, bool):
        raise RecordError(Reason.WRONG_TYPE, "a boolean where a number is expected")
    try:
        return epoch_ms(plain_text(value), unit_ms)
    except (ValueError, OverflowError) as error:
        raise RecordError(Reason.BAD_TIMESTAMP, f"no number: {error}"[:200]) from error
