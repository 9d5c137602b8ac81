"""Templates and value maps of a mapping, compiled once into closures over a record."""

from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from typing import Any, Final, TypeVar

from msgspec import Struct

from dealgraph.stream.connectors.mapping import PLACEHOLDER, Choice, Text
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.interaction import Reason

T = TypeVar("T")

_MAX_REMEMBERED: Final = 4_096


class Item(Struct, gc=False):
    """What templates see: the values of a record, and those around it when it lies in a list."""

    values: MappingOf[str, Any]
    file: str
    row: int
    item: int = 0
    parent: MappingOf[str, Any] = {}


Reads = Callable[[Item], str]


def compile_text(text: Text) -> Reads:
    """Return what a template or value map says about an item. It raises RecordError."""
    if isinstance(text, Choice):
        return _compile_choice(text)
    parts: list[Reads | str] = []
    at = 0
    for found in PLACEHOLDER.finditer(text):
        if found.start() > at:
            parts.append(text[at : found.start()])
        parts.append(_compile_column(found[1], found[2]))
        at = found.end()
    if at < len(text):
        parts.append(text[at:])
    if not parts:
        return lambda item: ""
    if len(parts) == 1:
        only = parts[0]
        return (lambda item: only) if isinstance(only, str) else only
    return lambda item: "".join([part if isinstance(part, str) else part(item) for part in parts])


def compile_name(text: Text, known: MappingOf[str, T], what: str) -> Callable[[Item], T]:
    """Return the value that the text names among `known`; else RecordError (UNKNOWN_VALUE)."""
    read = compile_text(text)
    if isinstance(text, str) and text in known:
        constant = known[text]
        return lambda item: constant

    def named(item: Item) -> T:
        name = read(item)
        try:
            return known[name]
        except KeyError:
            detail = f"{name[:80]!r} is no {what}; map it under `values`"
            raise RecordError(Reason.UNKNOWN_VALUE, detail) from None

    return named


def plain_text(value: Any) -> str:
    """Return a value of a record as text. Raises RecordError (WRONG_TYPE) for lists and objects."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise RecordError(Reason.WRONG_TYPE, f"a {type(value).__name__} where a text is expected")


def lookup(values: MappingOf[str, Any], name: str) -> Any:
    """Return the value of a column; dots go into nested objects. None when there is none."""
    if name in values:
        return values[name]
    found: Any = values
    for step in name.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(step)
    return found


def _compile_column(name: str, trim: str | None) -> Reads:
    read = _compile_value(name)
    return read if trim is None else lambda item: read(item).strip(trim)


def _compile_value(name: str) -> Reads:
    if name == "@file":
        return lambda item: item.file
    if name == "@row":
        return lambda item: str(item.row)
    if name == "@item":
        return lambda item: str(item.item)
    outer = name.removeprefix("@parent.")
    if outer != name:
        return lambda item: plain_text(lookup(item.parent, outer))

    def column(item: Item) -> str:
        value = item.values.get(name)
        if isinstance(value, str):
            return value
        if value is None and "." in name:
            value = lookup(item.values, name)
        try:
            return plain_text(value)
        except RecordError as error:
            raise RecordError(error.reason, f"{name}: {error.detail}") from error

    return column


def _compile_choice(choice: Choice) -> Reads:
    read = compile_text(choice.source)
    exact = {key: value for key, value in choice.values.items() if not key.endswith("*")}
    prefixes = [(key[:-1], value) for key, value in choice.values.items() if key.endswith("*")]
    remembered = dict(exact)

    def chosen(item: Item) -> str:
        value = read(item)
        found = remembered.get(value)
        if found is None:
            found = _choose(value, prefixes, choice)
            if len(remembered) < _MAX_REMEMBERED:
                remembered[value] = found
        return found

    return chosen


def _choose(value: str, prefixes: list[tuple[str, str]], choice: Choice) -> str:
    for prefix, found in prefixes:
        if value.startswith(prefix):
            return found
    if choice.otherwise is not None:
        return choice.otherwise
    if not choice.values:
        return value
    detail = f"{value[:80]!r} of {choice.source} is not under `values`; add it or `otherwise`"
    raise RecordError(Reason.UNKNOWN_VALUE, detail)
