"""Raw files as bounded pieces: opening, inflating, lines, decoding. Nothing here raises for content.

A file that breaks off or inflates beyond all bounds ends with a line that says so (`fault`); a line longer
than `MAX_RECORD` is cut, marked, and the next one follows.
"""

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol, Self

import msgspec
from msgspec import Struct

from dealgraph.graph.model import Channel
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.interaction import Provenance, Reason, Rejected

MAX_RECORD: Final = 4 * 1024 * 1024
"""Longest record, in bytes; longer ones are rejected as TOO_LARGE."""
KEPT: Final = 64 * 1024
"""How much of a rejected record is kept for its dead letter, in bytes."""

_CHUNK: Final = 256 * 1024
_MAX_INFLATION: Final = 100
_FREE_INFLATION: Final = 16 * 1024 * 1024
_WIDE: Final = (
    ("utf-32", (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)),  # begins as UTF-16 does
    ("utf-16", (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)),
)
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class RecordError(Exception):
    """One record cannot be used: caught where the record is read, and turned into `Rejected`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Line(Struct, gc=False):
    """A line with its end of line. `end` is the position in the file after it, in bytes."""

    raw: bytes
    number: int
    end: int
    fault: Reason | None = None
    detail: str = ""


class _Peekable(Protocol):
    def read1(self, size: int, /) -> bytes: ...

    def peek(self, size: int, /) -> bytes: ...


class RawFile:
    """A file read in chunks, inflated when it is gzip, as UTF-8 when it is UTF-16 or UTF-32.

    `encoding` is that of the chunks. `fault` says after the last chunk why the file ended early.
    """

    def __init__(self, path: Path, encoding: str = "utf-8") -> None:
        self.fault: tuple[Reason, str] | None = None
        self._closing = ExitStack()
        try:
            file = self._closing.enter_context(path.open("rb"))
            head = file.peek(64)[:64]
        except OSError as error:
            self._closing.close()
            raise SourceError(f"Cannot read {path}: {error.strerror}.") from error
        self._file = file
        self.compressed = head.startswith(b"\x1f\x8b")
        self._stream: _Peekable = file
        if self.compressed:
            self._stream = self._closing.enter_context(gzip.GzipFile(fileobj=file))
            head = self._peek()
        self.is_json_array = head.lstrip(codecs.BOM_UTF8 + b" \t\r\n").startswith(b"[")
        self._wide = _wide_codec(encoding, head)
        self.transcoded = bool(self._wide)
        self.encoding = "utf-8" if self.transcoded else encoding

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._closing.close()

    @property
    def consumed(self) -> int:
        """How far the file itself was read, in bytes."""
        return self._file.tell()

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in pieces that are not empty."""
        decoder = None
        if self.transcoded:
            decoder = codecs.getincrementaldecoder(self._wide)("replace")
        first, inflated = True, 0
        while chunk := self._read():
            inflated += len(chunk)
            if decoder is not None:
                chunk = decoder.decode(chunk).encode("utf-8", "replace")
            if first and chunk:
                first, chunk = False, chunk.removeprefix(codecs.BOM_UTF8)
            if chunk:
                yield chunk
            if self.compressed and inflated > _FREE_INFLATION + _MAX_INFLATION * self.consumed:
                self.fault = (Reason.TOO_LARGE, f"inflates more than {_MAX_INFLATION} times")
                return

    def _peek(self) -> bytes:
        try:
            return self._stream.peek(64)[:64]
        except (EOFError, zlib.error, OSError):
            return b""  # said again, with its reason, when it is read

    def _read(self) -> bytes:
        try:
            return self._stream.read1(_CHUNK)  # read would lose what comes before a break
        except EOFError:
            self.fault = (Reason.TRUNCATED, "the compressed file breaks off")
        except (zlib.error, gzip.BadGzipFile) as error:
            self.fault = (Reason.UNREADABLE, f"the compressed file is damaged: {error}")
        except OSError as error:
            self.fault = (Reason.UNREADABLE, f"reading failed: {error.strerror}")
        return b""


def _wide_codec(encoding: str, head: bytes) -> str:
    """Return the codec when characters are wider than a byte, so that lines can be found; else ""."""
    if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        return encoding
    return next((codec for codec, marks in _WIDE if head.startswith(marks)), "")


def lines(file: RawFile) -> Iterator[Line]:
    """Yield the lines of a file; LF, CRLF and CR end a line, also mixed."""
    splitter = _Splitter(file)
    for chunk in file.chunks():
        yield from splitter.feed(chunk)
    yield from splitter.finish()


