"""YAML documents that users write, read into typed values, with errors that name line and fix.

Scalars are taken as they are written (no YAML 1.1 surprises such as `no` for false); the type of the
field decides what they become. Doubled keys are refused, and so are documents that alias themselves large.
"""

import difflib
import re
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import yaml

from dealgraph.stream.connectors.errors import SourceError

MAX_DOCUMENT: Final = 4 * 1024 * 1024
"""Largest document, in bytes."""

_MAX_NODES: Final = 200_000
_MAX_DEPTH: Final = 40
_UNKNOWN_KEY: Final = re.compile(r"unknown field `([^`]*)`")
_PATH: Final = re.compile(r" - at `(?:key in )?\$([^`]*)`")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.{3})\]")

T = TypeVar("T")


def read_document(path: Path, kind: type[T], what: str) -> T:
    """Return the YAML file `path` as a value of type `kind`.

    `what` names it in messages ("roster"). Raises SourceError with line, field and fix.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_DOCUMENT + 1)
    except OSError as error:
        raise SourceError(f"Cannot read the {what} {path}: {error.strerror}.") from error
    if len(raw) > MAX_DOCUMENT:
        raise SourceError(f"The {what} {path} is larger than {MAX_DOCUMENT} bytes.")
    return parse_document(raw, kind, f"{what} {path.name}")


def parse_document(raw: bytes, kind: type[T], where: str) -> T:
    """Return YAML bytes as a value of type `kind`; `where` begins every message of SourceError."""
    try:
        node = yaml.compose(raw.decode("utf-8-sig"), Loader=yaml.BaseLoader)
        plain = _Plain(where).value(node) if node is not None else {}
    except UnicodeDecodeError as error:
        raise SourceError(f"{where}: not UTF-8 at byte {error.start}; save it as UTF-8.") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}" if mark else ""
        raise SourceError(f"{where}{line}: not YAML: {error.problem or error.context}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SourceError(f"{where}: not YAML: {str(error).splitlines()[0]}.") from error
    try:
        return msgspec.convert(plain, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SourceError(_teach(str(error), node, kind, where)) from error


class _Plain:
    """Turns YAML nodes into dicts, lists and strings, within bounds."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._left = _MAX_NODES

    def value(self, node: yaml.Node, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise SourceError(f"{self._where}: too large or too deep; write it without aliases.")
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        if not isinstance(node, yaml.MappingNode):
            return node.value
        plain: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in plain:
                line = key.start_mark.line + 1
                raise SourceError(
                    f"{self._where} line {line}: {key.value!r} is no key, or is written twice."
                )
            plain[key.value] = self.value(item, depth + 1)
        return plain


def _teach(message: str, node: yaml.Node | None, kind: type[Any], where: str) -> str:
    found = _PATH.search(message)
    path = found[1] if found else ""
    problem = _PATH.sub("", message)
    unknown = _UNKNOWN_KEY.search(message)
    if unknown:
        keys = _keys(msgspec.inspect.type_info(kind), [key for key, _ in _STEP.findall(path)])
        close = difflib.get_close_matches(unknown[1], keys, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(keys)}"
        problem = f"unknown key `{unknown[1]}`; {hint}"
        path = f"{path}.{unknown[1]}"
    line = _line(node, path)
    return f"{where} line {line}, {path.lstrip('.') or 'top'}: {problem}"


def _line(node: yaml.Node | None, path: str) -> int:
    line = node.start_mark.line + 1 if node is not None else 1
    for key, index in _STEP.findall(path):
        if isinstance(node, yaml.SequenceNode) and index.isdecimal():
            node = node.value[int(index)]
        elif isinstance(node, yaml.MappingNode) and key:
            pairs = [(name, item) for name, item in node.value if name.value == key]
            if not pairs:
                break
            name, node = pairs[0]
            line = name.start_mark.line + 1
            continue
        else:
            break
        line = node.start_mark.line + 1
    return line


def _keys(info: msgspec.inspect.Type, path: list[str]) -> list[str]:
    """Return the keys that may stand at `path`; the path has an empty step for each list."""
    if isinstance(info, msgspec.inspect.UnionType):
        return [key for member in info.types for key in _keys(member, path)]
    if isinstance(info, msgspec.inspect.StructType):
        if not path:
            return [field.encode_name for field in info.fields]
        return [
            key
            for field in info.fields
            if field.encode_name == path[0]
            for key in _keys(field.type, path[1:])
        ]
    if isinstance(info, msgspec.inspect.DictType) and path:
        return _keys(info.value_type, path[1:])
    if isinstance(info, msgspec.inspect.VarTupleType) and path:
        return _keys(info.item_type, path[1:])
    return []
