"""The values of a JSON file one by one.

They are the elements of one array, values one after another, or the items of a list with a known name.

Only strings and brackets are looked at, so that a broken or too large value does not hide the next one, and
no more than one value is held.
"""

import re
from collections.abc import Iterator
from typing import Final

from dealgraph.stream.connectors.raw import KEPT, MAX_RECORD, Line, RawFile
from dealgraph.stream.interaction import Reason

_OUTSIDE: Final = re.compile(rb'["{}\[\],]')
_INSIDE: Final = re.compile(rb'["\\]')
_QUOTE: Final = b'"'[0]
_COMMA: Final = b","[0]
_OPENING: Final = b"{["
_KEY_ROOM: Final = 256
"""How far before a list its name is looked for, in bytes."""


def json_values(file: RawFile) -> Iterator[Line]:
    """Yield the raw values, numbered from 1; the last one may say that the file breaks off."""
    return _scan(file, _Scanner(file))


def json_items(file: RawFile, *names: str) -> Iterator[Line]:
    """Yield the raw items of every list with one of these names, numbered from 1 through the file.

    What stands around the lists is passed over. The elements of an array around all values are items,
    too. A file without such a list ends with a line that says so.
    """
    return _scan(file, _Scanner(file) if file.is_json_array else _ItemScanner(file, names))


def _scan(file: RawFile, scanner: "_Scanner") -> Iterator[Line]:
    for chunk in file.chunks():
        yield from scanner.feed(chunk)
    yield from scanner.finish()


class _Scanner:
    """Cuts chunks into values. `base` is 1 within the array around all values, else 0."""

    def __init__(self, file: RawFile) -> None:
        self._file = file
        self._piece = bytearray()
        self._size = 0
        self._number = 0
        self._depth = 0
        self._base = 0
        self._began = False
        self._ended = False
        self._in_string = False
        self._escaped = False

    def feed(self, chunk: bytes) -> Iterator[Line]:
        kept = 0
        for mark, at in self._marks(chunk):
            if mark in _OPENING and self._depth == self._base:
                yield from self._cut(chunk[kept:at])
                kept = at
                if not self._began and mark == b"["[0]:
                    self._base = 1
                    kept = at + 1
                self._began = True
            if mark in _OPENING:
                self._depth += 1
            elif self._depth == self._base:  # a comma, or the end of the array
                yield from self._cut(chunk[kept:at])
                kept = at + 1
                self._ended = mark != _COMMA
            elif mark != _COMMA:
                self._depth -= 1
                if self._depth == self._base:
                    yield from self._cut(chunk[kept : at + 1])
                    kept = at + 1
        self._take(chunk[kept:])

    def finish(self) -> Iterator[Line]:
        yield from self._cut(b"", broken=self._depth > self._base or self._in_string)
        if self._file.fault is not None:
            yield Line(b"", self._number + 1, self._file.consumed, *self._file.fault)
        elif self._base and not self._ended:
            fault = (Reason.TRUNCATED, "the array is not closed")
            yield Line(b"", self._number + 1, self._file.consumed, *fault)

    def _marks(self, chunk: bytes) -> Iterator[tuple[int, int]]:
        """Yield brackets and commas outside strings with their places."""
        at = 0
        while at < len(chunk):
            if self._escaped:
                self._escaped, at = False, at + 1
                continue
            found = (_INSIDE if self._in_string else _OUTSIDE).search(chunk, at)
            if found is None:
                return
            mark, at = chunk[found.start()], found.end()
            if mark == _QUOTE:
                self._in_string = not self._in_string
            elif self._in_string:
                self._escaped = True
            else:
                yield mark, at - 1

    def _take(self, more: bytes) -> None:
        self._size += len(more)
        room = MAX_RECORD if self._size <= MAX_RECORD else KEPT
        self._piece += more
        del self._piece[room:]

    def _cut(self, more: bytes, *, broken: bool = False) -> Iterator[Line]:
        self._take(more)
        raw, size = bytes(self._piece).strip(), self._size
        self._piece.clear()
        self._size = 0
        if not raw:
            return
        self._number += 1
        line = Line(raw, self._number, self._file.consumed)
        if size > MAX_RECORD:
            line.fault = Reason.TOO_LARGE
            line.detail = f"{size} bytes; at most {MAX_RECORD} are read"
        elif broken:
            line.fault, line.detail = Reason.TRUNCATED, "the file breaks off"
        yield line


class _ItemScanner(_Scanner):
    """Cuts the items out of lists with known names; nothing outside them is held."""

    def __init__(self, file: RawFile, names: tuple[str, ...]) -> None:
        super().__init__(file)
        self._names = names
        pattern = "|".join(re.escape(name) for name in names)
        self._key = re.compile(rf'"(?:{pattern})"\s*:\s*$'.encode())
        self._before = b""
        self._found = False
        self._within = False

    def feed(self, chunk: bytes) -> Iterator[Line]:
        kept = 0
        for mark, at in self._marks(chunk):
            if not self._within:
                self._step(mark)
                if mark == b"["[0] and self._is_wanted(chunk, at):
                    self._within = self._found = True
                    self._base, kept = self._depth, at + 1
            elif mark in _OPENING:
                self._depth += 1
            elif mark == _COMMA:
                if self._depth == self._base:
                    yield from self._cut(chunk[kept:at])
                    kept = at + 1
            else:
                if self._depth == self._base:
                    yield from self._cut(chunk[kept:at])
                    self._within = False
                self._depth -= 1
        if self._within:
            self._take(chunk[kept:])
        self._before = (self._before + chunk[-_KEY_ROOM:])[-_KEY_ROOM:]

    def _is_wanted(self, chunk: bytes, at: int) -> bool:
        """Say whether one of the names stands before the list that begins at `at`."""
        before = chunk[max(at - _KEY_ROOM, 0) : at]
        if at < _KEY_ROOM:
            before = self._before + before
        return self._key.search(before) is not None

    def _step(self, mark: int) -> None:
        if mark in _OPENING:
            self._depth += 1
        elif mark != _COMMA:
            self._depth = max(self._depth - 1, 0)

    def finish(self) -> Iterator[Line]:
        yield from self._cut(b"", broken=self._within)
        fault = self._file.fault
        if fault is None and self._depth:
            fault = (Reason.TRUNCATED, "the file breaks off")
        if fault is None and not self._found:
            fault = (Reason.UNREADABLE, f"no list named {' or '.join(self._names)}")
        if fault is not None:
            yield Line(b"", self._number + 1, self._file.consumed, *fault)
