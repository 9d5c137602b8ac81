"""What the transcripts in JSON share: a list of items somewhere in a document, each of which is some turns.

The items are read one by one, so a broken one hides none of the others, and only one is held.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dealgraph.graph.model import Channel
from dealgraph.stream.connectors.connector import Options, Parsed
from dealgraph.stream.connectors.json_fields import milliseconds
from dealgraph.stream.connectors.json_stream import json_items
from dealgraph.stream.connectors.raw import (
    Line,
    RawFile,
    RecordError,
    decode_json,
    provenance,
    rejected,
)
from dealgraph.stream.connectors.recording import Recording, Turn
from dealgraph.stream.connectors.templates import plain_text
from dealgraph.stream.interaction import Interaction, Reason, Rejected

VERSION: Final = "1"

Turns = Callable[[Mapping[str, Any], int], list[Turn]]
"""The turns of an item, given the item and its number. Raises RecordError."""

SessionOf = Callable[[Mapping[str, Any]], str]
"""The session that an item names, "" when it names none. Raises RecordError."""


def _no_session(item: Mapping[str, Any]) -> str:
    return ""


class JsonTranscript:
    """Reads transcripts of one kind. Positions are "file:item", counted through the file."""

    def __init__(
        self,
        name: str,
        summary: str,
        lists: tuple[str, ...],
        turns: Turns,
        session: SessionOf = _no_session,
    ) -> None:
        self.name = name
        self.summary = summary
        self._lists = lists
        self._turns = turns
        self._session = session

    def parse(self, path: Path, options: Options) -> Iterator[Parsed]:
        """Yield what the roster states, then the utterances.

        Raises SourceError when the file cannot be opened, or nothing says when it started.
        """
        for stated in options.roster.events():
            yield Parsed(stated, 0)
        recording = Recording(self.name, path.name, options)
        with RawFile(path) as file:
            for line in json_items(file, *self._lists):
                for item in self._read(line, f"{path.name}:{line.number}", recording):
                    yield Parsed(item, line.end)

    def parse_record(
        self, raw: bytes, position: str, options: Options
    ) -> list[Interaction | Rejected]:
        """Parse the item of a dead letter again."""
        name, _, number = position.rpartition(":")
        line = Line(raw, int(number) if number.isdecimal() else 1, 0)
        return self._read(line, position, Recording(self.name, name, options))

    def _read(
        self, line: Line, position: str, recording: Recording
    ) -> list[Interaction | Rejected]:
        try:
            if line.fault is not None:
                raise RecordError(line.fault, line.detail)
            item = decode_json(line.raw)
            if not isinstance(item, dict):
                raise RecordError(Reason.WRONG_TYPE, "the item is no JSON object")
            recording.name_session(self._session(item))
            turns = [turn for turn in self._turns(item, line.number) if turn.words]
            for turn in turns:
                if turn.end < turn.start:
                    raise RecordError(Reason.BAD_TIMESTAMP, "it ends before it starts")
        except RecordError as error:
            return [rejected(self.name, position, error, line.raw, Channel.VOICE)]
        origin = provenance(self.name, VERSION, line.raw, position)
        return [recording.utterance(turn, origin) for turn in turns]


def span(
    item: Mapping[str, Any], start: str, end: str, unit_ms: int, parts: Sequence[Mapping[str, Any]]
) -> tuple[int, int]:
    """Return start and end of an item in ms: its own, else those of the first and last timed part.

    A start without an end lasts no time. Raises RecordError when nothing says when it starts.
    """
    began = _first(item.get(start), [part.get(start) for part in parts])
    if began is None:
        raise RecordError(Reason.BAD_TIMESTAMP, f"{start} is missing")
    ended = _first(item.get(end), [part.get(end) for part in reversed(parts)])
    at = milliseconds(began, unit_ms)
    return at, at if ended is None else milliseconds(ended, unit_ms)


def _first(own: Any, others: list[Any]) -> Any:
    return next((value for value in (own, *others) if value is not None and value != ""), None)


def joined(words: list[str]) -> str:
    """Return words as a sentence: with blanks only between words that are written with letters of ASCII."""
    text = ""
    for word in words:
        glue = text[-1:].isascii() and text[-1:].isalnum() and word[:1].isascii()
        text += f" {word}" if text and glue and word[:1].isalnum() else word
    return clean(text)


def clean(text: Any) -> str:
    """Return words without blanks around them and without NUL. Raises RecordError (WRONG_TYPE)."""
    return plain_text(text).replace("\0", "\ufffd").strip()
