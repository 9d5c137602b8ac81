"""`dealgraph signals explain`: one signal in words, what it rests on, and its statistic over time."""

from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dealgraph.api.v1 import signal_pb2
from dealgraph.api.v1 import signal_service_pb2 as pb
from dealgraph.graph.model import SignalState
from dealgraph.server.cli.alert_words import bare_id, quotes_in, signal_title, standing
from dealgraph.server.cli.clock import now_ms
from dealgraph.server.cli.command import FILE, FOLDER, Command, CommandError, check_address
from dealgraph.server.cli.signal_chart import terminal_chart, write_png
from dealgraph.server.cli.terminal import console, moment
from dealgraph.server.client import Client
from dealgraph.server.compose import open_embedded
from dealgraph.server.settings import load
from dealgraph.server.signal_book import SignalBook
from dealgraph.server.signal_messages import point_message
from dealgraph.server.signal_service import ground_message
from dealgraph.stream.meter import SilentMeter

_ANSWER_SECONDS: Final = 30.0
_WIDEST: Final = 110
_LEAST_POINTS: Final = 2

Explained = tuple[pb.GetSignalResponse, pb.GetSignalSeriesResponse]


@click.command(
    "explain",
    cls=Command,
    help="""
    Say why a signal was raised: in words, by what was said, and by its statistic over time.

    ID is that of a signal, as alerts carry it. The statistic is worked out anew from the history in the graph
    by the rule in force, and drawn with its threshold.
    """,
    examples=(
        ("of a running server", "dealgraph signals explain ID --target 127.0.0.1:7440"),
        ("with a picture", "dealgraph signals explain ID --data ./mydata --png signal.png"),
    ),
)
@click.argument("signal_id", metavar="ID")
@click.option("--data", type=FOLDER, help="Of this data directory, while no server runs on it.")
@click.option("--target", callback=check_address, help="Of the server at HOST:PORT.")
@click.option("--settings", type=FILE, help="A TOML file with settings, for --data.")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path),
              help="Draw the statistic into this file, too.")  # fmt: skip
def EXPLAIN(  # noqa: N802
    signal_id: str, data: Path | None, target: str | None, settings: Path | None, png: Path | None
) -> int:
    """Say why a signal was raised."""
    ground, series = _ask(signal_id, data, target, settings)
    out = console()
    show_signal(out, ground, series)
    if png is not None:
        if not series.points:
            raise CommandError("There is nothing to draw: the rule in force finds no such signal.")
        try:
            write_png(series.points, signal_title(ground.signal), png)
        except OSError as error:
            raise CommandError(f"{png} cannot be written: {error}. Choose another file.") from error
        out.print(f"Drawn into {png}.", markup=False)
    return 0


def _ask(signal_id: str, data: Path | None, target: str | None, settings: Path | None) -> Explained:
    if target is not None and data is None:
        with Client(target) as client:
            return fetch_explained(client, signal_id)
    if data is None or target is not None:
        raise click.UsageError("Say of what: --data DIR or --target HOST:PORT.")
    embedded = open_embedded(data, load(settings), now_ms, SilentMeter())
    try:
        book = SignalBook(embedded.graph, embedded.baselines.detectors_at, [])
        ground = book.ground(signal_id)
        if ground is None:
            raise CommandError("There is no such signal. Take the id from an alert or ListSignals.")
        points = [point_message(point) for point in book.points(ground.versions[-1])]
        return ground_message(ground), pb.GetSignalSeriesResponse(points=points)
    finally:
        embedded.close()


def fetch_explained(client: Client, signal_id: str) -> Explained:
    """Fetch a signal with its ground and its series. Raises grpc.RpcError."""
    ground = client.signal.GetSignal(
        pb.GetSignalRequest(signal_id=signal_id), timeout=_ANSWER_SECONDS
    )
    series = client.signal.GetSignalSeries(
        pb.GetSignalSeriesRequest(signal_id=signal_id), timeout=_ANSWER_SECONDS
    )
    return ground, series


def show_signal(
    out: Console, ground: pb.GetSignalResponse, series: pb.GetSignalSeriesResponse
) -> None:
    """Print a signal: what it says, its course, the words it rests on, its statistic over time."""
    signal = ground.signal
    out.print(Text(signal_title(signal), style="bold"))
    rows = Table.grid(padding=(0, 1))
    rows.add_column(style="dim", min_width=9, justify="right")
    rows.add_column()
    for name, fact in _facts(signal):
        if fact:
            rows.add_row(name, Text(fact))
    for index, version in enumerate(ground.versions):
        rows.add_row("course" if index == 0 else "", Text(_step(version)))
    nodes = {node.ref.id: node for node in ground.nodes}
    for index, quote in enumerate(quotes_in(nodes, signal.evidence_ids)):
        rows.add_row("said" if index == 0 else "", Text(str(quote)))
    out.print(rows, "")
    if len(series.points) >= _LEAST_POINTS:
        width = min(out.width, _WIDEST)
        out.print(terminal_chart(series.points, width), markup=False)
    elif series.points:
        out.print("There is one moment only: nothing to draw.", style="dim")
    else:
        out.print("The rule in force does not find it in the history of today.", style="dim")


def _facts(signal: signal_pb2.DecisionSignal) -> list[tuple[str, str]]:
    deal = " · ".join(filter(None, (signal.customer_id, signal.opportunity_id)))
    measured = (
        f"{signal.statistic:.3g}, threshold {signal.threshold:.3g}, usual {signal.baseline:.3g}; "
        f"{signal.exposure_minutes:.0f} minutes of customer talk observed"
    )
    if signal.minimum_effect:
        measured += f"; least change that can be found: {signal.minimum_effect:.3g}"
    return [
        ("deal", deal),
        ("session", signal.session_id),
        ("rep", bare_id(signal.rep_id)),
        ("means", standing(signal.polarity, signal.level)),
        ("why", signal.explanation),
        ("do", signal.suggestion),
        ("measured", measured),
        ("rule", f"{signal.rule}, version {signal.rule_version}"),
        ("usual by", _baselines(signal.baselines_version)),
        ("id", signal.id),
    ]


def _baselines(version: int) -> str:
    """Return from where the rule knew what is usual when the deal began."""
    return f"learnt baselines, version {version}" if version else "shipped baselines"


def _step(version: signal_pb2.DecisionSignal) -> str:
    state = SignalState(version.state).name.lower()
    return (
        f"{moment(version.changed_at_ms)}: {state}, {version.statistic:.3g} against "
        f"{version.threshold:.3g} (known {moment(version.recorded_at_ms)})"
    )
