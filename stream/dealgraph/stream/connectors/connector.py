"""The port of connectors: from a raw source to interactions, one record at a time.

A connector is a module of this package with a value `CONNECTOR`; the registry finds it by its name.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.mapping import Mapping
from dealgraph.stream.connectors.metric_schemas import MetricSchemas
from dealgraph.stream.connectors.roster import Defaults, Roster
from dealgraph.stream.interaction import Interaction, Rejected

__all__ = ["Connector", "Options", "Parsed", "Progress", "SourceError"]


class Parsed(Struct, frozen=True):
    """One step of a parser: an interaction or why there is none, and how far the file was read.

    `bytes_read` is the position in the file after this record, for the progress bar.
    """

    item: Interaction | Rejected
    bytes_read: int


class Options(Struct, frozen=True):
    """What a user states about a source besides its files.

    `roster` maps speakers and native ids to people, `mapping` names the columns of an event log,
    `metrics` says what is known about metrics (None: what is shipped).
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
    metrics: MetricSchemas | None = None

    def defaults(self) -> Defaults:
        """Return what fills the places that a source leaves open: these fields, else the roster's."""
        stated = self.roster.defaults
        return Defaults(
            session=self.session or stated.session,
            opportunity=self.opportunity or stated.opportunity,
            customer=self.customer or stated.customer,
            rep=self.rep or stated.rep,
            started_at=stated.started_at if self.started_at is None else self.started_at,
            event=stated.event,
        )


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


Progress = Callable[[int, int], None]
"""Called with bytes read and bytes in all."""
