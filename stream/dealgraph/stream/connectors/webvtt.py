"""The connector of WebVTT transcripts: one utterance per cue, or per voice where a cue has several.

Times count from the start of the recording, which `--started-at`, the roster or a header
`NOTE started 2026-03-02T09:30:00+08:00` states. A block that is no cue, note, style or region is
rejected with its number; the others go on. A cue without words says nothing and is passed over.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct
from webvtt.errors import MalformedCaptionError
from webvtt.models import Timestamp
from webvtt.vtt import WebVTTCueBlock

from dealgraph.graph.model import Channel
from dealgraph.stream.connectors.connector import Options, Parsed
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.raw import (
    KEPT,
    MAX_RECORD,
    Encoding,
    Line,
    RawFile,
    RecordError,
    kept_lines,
    lines,
    provenance,
    rejected,
)
from dealgraph.stream.connectors.times import iso_ms, iso_text
from dealgraph.stream.connectors.voices import voices
from dealgraph.stream.identity import person_id
from dealgraph.stream.interaction import Interaction, InteractionKind, Reason, Rejected

VERSION: Final = "1"
_STARTED: Final = re.compile(r"NOTE\s+(?:started|recorded from)\s+(\S+)")
_NO_CUES: Final = ("STYLE", "REGION")


class WebVtt:
    """Reads WebVTT transcripts. Positions are "file:block"; block 0 is the header."""

    name = "webvtt"
    summary = "WebVTT transcripts of calls and meetings (.vtt), speakers by --roster"

    def parse(self, path: Path, options: Options) -> Iterator[Parsed]:
        """Yield what the roster states, then the cues.

        Raises SourceError when the file cannot be opened, or nothing says when it started.
        """
        for stated in options.roster.events():
            yield Parsed(stated, 0)
        reading = _Reading(path.name, options)
        with RawFile(path) as file:
            for block in _blocks(lines(file)):
                for item in reading.block(block):
                    yield Parsed(item, block.end)
                if reading.is_unreadable:
                    return

    def parse_record(
        self, raw: bytes, position: str, options: Options
    ) -> list[Interaction | Rejected]:
        """Parse the block of a dead letter again; it was kept with a header of its own."""
        name, _, number = position.rpartition(":")
        reading = _Reading(name, options)
        found: list[Interaction | Rejected] = []
        for block in _blocks(kept_lines(raw)):
            if not block.is_note and block.number and number.isdecimal():
                block.number = int(number)
            found += reading.block(block)
        return found


CONNECTOR: Final = WebVtt()


class _Block(Struct, gc=False):
    """Lines between empty lines. `raw` is cut and `fault` says so when there are too many."""

    raw: bytes
    number: int
    end: int
    fault: Reason | None = None
    detail: str = ""

    @property
    def is_note(self) -> bool:
        """Whether this is a comment."""
        return self.raw.startswith(b"NOTE")


def _blocks(source: Iterable[Line]) -> Iterator[_Block]:
    """Yield the blocks; the header, even an empty one, is number 0."""
    building = _Building(0)
    for line in source:
        is_empty = line.fault is None and not line.raw.strip(b"\r\n")
        if (is_empty or building.ends_before(line)) and building.began:
            yield building.block()
            building = _Building(building.number + 1)
        if not is_empty:
            building.add(line)
    if building.began or building.number == 0:
        yield building.block()


class _Building:
    """The block that is being read."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.began = False
        self._raw = bytearray()
        self._timed = False
        self._last = Line(b"", 0, 0)
        self._fault: tuple[Reason, str] | None = None

    def ends_before(self, line: Line) -> bool:
        """Say whether times in `line` begin another block, without an empty line between."""
        return b"-->" in line.raw and (self._timed or self.number == 0)

    def add(self, line: Line) -> None:
        """Add a line; of a block that gets too large only the head is kept."""
        self.began = True
        self._timed = self._timed or b"-->" in line.raw
        self._last = line
        self._raw += line.raw
        if line.fault is not None:
            self._fault = (line.fault, line.detail)
        if len(self._raw) > MAX_RECORD:
            self._fault = (Reason.TOO_LARGE, f"a block of more than {MAX_RECORD} bytes")
            del self._raw[KEPT:]

    def block(self) -> _Block:
        """Return the block as read."""
        reason, detail = self._fault or (None, "")
        return _Block(bytes(self._raw), self.number, self._last.end, reason, detail)


