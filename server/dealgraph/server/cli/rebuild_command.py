"""`dealgraph rebuild`: makes the graph anew from the log."""

from pathlib import Path
from typing import Final

import click

from dealgraph.graph.hash import graph_hash
from dealgraph.server.cli.building import build_graph
from dealgraph.server.cli.clock import now_ms
from dealgraph.server.cli.command import FILE, FOLDER, Command, CommandError
from dealgraph.server.compose import rebuilding
from dealgraph.server.settings import load
from dealgraph.stream.meter import SilentMeter

_HELP: Final = """
Make the graph of a data directory anew from its log, and print the graph hash.

The same log and settings always give the same graph and so the same hash, on any machine. Use it after a new
version of the rules, after damage to graph.db, or to check that a copy is whole. What people decided
about alerts is kept. The graph that was there stays until the new one is whole. Stop the server on that
directory first.
"""


@click.command(
    cls=Command,
    help=_HELP,
    examples=(("make the graph anew and print its hash", "dealgraph rebuild --data ./mydata"),),
)
@click.option("--data", required=True, type=FOLDER, help="The data directory.")
@click.option("--settings", "file", type=FILE, help="A TOML file with settings.")
def COMMAND(data: Path, file: Path | None) -> int:  # noqa: N802
    """Make the graph anew from the log; print its hash."""
    if not (data / "log.db").exists():
        raise CommandError(
            f"{data} holds no log. Name the directory that `serve` or `import` filled."
        )
    settings = load(file)
    with rebuilding(data, settings, now_ms, SilentMeter()) as embedded:
        build_graph(embedded)
        found = graph_hash(embedded.graph)
    click.echo(found)
    return 0
