"""The connector of metrics: values about customers in CSV, JSON or JSON lines, or as CloudEvents.

A record has `subject`, `name`, `value`, `unit` and `time`, and may have `source` and `trust`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from dealgraph.graph.model import Channel
from dealgraph.stream.connectors.connector import Options, Parsed
from dealgraph.stream.connectors.json_records import JsonRecords
from dealgraph.stream.connectors.mapping import Mapping as ColumnMapping
from dealgraph.stream.connectors.mapping import TimeMapping
from dealgraph.stream.connectors.metric_schemas import known_metrics
from dealgraph.stream.connectors.metric_signals import SOURCE, metric_signal
from dealgraph.stream.connectors.raw import RecordError, provenance, rejected
from dealgraph.stream.connectors.records import Record, read_kept, read_records
from dealgraph.stream.interaction import Interaction, Provenance, Rejected

VERSION: Final = "1"
_COLUMNS: Final = ColumnMapping(
    kind="metric",
    channel="crm",
    time=TimeMapping(source="{time}"),
    text="{subject}{name}{value}{unit}",
)
"""The columns that a file of metrics must have; only its reading as a table follows from it."""


class Metrics:
    """Reads metrics. Positions are "file:row"."""

    name = SOURCE
    summary = "measured values (uptime, payment terms, NPS, news): CSV, JSONL, JSON, CloudEvents"

    def parse(self, path: Path, options: Options) -> Iterator[Parsed]:
        """Yield what the roster states, then the metrics."""
        for stated in options.roster.events():
            yield Parsed(stated, 0)
        for record in read_records(path, _COLUMNS):
            yield Parsed(_one(record, f"{path.name}:{record.row}", options), record.end)

    def parse_record(
        self, raw: bytes, position: str, options: Options
    ) -> list[Interaction | Rejected]:
        """Parse a record again, or a CloudEvent or an array of them as they come."""
        if raw.lstrip()[:1] in (b"{", b"["):
            return _REQUESTS.parse_record(raw, position, options)
        row = position.rpartition(":")[2]
        number = int(row) if row.isascii() and row.isdecimal() else 1
        return [_one(read_kept(raw, "kept.csv", number, _COLUMNS), position, options)]


def _one(record: Record, position: str, options: Options) -> Interaction | Rejected:
    try:
        if record.error is not None:
            raise record.error
        origin = provenance(SOURCE, VERSION, record.raw, position)
        return _signal(record.values, origin, options)[0]
    except RecordError as error:
        return rejected(SOURCE, position, error, record.kept, Channel.CRM)


def _signal(values: Mapping[str, Any], origin: Provenance, options: Options) -> list[Interaction]:
    return [metric_signal(values, options.metrics or known_metrics()).interaction(origin)]


_REQUESTS: Final = JsonRecords(SOURCE, Metrics.summary, Channel.CRM, _signal)
CONNECTOR: Final = Metrics()
