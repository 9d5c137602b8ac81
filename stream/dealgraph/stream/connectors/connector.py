"""The port of connectors: from a raw source to interactions, one record at a time.

A connector is a module of this package with a value `CONNECTOR`; the registry finds it by its name.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from dealgraph.stream.connectors.mapping import Mapping
from dealgraph.stream.connectors.roster import Roster
from msgspec import Struct

from dealgraph.stream.interaction import Interaction, Rejected


class Parsed(Struct, frozen=True):
    """One step of a parser: an interaction or why there is none, and how far the file was read.

    `bytes_read` is the position in the file after this record, for the progress bar.
    """

    item: Interaction | Rejected
    bytes_read: int


class Options(Struct, frozen=True):
    """What a user states about a source besides its files.

    `roster` maps speakers and native ids to people, `mapping` names the columns of an event log.
    The other fields fill what a source does not say: `session`, `opportunity`, `customer`, `rep`,
    and `started_at`, the start of a recording in ms, for sources that count from 0.
    """

    roster: Roster
    mapping: Mapping | None = None
    session: str = ""
    opportunity: str = ""
    customer: str = ""
    rep: str = ""
    started_at: int | None = None


class Connector(Protocol):
    """Reads one kind of source."""

    @property
    def name(self) -> str:
        """The SOURCE of `dealgraph import SOURCE PATH…`."""
        ...

    @property
    def summary(self) -> str:
        """One line of help."""
        ...

    def parse(self, path: Path, options: Options) -> Iterator[Parsed]:
        """Yield what the file holds, in its order, in bounded memory; bad records are Rejected.

        Raises SourceError only when the file as a whole cannot be opened.
        """
        ...

    def parse_record(
        self, raw: bytes, position: str, options: Options
    ) -> list[Interaction | Rejected]:
        """Parse one raw record again, as kept in a dead letter."""
        ...


class SourceError(Exception):
    """The source as a whole cannot be read; the message says what to do next."""


Progress = Callable[[int, int], None]
"""Called with bytes read and bytes in all."""
