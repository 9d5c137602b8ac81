"""`dealgraph import`: brings files of interactions in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import click
from msgspec import Struct
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from dealgraph.server.cli.building import build_graph
from dealgraph.server.cli.clock import now_ms
from dealgraph.server.cli.command import FILE, FOLDER, Command, check_address
from dealgraph.server.cli.import_report import show_counts, show_report
from dealgraph.server.cli.intake import GateSink, ServerSink, Sink, Tally, bring_in, read_with
from dealgraph.server.cli.terminal import console
from dealgraph.server.client import Client
from dealgraph.server.compose import open_embedded
from dealgraph.server.settings import load
from dealgraph.stream.connectors.connector import Connector, Options
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.mapping import load_mapping
from dealgraph.stream.connectors.metric_schemas import load_metrics
from dealgraph.stream.connectors.registry import connector, connectors
from dealgraph.stream.connectors.roster import Roster, load_roster
from dealgraph.stream.connectors.stated_options import encode_stated
from dealgraph.stream.connectors.times import iso_ms
from dealgraph.stream.meter import SilentMeter

PARTLY: Final = 3
"""Exit status when all files were read and some records were left out."""

_HELP: Final = """
Bring files of interactions in, to a data directory (--data) or to a running server (--target).

SOURCE says how the files are written; `dealgraph import --sources` lists what there is. A roster says
who is behind the names in the files and who consented to what: calls are refused without the rep's
consent. An event log also needs a mapping of its columns.

Importing is idempotent: what is in already counts as a duplicate. So after Ctrl-C, or after a fix of
the roster, import the same files again.

\b
Exit status:
  0  everything came in (or was in before)
  1  a file could not be read, or the import failed
  3  all files were read, but some records were left out; the report says why
"""


class _Stated(Struct, frozen=True):
    """What the options state."""

    source: Connector
    options: Options
    encoded: bytes
    paths: tuple[Path, ...]


def _started_at(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> int | None:
    if value is None:
        return None
    try:
        return iso_ms(value)
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r} is no time. Write for example 2026-03-02T09:30:00+08:00."
        ) from error


def _list_sources(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        for name, source in connectors().items():
            click.echo(f"{name:<16} {source.summary}")
        context.exit(0)


@contextmanager
def _open_sink(data: Path | None, target: str | None, settings: Path | None) -> Iterator[Sink]:
    """Yield where the batches go; a data directory's dataflow runs to the end afterwards."""
    if target is not None:
        with Client(target) as client:
            yield ServerSink(client)
        return
    if data is None:
        raise click.UsageError("Say where to: --data DIR or --target HOST:PORT.")
    embedded = open_embedded(data, load(settings), now_ms, SilentMeter())
    try:
        yield GateSink(embedded.gate)
        build_graph(embedded)
        show_counts(console(), embedded.graph.counts())
    finally:
        embedded.close()


@contextmanager
def _progress(paths: tuple[Path, ...]) -> Iterator[Callable[[Path, int], None]]:
    """Yield a function that shows how far a file was read; without a terminal it shows nothing."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    )  # fmt: skip
    screen = console(stderr=True)
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as progress:
        tasks = {
            path: progress.add_task(path.name, total=path.stat().st_size if path.exists() else None)
            for path in paths
        }
        yield lambda path, done: progress.update(tasks[path], completed=done)


def _import(stated: _Stated, sink: Sink, tally: Tally) -> int:
    """Import every file; return how many could not be read."""
    failed = 0
    with _progress(stated.paths) as show:
        for path in stated.paths:
            try:
                steps = read_with(stated.source.parse(path, stated.options), stated.encoded)
                bring_in(steps, sink, tally, lambda done, path=path: show(path, done))  # type: ignore[misc]
            except SourceError as error:
                failed += 1
                click.echo(f"Error: {error}", err=True)
    return failed


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        (
            "a call, with the roster that says who speaks",
            "dealgraph import webvtt call.vtt --roster roster.yaml --session call-7 "
            "--opportunity opp-1 --started-at 2026-03-02T09:30:00Z --data ./mydata",
        ),
        (
            "two mailboxes, into a running server",
            "dealgraph import mail lin.mbox shen.mbox --roster roster.yaml --target 127.0.0.1:7440",
        ),
        (
            "what Whisper heard in a recording",
            "dealgraph import whisper call.json --roster roster.yaml --started-at "
            "2026-03-02T09:30:00+08:00 --data ./mydata",
        ),
        (
            "events that Salesforce or HubSpot sent, kept as JSON lines",
            "dealgraph import salesforce changes.jsonl --data ./mydata",
        ),
        (
            "measured values, with metrics of your own",
            "dealgraph import metrics uptime.csv --metrics metrics.yaml --data ./mydata",
        ),
        (
            "a CSV file, with a mapping of its columns",
            "dealgraph import eventlog changes.csv --mapping crm-mapping.yaml --data ./mydata",
        ),
    ),
)
@click.argument("source")
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--data", type=FOLDER, help="Import into this data directory.")
@click.option("--target", callback=check_address, help="Import into the server at HOST:PORT.")
@click.option("--roster", type=FILE, help="Who is who, and who consented to what (YAML).")
@click.option("--mapping", type=FILE, help="The columns of an event log (YAML).")
@click.option("--metrics", type=FILE, help="Metrics and their units, beside those known (YAML).")
@click.option("--session", default="", help="The session that the files belong to.")
@click.option("--opportunity", default="", help="The opportunity that the files concern.")
@click.option("--customer", default="", help="The customer that the files concern.")
@click.option("--rep", default="", help="The rep who holds the conversation.")
@click.option("--started-at", callback=_started_at, help="When a recording began (ISO 8601).")
@click.option("--settings", type=FILE, help="A TOML file with settings, for --data.")
@click.option("--sources", is_flag=True, is_eager=True, expose_value=False,
              callback=_list_sources, help="List the sources and exit.")  # fmt: skip
def COMMAND(  # noqa: N802
    source: str,
    paths: tuple[Path, ...],
    data: Path | None,
    target: str | None,
    roster: Path | None,
    mapping: Path | None,
    metrics: Path | None,
    session: str,
    opportunity: str,
    customer: str,
    rep: str,
    started_at: int | None,
    settings: Path | None,
) -> int:
    """Bring files of interactions in."""
    if data is not None and target is not None:
        raise click.UsageError("Give --data or --target, not both.")
    options = Options(
        roster=load_roster(roster) if roster else Roster(),
        mapping=load_mapping(mapping) if mapping else None,
        session=session,
        opportunity=opportunity,
        customer=customer,
        rep=rep,
        started_at=started_at,
        metrics=load_metrics(metrics) if metrics else None,
    )
    stated = _Stated(
        connector(source), options, encode_stated(source, options), tuple(dict.fromkeys(paths))
    )
    tally = Tally()
    with ExitStack() as resources:
        sink = resources.enter_context(_open_sink(data, target, settings))
        try:
            failed = _import(stated, sink, tally)
        except KeyboardInterrupt:
            show_report(console(), tally)
            click.echo("Import the same files again to bring in the rest.", err=True)
            raise
        show_report(console(), tally)
    if failed:
        return 1
    return PARTLY if tally.left_out else 0
