"""The connector of canonical interactions: JSON lines as `dealgraph simulate` writes them.

One interaction a line (`interaction_rows.py`). Who is who, and consent, are interactions of the stream
themselves, so a roster is not needed; what one states comes first all the same.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from dealgraph.stream.connectors.connector import Options, Parsed
from dealgraph.stream.connectors.raw import (
    Line,
    RawFile,
    RecordError,
    decode_json,
    lines,
    provenance,
    rejected,
)
from dealgraph.stream.interaction import Interaction, Reason, Rejected
from dealgraph.stream.interaction_rows import UnknownNameError, decode_row, from_row

VERSION: Final = "1"


class Interactions:
    """Reads interactions. Positions are "file:line"."""

    name = "interactions"
    summary = "canonical interactions, JSON lines (.jsonl), as `dealgraph simulate` writes them"

    def parse(self, path: Path, options: Options) -> Iterator[Parsed]:
        """Yield what the roster states, then a line each. Raises SourceError for no such file."""
        for stated in options.roster.events():
            yield Parsed(stated, 0)
        with RawFile(path) as file:
            for line in lines(file):
                if line.fault is not None or line.raw.strip():
                    yield Parsed(_read(line, f"{path.name}:{line.number}"), line.end)

    def parse_record(
        self, raw: bytes, position: str, options: Options
    ) -> list[Interaction | Rejected]:
        """Parse the line of a dead letter again."""
        return [_read(Line(raw, 0, 0), position)]


def _read(line: Line, position: str) -> Interaction | Rejected:
    raw = line.raw.strip()
    try:
        if line.fault is not None:
            raise RecordError(line.fault, line.detail)
        return _interaction(raw, position)
    except RecordError as error:
        return rejected("interactions", position, error, raw, None)


def _interaction(raw: bytes, position: str) -> Interaction:
    try:
        row = decode_row(raw)
        return from_row(row, provenance("interactions", VERSION, raw, position))
    except UnknownNameError as error:
        raise RecordError(Reason.UNKNOWN_VALUE, str(error)) from error
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
        reason = Reason.MISSING_FIELD if missing else Reason.WRONG_TYPE
        raise RecordError(reason, str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        decode_json(raw)  # says why, in the words of the other connectors
        raise RecordError(Reason.UNREADABLE, "not an interaction") from error


CONNECTOR = Interactions()
