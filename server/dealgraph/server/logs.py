"""Structured logs without personal data: one JSON object a line on stderr.

A line holds the name of an event, and numbers and reason codes that the caller names. Texts of
requests, ids, names and messages of exceptions are never written: of an exception only its type
and the places in the code, of a foreign library only its name.
"""

import json
import logging
import sys
import traceback
from collections.abc import Callable
from typing import Final, TextIO

_FIELDS: Final = "dealgraph_fields"
_LOGGER: Final = logging.getLogger("dealgraph")


class JsonLines(logging.Formatter):
    """Formats records as JSON lines; `clock` gives milliseconds since 1970 UTC."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__()
        self._clock = clock

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for a record."""
        line: dict[str, object] = {"at_ms": self._clock(), "level": record.levelname.lower()}
        fields = getattr(record, _FIELDS, None)
        if fields is None:
            line |= {"event": "library_message", "logger": record.name, "line": record.lineno}
        else:
            line |= {"event": record.msg, **fields}
        if record.exc_info is not None and record.exc_info[1] is not None:
            line |= _fault(record.exc_info[1])
        return json.dumps(line)


def configure(clock: Callable[[], int], stream: TextIO = sys.stderr) -> None:
    """Send the logs of the whole process to `stream`, from INFO on; foreign ones from WARNING on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(clock))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _LOGGER.setLevel(logging.INFO)


def event(name: str, **fields: int | float | str) -> None:
    """Log an event. `fields` are numbers and codes of this program, never data of a client."""
    _LOGGER.info(name, extra={_FIELDS: fields})


def warning(name: str, **fields: int | float | str) -> None:
    """Log something that an operator should look at."""
    _LOGGER.warning(name, extra={_FIELDS: fields})


def fault(name: str, error: BaseException, **fields: int | float | str) -> None:
    """Log a fault of the program with the place of the error, but not its message."""
    _LOGGER.error(name, exc_info=error, extra={_FIELDS: fields})


def _fault(error: BaseException) -> dict[str, object]:
    places = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__qualname__,
        "places": [f"{place.filename.rpartition('/')[2]}:{place.lineno}" for place in places],
    }