def kept_lines(kept: bytes) -> Iterator[Line]:
    """Yield the lines of what a dead letter kept."""
    for number, piece in enumerate(kept.splitlines(keepends=True), 1):
        yield Line(piece, number, 0)


class _Splitter:
    """Cuts chunks into lines; of a line that is too long it keeps only the head."""

    def __init__(self, file: RawFile) -> None:
        self._file = file
        self._rest = b""
        self._head: bytes | None = None
        self._dropped = 0
        self._number = 0
        self._end = 0

    def feed(self, chunk: bytes) -> Iterator[Line]:
        pieces = (self._rest + chunk).splitlines(keepends=True)
        # The last piece may go on, and one that ends in CR may be followed by its LF.
        self._rest = b"" if pieces[-1].endswith(b"\n") else pieces.pop()
        for piece in pieces:
            yield self._line(piece)
        if self._head is not None or len(self._rest) > MAX_RECORD:
            if self._head is None:
                self._head = self._rest[:KEPT]
            tail = b"\r" if self._rest.endswith(b"\r") else b""
            self._dropped += len(self._rest) - len(tail)
            self._rest = tail

    def finish(self) -> Iterator[Line]:
        if self._rest or self._head is not None:
            line = self._line(self._rest)
            if self._file.fault is not None:
                line.fault, line.detail = self._file.fault
            yield line
        elif self._file.fault is not None:
            yield Line(b"", self._number + 1, self._file.consumed, *self._file.fault)

    def _line(self, piece: bytes) -> Line:
        self._number += 1
        size = self._dropped + len(piece)
        self._end += size
        exact = not self._file.compressed and not self._file.transcoded
        line = Line(piece, self._number, self._end if exact else self._file.consumed)
        if size > MAX_RECORD:
            line.raw = self._head if self._head is not None else piece[:KEPT]
            line.fault = Reason.TOO_LARGE
            line.detail = f"{size} bytes; at most {MAX_RECORD} are read"
        self._head, self._dropped = None, 0
        return line


def decode(raw: bytes, encoding: str) -> str:
    """Return the text of `raw`. Raises RecordError (BAD_ENCODING)."""
    try:
        return raw.decode(encoding)
    except UnicodeError as error:
        at = error.start if isinstance(error, UnicodeDecodeError) else 0
        raise RecordError(Reason.BAD_ENCODING, f"not {encoding} at byte {at}") from error


class Encoding:
    """Decides once per file between UTF-8 and GB18030, by the first bytes that are not ASCII."""

    def __init__(self) -> None:
        self._name = ""

    def decode(self, raw: bytes) -> str:
        """Return the text of `raw`. Raises RecordError (BAD_ENCODING)."""
        if self._name or raw.isascii():
            return decode(raw, self._name or "utf-8")
        for name in ("utf-8", "gb18030"):
            try:
                text = raw.decode(name)
            except UnicodeDecodeError:
                continue
            self._name = name
            return text
        raise RecordError(Reason.BAD_ENCODING, "neither utf-8 nor gb18030")


def decode_json(raw: bytes | str) -> Any:
    """Return the value of a JSON text. Raises RecordError."""
    try:
        return msgspec.json.decode(raw.strip())
    except RecursionError as error:
        raise RecordError(Reason.TOO_DEEP, "JSON nested too deep") from error
    except UnicodeDecodeError as error:
        raise RecordError(Reason.BAD_ENCODING, "the JSON text is not utf-8") from error
    except msgspec.DecodeError as error:
        if _SURROGATE.search(raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace")):
            raise RecordError(Reason.BAD_ENCODING, "half a surrogate pair") from error
        reason = Reason.TRUNCATED if "truncated" in str(error) else Reason.UNREADABLE
        raise RecordError(reason, str(error)) from error


def encode_json(value: Any) -> bytes:
    """Return a value that was decoded as JSON again. Raises RecordError (TOO_DEEP)."""
    try:
        return msgspec.json.encode(value)
    except RecursionError as error:
        raise RecordError(Reason.TOO_DEEP, "JSON nested too deep") from error


def provenance(parser: str, version: str, raw: bytes, position: str) -> Provenance:
    """Return where an interaction came from, with the digest of its raw record."""
    return Provenance(parser, version, sha256(raw).hexdigest(), position)


def rejected(
    source: str, position: str, error: RecordError, payload: bytes, channel: Channel | None
) -> Rejected:
    """Return why a record was rejected, with as much of it as is kept."""
    detail = error.detail[:500]
    return Rejected(source, position, error.reason, detail, payload[:KEPT], channel=channel)
