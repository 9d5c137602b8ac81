"""The options of an import as bytes: what it takes to read its dead letters again.

They hold roster, mapping and metrics whole, and are kept once for all records that were read with them.
"""

from collections.abc import Mapping as MappingOf
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.mapping import Mapping
from dealgraph.stream.connectors.metric_schemas import MetricSchema
from dealgraph.stream.connectors.roster import Roster, RosterDocument

MAX_STATED: Final = 1024 * 1024
"""Largest options that are kept, in bytes; records read with larger ones can only be imported again."""


class Stated(Struct, frozen=True, omit_defaults=True):
    """What a user stated, and to which connector; what is None or empty was not stated."""

    connector: str = ""
    roster: RosterDocument | None = None
    mapping: Mapping | None = None
    metrics: MappingOf[str, MetricSchema] | None = None
    session: str = ""
    opportunity: str = ""
    customer: str = ""
    rep: str = ""
    started_at: int | None = None

    def options(self) -> Options:
        """Return the options. Raises SourceError when the roster contradicts itself."""
        return Options(
            roster=Roster(self.roster),
            mapping=self.mapping,
            metrics=self.metrics,
            session=self.session,
            opportunity=self.opportunity,
            customer=self.customer,
            rep=self.rep,
            started_at=self.started_at,
        )

    def corrected_by(self, other: "Stated") -> "Stated":
        """Return this with whatever `other` states in its place."""
        fields = msgspec.structs.asdict(other)
        return replace(self, **{name: value for name, value in fields.items() if value})


NOTHING: Final = Stated()


def encode_stated(connector: str, options: Options) -> bytes:
    """Return options as bytes, b"" when they are too large to be kept."""
    document = options.roster.document
    stated = Stated(
        connector=connector,
        roster=None if document == RosterDocument() else document,
        mapping=options.mapping,
        metrics=options.metrics,
        session=options.session,
        opportunity=options.opportunity,
        customer=options.customer,
        rep=options.rep,
        started_at=options.started_at,
    )
    raw = msgspec.json.encode(stated)
    return raw if len(raw) <= MAX_STATED else b""


def decode_stated(raw: bytes) -> Stated:
    """Return what bytes state; b"" states nothing. Raises SourceError for others than those encoded."""
    if not raw:
        return NOTHING
    try:
        return msgspec.json.decode(raw, type=Stated)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(f"What the records were read with cannot be read: {error}.") from error
