"""`dealgraph watch-dir`: takes in files as they are dropped into a folder."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import grpc

from dealgraph.server.cli.clock import now_ms
from dealgraph.server.cli.command import FILE, FOLDER, Command, check_address
from dealgraph.server.cli.drop_folder import DropFolder, Report
from dealgraph.server.cli.intake import GateSink, ServerSink, Sink, Tally, bring_in, read_with
from dealgraph.server.client import Client
from dealgraph.server.compose import open_embedded
from dealgraph.server.settings import load
from dealgraph.stream.connectors.connector import Connector, Options
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.mapping import load_mapping
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.connectors.roster import Roster, load_roster
from dealgraph.stream.connectors.stated_options import encode_stated
from dealgraph.stream.meter import SilentMeter

_LOOK_SECONDS: Final = 0.5
_AWAY_SECONDS: Final = 10.0

_HELP: Final = """
Take files in as they are dropped into DIR, and put each away when all it holds is stored.

A file is taken once its size and time were the same for --settle seconds; names that begin with a dot or
end in .part, .tmp and the like are left alone, so write under such a name and rename, or just write. Files
that were read go to DIR/done, those that cannot be read to DIR/failed, each with a report beside it
(NAME.report.json). When the server is away, files wait. Stopped or killed at any moment, nothing is lost
or doubled: start it again. Stop it with Ctrl-C.
"""


def take(file: Path, source: Connector, options: Options, sink: Sink) -> Report:
    """Bring a file in and return what became of it; what it accepted is durable then."""
    tally, error = Tally(), ""
    try:
        steps = read_with(source.parse(file, options), encode_stated(source.name, options))
        bring_in(steps, sink, tally, lambda _: None)
    except SourceError as fault:
        error = str(fault)
    left_out = dict(tally.unreadable + tally.rejected)
    if tally.refused:
        left_out["NO_CONSENT"] = tally.refused.total()
    return Report(file.name, tally.read, tally.accepted, tally.duplicates, left_out, error)


def _take_all(folder: DropFolder, source: Connector, options: Options, sink: Sink) -> int:
    """Take the files that are complete; return how many could not be read."""
    failed = 0
    for file in folder.complete():
        report = take(file, source, options, sink)
        if not folder.is_unchanged(file):
            continue  # somebody wrote on, or took it away: it is looked at again
        target = folder.put_away(file, report)
        failed += bool(report.error)
        left = sum(report.left_out.values())
        click.echo(
            f"{file.name}: {report.accepted:,} accepted, {report.duplicates:,} duplicates, "
            f"{left:,} left out → {target.parent.name}/{target.name}"
        )
    return failed


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        (
            "transcripts that a meeting tool exports",
            "dealgraph watch-dir ./inbox webvtt --roster roster.yaml --target 127.0.0.1:7440",
        ),
        (
            "what lies there now into a data directory, then end",
            "dealgraph watch-dir ./inbox mail --once --data ./mydata",
        ),
    ),
)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.argument("source")
@click.option("--target", callback=check_address, help="Into the server at HOST:PORT.")
@click.option("--data", type=FOLDER, help="Into this data directory, which no server works on.")
@click.option("--settings", type=FILE, help="A TOML file with settings, for --data.")
@click.option("--roster", type=FILE, help="Who is who, and who consented to what (YAML).")
@click.option("--mapping", type=FILE, help="The columns of an event log (YAML).")
@click.option("--settle", type=click.FloatRange(0), default=2.0, show_default=True,
              help="Seconds without a change after which a file is complete.")  # fmt: skip
@click.option("--once", is_flag=True, help="Take what lies there, then end.")
def COMMAND(  # noqa: N802
    folder: Path,
    source: str,
    target: str | None,
    data: Path | None,
    settings: Path | None,
    roster: Path | None,
    mapping: Path | None,
    settle: float,
    once: bool,
) -> int:
    """Take in files as they are dropped into a folder."""
    options = Options(
        roster=load_roster(roster) if roster else Roster(),
        mapping=load_mapping(mapping) if mapping else None,
    )
    reader = connector(source)
    drop = DropFolder(folder, round(settle * 1000), now_ms)
    try:
        with _open_sink(target, data, settings) as sink:
            return _watch(drop, reader, options, sink, settle if once else None)
    except KeyboardInterrupt:
        return 0  # the way in which watching ends


@contextmanager
def _open_sink(target: str | None, data: Path | None, settings: Path | None) -> Iterator[Sink]:
    """Yield where files go: a server, or a data directory whose graph is built beside."""
    if (target is None) == (data is None):
        raise click.UsageError("Say where the files go: --data DIR or --target HOST:PORT.")
    if target is not None:
        with Client(target) as client:
            yield ServerSink(client)
    elif data is not None:
        embedded = open_embedded(data, load(settings), now_ms, SilentMeter())
        try:
            embedded.runner.start()
            yield GateSink(embedded.gate)
            embedded.finish()
        finally:
            embedded.close()


def _watch(
    drop: DropFolder, reader: Connector, options: Options, sink: Sink, once: float | None
) -> int:
    if once is not None:
        drop.complete()
        time.sleep(once)
        return 1 if _take_all(drop, reader, options, sink) else 0
    while True:
        try:
            _take_all(drop, reader, options, sink)
        except grpc.RpcError as error:
            words = error.details() if isinstance(error, grpc.Call) else str(error)
            click.echo(f"The server does not answer ({words}); the files wait.", err=True)
            time.sleep(_AWAY_SECONDS)
        time.sleep(_LOOK_SECONDS)
