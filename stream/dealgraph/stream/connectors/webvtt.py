"""The connector of WebVTT transcripts: one utterance per cue, or per voice where a cue has several.

Times count from the start of the recording, which `--started-at`, the roster or a header
`NOTE started 2026-03-02T09:30:00+08:00` states. A block that is no cue, note, style or region is
rejected with its number; the others go on. A cue without words says nothing and is passed over.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from webvtt.errors import MalformedCaptionError
from webvtt.models import Timestamp
from webvtt.vtt import WebVTTCueBlock

from dealgraph.graph.model import Channel
from dealgraph.stream.connectors.blocks import Block, Building
from dealgraph.stream.connectors.connector import Options, Parsed
from dealgraph.stream.connectors.raw import (
    Encoding,
    Line,
    RawFile,
    RecordError,
    kept_lines,
    lines,
    provenance,
    rejected,
)
from dealgraph.stream.connectors.recording import Recording, Turn
from dealgraph.stream.connectors.times import iso_ms, iso_text
from dealgraph.stream.connectors.voices import voices
from dealgraph.stream.interaction import Interaction, Reason, Rejected

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
            if not _is_note(block) and block.number and number.isdecimal():
                block.number = int(number)
            found += reading.block(block)
        return found


CONNECTOR: Final = WebVtt()


def _blocks(source: Iterable[Line]) -> Iterator[Block]:
    """Yield the blocks; the header, even an empty one, is number 0."""
    building = Building(0)
    for line in source:
        # A line of blanks alone parts nothing, but begins nothing, either.
        blank = b"\r\n" if building.began else b"\r\n \t"
        is_empty = line.fault is None and not line.raw.strip(blank)
        if building.began and (is_empty or _begins(line, building)):
            yield building.block()
            building = Building(building.number + 1)
        if not is_empty:
            building.add(line)
    if building.began or building.number == 0:
        yield building.block()


def _begins(line: Line, building: Building) -> bool:
    """Say whether times in `line` begin another block, without an empty line between."""
    return b"-->" in line.raw and (building.timed or building.number == 0)


def _is_note(block: Block) -> bool:
    return block.raw.startswith(b"NOTE")


class _Reading:
    """The reading of one transcript."""

    def __init__(self, name: str, options: Options) -> None:
        self.is_unreadable = False
        self._name = name
        self._recording = Recording(WebVtt.name, name, options)
        self._encoding = Encoding()

    def block(self, block: Block) -> list[Interaction | Rejected]:
        """Return what a block holds."""
        position = f"{self._name}:{block.number}"
        try:
            if block.fault is not None:
                raise RecordError(block.fault, block.detail)
            text = self._encoding.decode(block.raw)
            if block.number == 0:
                self._check_header(text)
            elif not _is_note(block):
                return self._cue(text.splitlines(), block, position)
            elif self._recording.started_at is None:
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
            self._recording.started_at = iso_ms(found[1])
        except (ValueError, OverflowError) as error:
            raise RecordError(Reason.BAD_TIMESTAMP, str(error)) from error

    def _kept(self, block: Block) -> bytes:
        """Return the block with all that it takes to read it again."""
        if block.number == 0:
            return block.raw
        started = b""
        if self._recording.started_at is not None:
            started = f"NOTE started {iso_text(self._recording.started_at)}\n\n".encode()
        return b"WEBVTT\n\n" + started + block.raw

    def _cue(self, text: list[str], block: Block, position: str) -> list[Interaction | Rejected]:
        if text[0].strip() in _NO_CUES:
            return []
        cue, start, end = _timed(text)
        origin = provenance(WebVtt.name, VERSION, block.raw, position)
        attributes = {"cue_id": cue.identifier} if cue.identifier else {}
        spoken = voices("\n".join(cue.payload), self._recording.knows)
        return [
            self._recording.utterance(
                Turn(
                    start=start,
                    end=end,
                    words=words,
                    key=f"#{block.number}@{start}",
                    part=part,
                    label=label,
                    attributes=attributes,
                ),
                origin,
            )
            for part, (label, words) in enumerate(spoken)
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
