"""`dealgraph serve`: a server on a data directory."""

import asyncio
from pathlib import Path
from typing import Final

import click
from msgspec.structs import replace

from dealgraph.server import logs
from dealgraph.server.cli.clock import now_ms
from dealgraph.server.cli.command import FILE, FOLDER, Command, CommandError, check_address
from dealgraph.server.compose import open_embedded
from dealgraph.server.metrics import Metrics
from dealgraph.server.serve import ServerFailedError, serve
from dealgraph.server.settings import Settings, load
from dealgraph.stream.connectors.registry import connectors

_HELP: Final = """
Start a server on a data directory, which is made when it does not exist.

gRPC answers on --listen (ingest, graph, alerts, live sessions, health, reflection), Prometheus
metrics on --metrics. Ctrl-C drains and stops; a second Ctrl-C stops at once. Either way nothing that
was acknowledged is lost, and the next start goes on where this one ended.

One process works on a data directory at a time. Settings come from --settings (TOML) and from the
environment (DEALGRAPH_SERVER__LISTEN and so on); the options here win over both.
"""


def settings_with(file: Path | None, listen: str | None, metrics: str | None) -> Settings:
    """Return the settings with these addresses laid over them."""
    settings = load(file)
    server = settings.server
    server = replace(server, listen=listen or server.listen, metrics=metrics or server.metrics)
    return replace(settings, server=server)


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        ("start on the usual ports", "dealgraph serve --data ./mydata"),
        (
            "choose where to listen; port 0 takes a free one and says which",
            "dealgraph serve --data ./mydata --listen 127.0.0.1:0 --metrics 127.0.0.1:0",
        ),
        ("see what it offers", "grpcurl -plaintext 127.0.0.1:7440 list"),
    ),
)
@click.option("--data", required=True, type=FOLDER, help="The data directory.")
@click.option("--listen", callback=check_address, help="HOST:PORT of gRPC [127.0.0.1:7440].")
@click.option("--metrics", callback=check_address, help="HOST:PORT of metrics [127.0.0.1:7441].")
@click.option("--settings", "file", type=FILE, help="A TOML file with settings.")
def COMMAND(data: Path, listen: str | None, metrics: str | None, file: Path | None) -> int:  # noqa: N802
    """Start a server on a data directory."""
    settings = settings_with(file, listen, metrics)
    logs.configure(now_ms)
    meters = Metrics(now_ms, connectors())
    embedded = open_embedded(data, settings, now_ms, meters)
    try:
        asyncio.run(serve(embedded, settings, meters, now_ms, click.echo))
    except ServerFailedError as error:
        raise CommandError(str(error)) from error
    finally:
        embedded.close()
    return 0
