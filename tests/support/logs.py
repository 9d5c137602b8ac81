"""Logs, gates and records for tests."""

from pathlib import Path

from dealgraph.graph.storage import Database
from dealgraph.stream.channel_book import ChannelBook
from dealgraph.stream.channels import load_rules
from dealgraph.stream.consent import ConsentPolicy
from dealgraph.stream.erasures import Erasures
from dealgraph.stream.ingest import Gate
from dealgraph.stream.log import EventLog, NewRecord, Topic
from dealgraph.stream.meter import Meter, SilentMeter
from dealgraph.stream.sqlite_log import SCHEMA, SqliteLog
from dealgraph.stream.validation import Limits
from tests.support.interactions import DAY, MONDAY, TENANT

NOON: int = MONDAY + 60 * DAY
"""What the clock of a test gate says: later than all that the builders make."""


def open_log(directory: Path, *, durable: bool = False) -> SqliteLog:
    """Return a log that keeps all topics in one file of `directory`."""
    database = Database(directory / "log.db", SCHEMA, version=1, durable=durable)
    return SqliteLog(dict.fromkeys(Topic, database))


def open_split_log(directory: Path) -> SqliteLog:
    """Return a log that keeps the alerts in a file of their own, as beside the graph."""
    log = Database(directory / "log.db", SCHEMA, version=1, durable=False)
    graph = Database(directory / "graph.db", SCHEMA, version=1, durable=False)
    return SqliteLog({**dict.fromkeys(Topic, log), Topic.ALERTS: graph})


def open_gate(
    log: EventLog,
    *,
    policy: ConsentPolicy | None = None,
    now: int = NOON,
    meter: Meter | None = None,
) -> Gate:
    """Return a gate of `TENANT` whose clock stands at `now`."""
    channels = ChannelBook(log, load_rules(), "count")
    policy, meter = policy or ConsentPolicy(), meter or SilentMeter()
    erasures = Erasures(log, "a secret")
    return Gate(log, TENANT, policy, Limits(), lambda: now, meter, channels, erasures)


def record(id_: str, body: str = "body", at: int = MONDAY) -> NewRecord:
    """Return a record whose digest is its body."""
    return NewRecord(id_, body.encode(), at, body.encode())
