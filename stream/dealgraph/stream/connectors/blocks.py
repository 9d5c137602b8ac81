"""Blocks of lines, such as the cues of a transcript: collected within bounds, numbered."""

from msgspec import Struct

from dealgraph.stream.connectors.raw import KEPT, MAX_RECORD, Line
from dealgraph.stream.interaction import Reason


class Block(Struct, gc=False):
    """Lines that belong together. `raw` is cut and `fault` says so when there are too many."""

    raw: bytes
    number: int
    end: int
    fault: Reason | None = None
    detail: str = ""


class Building:
    """The block that is being read. `timed` says that a line with times was in it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.began = False
        self.timed = False
        self._raw = bytearray()
        self._end = 0
        self._fault: tuple[Reason, str] | None = None

    def add(self, line: Line) -> None:
        """Add a line; of a block that gets too large only the head is kept."""
        self.began = True
        self.timed = self.timed or b"-->" in line.raw
        self._end = line.end
        self._raw += line.raw
        if line.fault is not None:
            self._fault = (line.fault, line.detail)
        if len(self._raw) > MAX_RECORD:
            self._fault = (Reason.TOO_LARGE, f"a block of more than {MAX_RECORD} bytes")
            del self._raw[KEPT:]

    def block(self) -> Block:
        """Return the block as read."""
        reason, detail = self._fault or (None, "")
        return Block(bytes(self._raw), self.number, self._end, reason, detail)