class _Reading:
    """The reading of one transcript."""

    def __init__(self, name: str, options: Options) -> None:
        self.is_unreadable = False
        self._name = name
        self._roster = options.roster
        self._defaults = options.defaults()
        self._session = self._defaults.session or name.removesuffix(".vtt")
        self._started_at = self._defaults.started_at
        self._encoding = Encoding()

    def block(self, block: _Block) -> list[Interaction | Rejected]:
        """Return what a block holds."""
        position = f"{self._name}:{block.number}"
        try:
            if block.fault is not None:
                raise RecordError(block.fault, block.detail)
            text = self._encoding.decode(block.raw)
            if block.number == 0:
                self._check_header(text)
            elif not block.is_note:
                return self._cue(text.splitlines(), block, position)
            elif self._started_at is None:
                self._note_start(text)
        except RecordError as error:
            return [rejected(WebVtt.name, position, error, self._kept(block), Channel.VOICE)]
        return []

    def _check_header(self, text: str) -> None:
        first = text.split("\n", 1)[0].rstrip()
        if first != "WEBVTT" and not first.startswith(("WEBVTT ", "WEBVTT\t")):
            self.is_unreadable = True
            raise RecordError(Reason.UNREADABLE, "the file does not begin with WEBVTT")

    def _note_start(self, text: str) -> None:
        found = _STARTED.match(text)
        if found is None:
            return
        try:
            self._started_at = iso_ms(found[1])
        except (ValueError, OverflowError) as error:
            raise RecordError(Reason.BAD_TIMESTAMP, str(error)) from error

    def _kept(self, block: _Block) -> bytes:
        """Return the block with all that it takes to read it again."""
        if block.number == 0:
            return block.raw
        started = b""
        if self._started_at is not None:
            started = f"NOTE started {iso_text(self._started_at)}\n\n".encode()
        return b"WEBVTT\n\n" + started + block.raw

    def _cue(self, text: list[str], block: _Block, position: str) -> list[Interaction | Rejected]:
        if text[0].strip() in _NO_CUES:
            return []
        cue, start, end = _timed(text)
        if self._started_at is None:
            raise SourceError(
                f"{self._name} does not say when it started: pass --started-at "
                "2026-03-02T09:30:00+08:00, or write it into the roster as started_at."
            )
        payload = "\n".join(cue.payload)
        origin = provenance(WebVtt.name, VERSION, block.raw, position)
        defaults = self._defaults
        return [
            Interaction(
                source=WebVtt.name,
                native_id=f"{self._session}#{block.number}@{start}",
                part=part,
                kind=InteractionKind.UTTERANCE,
                channel=Channel.VOICE,
                occurred_at=self._started_at + start,
                duration_ms=end - start,
                actor=(actor := self._roster.speaker(label)),
                session=self._session,
                opportunity=defaults.opportunity,
                customer=self._roster.customer_of(actor.native_id) or defaults.customer,
                rep=person_id(WebVtt.name, defaults.rep) if defaults.rep else "",
                text=words,
                provenance=origin,
                attributes={"cue_id": cue.identifier} if cue.identifier else {},
            )
            for part, (label, words) in enumerate(voices(payload, self._roster.knows))
        ]


def _timed(text: list[str]) -> tuple[WebVTTCueBlock, int, int]:
    """Return a cue with its start and end in ms."""
    if not WebVTTCueBlock.is_valid(text):
        has_times = any("-->" in line for line in text)
        reason = Reason.BAD_TIMESTAMP if has_times else Reason.UNREADABLE
        raise RecordError(reason, "the block is no cue: no line 00:00:01.000 --> 00:00:02.000")
    cue = WebVTTCueBlock.from_lines(text)
    try:
        start = Timestamp.from_string(cue.start).in_milliseconds()
        end = Timestamp.from_string(cue.end).in_milliseconds()
    except MalformedCaptionError as error:
        raise RecordError(Reason.BAD_TIMESTAMP, str(error)) from error
    if end < start:
        raise RecordError(Reason.BAD_TIMESTAMP, f"the cue ends at {cue.end}, before it starts")
    return cue, start, end
