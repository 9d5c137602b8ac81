"""`dealgraph report`: what the data itself looks like."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from google.protobuf.json_format import MessageToJson
from rich.table import Table

from dealgraph.api.v1 import channel_service_pb2 as channels
from dealgraph.api.v1 import report_service_pb2 as pb
from dealgraph.server.capture_book import CaptureBook
from dealgraph.server.cli.clock import now_ms
from dealgraph.server.cli.command import FILE, FOLDER, Command, CommandError, check_address
from dealgraph.server.cli.terminal import console, table
from dealgraph.server.client import Client
from dealgraph.server.compose import open_embedded
from dealgraph.server.report_service import capture_message
from dealgraph.server.settings import load
from dealgraph.stream.capture import TRACEABLE_BAR
from dealgraph.stream.meter import SilentMeter

_HELP: Final = """
Show how much of what happens comes in: per rep, team and source.

NAME is `capture`. The conversations that were captured are laid beside the activities that reps list in the
customer relationship system: how many of them are listed, how many listed ones were captured, in which
order, which keys are missing, and how many interactions can be followed from source to report. Clocks of
sources that saw the same events are compared; one that is surely off is proposed to be corrected.
"""
_WORDS: Final = {1: "all", 2: "rep", 3: "team", 4: "source"}


def _percent(message: pb.CaptureRow, name: str) -> str:
    return f"{getattr(message, name):.1%}" if message.HasField(name) else "–"  # type: ignore[arg-type]


def _capture_table(rows: Sequence[pb.CaptureRow]) -> Table:
    numbers = (
        "captured", "of them listed", "listed", "of them captured", "inversions", "traceable",
    )  # fmt: skip
    columns = ("by", "name", *numbers[:4], "inversions", "missing keys", "traceable")
    shown = table("Capture", columns, numbers)
    for row in rows:
        missing = ", ".join(f"{name} {count}" for name, count in sorted(row.missing_keys.items()))
        shown.add_row(
            _WORDS[row.dimension],
            row.key or ("" if row.dimension == 1 else "(none named)"),
            f"{row.captured:,}",
            _percent(row, "recording_coverage"),
            f"{row.logged:,}",
            _percent(row, "capture_coverage"),
            f"{row.order_inversions:,}",
            missing,
            _percent(row, "traceable_ratio"),
        )
    return shown


def _clock_table(clocks: Sequence[pb.ClockSkew]) -> Table:
    numbers = ("by ms", "± ms", "seen twice")
    shown = table("Clocks", ("clock of", "is ahead of", *numbers, "corrected"), numbers)
    for clock in clocks:
        shown.add_row(
            clock.source,
            clock.reference,
            f"{clock.offset_ms:,}",
            f"{clock.margin_ms:,}",
            f"{clock.pairs:,}",
            "yes" if clock.corrected else "proposed" if clock.proposed else "no",
        )
    return shown


def _ask(
    data: Path | None, target: str | None, settings: Path | None
) -> pb.GetCaptureQualityResponse:
    if target is not None and data is None:
        with Client(target) as client:
            return client.report.GetCaptureQuality(pb.GetCaptureQualityRequest())
    if data is None or target is not None:
        raise click.UsageError("Say of what: --data DIR or --target HOST:PORT.")
    embedded = open_embedded(data, load(settings), now_ms, SilentMeter())
    try:
        return capture_message(CaptureBook(embedded.log, embedded.graph, embedded.gate).report())
    finally:
        embedded.close()


def _correct(target: str | None, source: str) -> int:
    """Correct a clock by the source that the report compares it with."""
    if target is None:
        raise click.UsageError("A clock is corrected on a server: name it with --target HOST:PORT.")
    with Client(target) as client:
        clocks = client.report.GetCaptureQuality(pb.GetCaptureQualityRequest()).clocks
        found = next((clock for clock in clocks if clock.source == source), None)
        if found is None:
            raise CommandError(
                f"No event was seen by {source!r} and by another source: see the report."
            )
        request = channels.CorrectClockRequest(source=source, reference=found.reference)
        answer = client.channel.CorrectClock(request)
    click.echo(
        f"{source} is set back by {answer.offset_ms:,} ms (± {answer.margin_ms:,}) from now on"
    )
    return 0


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        ("of a running server", "dealgraph report capture --target 127.0.0.1:7440"),
        ("of a data directory, as JSON", "dealgraph report capture --data ./mydata --json"),
        (
            "set the clock of a source right that the report proposes",
            "dealgraph report capture --correct-clock crm --target 127.0.0.1:7440",
        ),
    ),
)
@click.argument("name", type=click.Choice(["capture"]))
@click.option("--data", type=FOLDER, help="Of this data directory.")
@click.option("--target", callback=check_address, help="Of the server at HOST:PORT.")
@click.option("--settings", type=FILE, help="A TOML file with settings, for --data.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--correct-clock", metavar="SOURCE", help="Correct the clock of a source, with --target."
)
def COMMAND(  # noqa: N802
    name: str,
    data: Path | None,
    target: str | None,
    settings: Path | None,
    as_json: bool,
    correct_clock: str | None,
) -> int:
    """Show how much of what happens comes in."""
    if correct_clock is not None:
        return _correct(target, correct_clock)
    answer = _ask(data, target, settings)
    if as_json:
        click.echo(MessageToJson(answer, always_print_fields_with_no_presence=True))
        return 0
    out = console()
    out.print(_capture_table(answer.rows))
    if answer.clocks:
        out.print(_clock_table(answer.clocks))
    out.print(f"Asked for: {TRACEABLE_BAR:.1%} traceable.")
    return 0
