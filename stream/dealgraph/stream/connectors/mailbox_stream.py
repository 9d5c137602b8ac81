"""The raw mails of a file: one EML, or an mbox (RFC 4155) read mail by mail in bounded memory."""

import re
from collections.abc import Iterator
from typing import Final

from dealgraph.stream.connectors.raw import KEPT, Line, RawFile, lines
from dealgraph.stream.interaction import Reason

MAX_MAIL: Final = 32 * 1024 * 1024
"""Largest mail with its attachments, in bytes."""

_FROM: Final = re.compile(rb"From [^\r\n]*\d{1,2}:\d{2}")
_ESCAPED: Final = re.compile(rb">+From ")


def raw_mails(file: RawFile) -> Iterator[Line]:
    """Yield each mail, numbered from 1. A "From " line with a time after an empty line begins one."""
    mail = _Mail(1)
    is_mbox, is_blank = False, True
    for line in lines(file):
        begins = is_blank and _FROM.match(line.raw) is not None
        if begins and (is_mbox or not mail.began):
            is_mbox = True
            if mail.began:
                yield mail.line()
                mail = _Mail(mail.number + 1)
            mail.end = line.end
        elif mail.began or line.raw.strip(b"\r\n") or line.fault is not None:
            mail.add(line, is_mbox)
        is_blank = not line.raw.strip(b"\r\n")
    if mail.began:
        yield mail.line()


class _Mail:
    def __init__(self, number: int) -> None:
        self.number = number
        self.end = 0
        self.began = False
        self._raw = bytearray()
        self._fault: tuple[Reason, str] | None = None

    def add(self, line: Line, is_mbox: bool) -> None:
        self.began = True
        self.end = line.end
        raw = line.raw
        if is_mbox and _ESCAPED.match(raw):
            raw = raw[1:]
        self._raw += raw
        if line.fault is not None:
            self._fault = (line.fault, line.detail)
        if len(self._raw) > MAX_MAIL:
            self._fault = (Reason.TOO_LARGE, f"more than {MAX_MAIL} bytes")
            del self._raw[KEPT:]

    def line(self) -> Line:
        reason, detail = self._fault or (None, "")
        return Line(bytes(self._raw), self.number, self.end, reason, detail)
