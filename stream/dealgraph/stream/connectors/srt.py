"""The connector of SubRip transcripts (.srt): one utterance per cue, or per voice where a cue has several.

A cue begins at its line of times; the number before it and the empty line before that may be missing, and
numbers may leave gaps. Times count from the start of the recording. Files are UTF-8, UTF-16, GB18030 or
Windows-1252, which the first cue that is not UTF-8 decides.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from dealgraph.graph.model import Channel
from dealgraph.stream.connectors.blocks import Block, Building
from dealgraph.stream.connectors.connector import Options, Parsed
from dealgraph.stream.connectors.encodings import GuessedEncoding
from dealgraph.stream.connectors.raw import (
    Line,
    RawFile,
    RecordError,
    kept_lines,
    lines,
    provenance,
    rejected,
)
from dealgraph.stream.connectors.recording import Recording, Turn
from dealgraph.stream.connectors.times import clock_ms
from dealgraph.stream.connectors.voices import voices
from dealgraph.stream.interaction import Interaction, Reason, Rejected

VERSION: Final = "1"
_NUMBER: Final = re.compile(rb"\s*\d{1,9}\s*")
_TIMES: Final = re.compile(r"\s*(\S{1,40})[ \t]*-->[ \t]*(\S{1,40})")
_POSITIONS: Final = re.compile(r"\{\\[^{}]*\}")


class SubRip:
    """Reads SubRip transcripts. Positions are "file:cue", counted from 1."""

    name = "srt"
    summary = "SubRip transcripts of calls and meetings (.srt), speakers by --roster"

    def parse(self, path: Path, options: Options) -> Iterator[Parsed]:
        """Yield what the roster states, then the cues.

        Raises SourceError when the file cannot be opened, or nothing says when it started.
        """
        for stated in options.roster.events():
            yield Parsed(stated, 0)
        reading = _Reading(path.name, options)
        with RawFile(path) as file:
            for block in _cues(lines(file)):
                for item in reading.cue(block):
                    yield Parsed(item, block.end)

    def parse_record(
        self, raw: bytes, position: str, options: Options
    ) -> list[Interaction | Rejected]:
        """Parse the cue of a dead letter again; it was kept in UTF-8 where it could be read."""
        name, _, number = position.rpartition(":")
        reading = _Reading(name, options)
        found: list[Interaction | Rejected] = []
        for block in _cues(kept_lines(raw)):
            block.number = int(number) if number.isdecimal() else block.number
            found += reading.cue(block)
        return found


CONNECTOR: Final = SubRip()


def _cues(source: Iterable[Line]) -> Iterator[Block]:
    """Yield the cues: each from its number, or from its times where it has none."""
    cutting = _Cutting()
    for line in source:
        yield from cutting.add(line)
    yield from cutting.finish()


class _Cutting:
    """Cuts lines into cues. A number waits for the next line, which says whether a cue begins with it."""

    def __init__(self) -> None:
        self._cue = Building(1)
        self._waiting: Line | None = None
        self._last_index = -1

    def add(self, line: Line) -> Iterator[Block]:
        """Take a line, and yield the cue that ended before it."""
        is_blank = line.fault is None and not line.raw.strip()
        waiting, self._waiting = self._waiting, None
        if b"-->" in line.raw:
            index = -1 if waiting is None else int(waiting.raw)
            yield from self._begin(index)
        elif waiting is not None and not is_blank and int(waiting.raw) == self._last_index + 1:
            yield from self._begin(int(waiting.raw))  # a cue whose times are missing
        if waiting is not None:
            self._cue.add(waiting)
        if line.fault is None and _NUMBER.fullmatch(line.raw):
            self._waiting = line
        elif not is_blank:
            self._cue.add(line)

    def finish(self) -> Iterator[Block]:
        """Yield the last cue."""
        if self._waiting is not None:
            self._cue.add(self._waiting)
        if self._cue.began:
            yield self._cue.block()

    def _begin(self, index: int) -> Iterator[Block]:
        self._last_index = index
        if self._cue.began:
            yield self._cue.block()
            self._cue = Building(self._cue.number + 1)


class _Reading:
    """The reading of one transcript."""

    def __init__(self, name: str, options: Options) -> None:
        self._name = name
        self._encoding = GuessedEncoding()
        self._recording = Recording(SubRip.name, name, options)

    def cue(self, block: Block) -> list[Interaction | Rejected]:
        """Return the utterances of a cue, or why there are none."""
        position = f"{self._name}:{block.number}"
        kept = block.raw
        try:
            if block.fault is not None:
                raise RecordError(block.fault, block.detail)
            text = self._encoding.decode(block.raw)
            kept = text.encode()
            start, end, payload = _timed(text)
        except RecordError as error:
            return [rejected(SubRip.name, position, error, kept, Channel.VOICE)]
        origin = provenance(SubRip.name, VERSION, block.raw, position)
        key = f"#{block.number}@{start}"
        return [
            self._recording.utterance(Turn(start, end, words, key, part, label), origin)
            for part, (label, words) in enumerate(voices(payload, self._recording.knows))
        ]


def _timed(text: str) -> tuple[int, int, str]:
    """Return start and end of a cue in ms, and its words."""
    head, arrow, _ = text.partition("-->")
    if not arrow:
        raise RecordError(Reason.UNREADABLE, "no line 00:00:01,000 --> 00:00:02,000")
    begins = head.rfind("\n") + 1 or head.rfind("\r") + 1
    line, _, payload = text[begins:].partition("\n")
    found = _TIMES.match(line)
    if found is None:
        raise RecordError(Reason.BAD_TIMESTAMP, f"{line[:80]!r} has no two times")
    try:
        start, end = clock_ms(found[1]), clock_ms(found[2])
    except ValueError as error:
        raise RecordError(Reason.BAD_TIMESTAMP, str(error)) from error
    if end < start:
        raise RecordError(Reason.BAD_TIMESTAMP, f"the cue ends at {found[2]}, before it starts")
    return start, end, _POSITIONS.sub("", payload)
