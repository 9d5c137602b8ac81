"""`dealgraph watch`: live alerts in the terminal."""

from pathlib import Path
from typing import Final

import click
import grpc

from dealgraph.api.v1 import alert_pb2, alert_service_pb2
from dealgraph.graph.model import Severity, SignalKind
from dealgraph.server.cli.alert_words import quotes_of, render_alert
from dealgraph.server.cli.command import Command, CommandError, check_address
from dealgraph.server.cli.terminal import console
from dealgraph.server.client import Client

_HELP: Final = """
Show alerts as they arrive: how severe, what, whose deal, why, what to do, and the words it rests on.

When the connection breaks, watch connects again and goes on after the last alert shown; nothing is
left out or shown twice. With --resume FILE it also goes on where the last run ended. Stop it with Ctrl-C.
"""

_PRESETS: Final = {
    "latest": alert_service_pb2.START_PRESET_LATEST,
    "earliest": alert_service_pb2.START_PRESET_EARLIEST,
}
_KINDS: Final = [kind.name.lower() for kind in SignalKind]
_USELESS_TOKEN: Final = (grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.INVALID_ARGUMENT)
_ATTEMPTS: Final = 1000
"""Attempts to connect again, ten seconds apart: a server may be away over lunch."""

_SEVERITIES: Final = [severity.name.lower() for severity in Severity]


class Bookmark:
    """The resume token in a file; without a file it is forgotten."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def read(self) -> str:
        """Return the token of the last run, "" when there is none."""
        if self._file is None or not self._file.exists():
            return ""
        return self._file.read_text(encoding="utf-8").strip()

    def write(self, token: str) -> None:
        """Keep the token, whole or not at all."""
        if self._file is not None:
            fresh = self._file.with_name(self._file.name + ".new")
            fresh.write_text(token + "\n", encoding="utf-8")
            fresh.replace(self._file)


def _tell(error: grpc.RpcError, delay: float) -> None:
    words = error.details() if isinstance(error, grpc.Call) else str(error)
    click.echo(f"No connection ({words}); next attempt in {delay:.1f} s.", err=True)


def _watch(
    client: Client,
    alert_filter: alert_service_pb2.AlertFilter,
    start: alert_service_pb2.StreamStart,
    bookmark: Bookmark,
    most: int | None,
) -> int:
    """Show alerts until `most` were shown, or for ever."""
    out = console()
    alerts = client.alerts(alert_filter, start, on_token=bookmark.write, on_break=_tell)
    for shown, item in enumerate(alerts, 1):
        if isinstance(item, alert_pb2.Alert):
            out.print(render_alert(item, quotes_of(client.graph, item.evidence_ids)), "")
            bookmark.write(item.resume_token)
        else:
            click.echo(f"{item.count} alerts were left out: {item.reason}.", err=True)
        if shown == most:
            break
    return 0


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        ("all alerts from now on", "dealgraph watch --target 127.0.0.1:7440"),
        (
            "what matters in one deal, from the beginning",
            "dealgraph watch --target 127.0.0.1:7440 --from earliest --opportunity opp-suihe "
            "--severity warning",
        ),
        (
            "go on where the last run ended",
            "dealgraph watch --target 127.0.0.1:7440 --resume alerts.token",
        ),
    ),
)
@click.option("--target", required=True, callback=check_address, help="HOST:PORT of the server.")
@click.option("--opportunity", multiple=True, help="Only this opportunity (may be repeated).")
@click.option("--customer", multiple=True, help="Only this customer (may be repeated).")
@click.option("--rep", multiple=True, help="Only this rep (may be repeated).")
@click.option("--session", multiple=True, help="Only this session (may be repeated).")
@click.option("--kind", multiple=True, type=click.Choice(_KINDS), help="Only this kind.")
@click.option("--severity", type=click.Choice(_SEVERITIES), help="This severity or above.")
@click.option(
    "--from",
    "start",
    type=click.Choice(list(_PRESETS)),
    default="latest",
    show_default=True,
    help="Where to start without a resume token.",
)
@click.option("--once", "most", type=click.IntRange(1), help="End after this many alerts.")
@click.option(
    "--resume",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the place in this file, and start from it.",
)
def COMMAND(  # noqa: N802
    target: str,
    opportunity: tuple[str, ...],
    customer: tuple[str, ...],
    rep: tuple[str, ...],
    session: tuple[str, ...],
    kind: tuple[str, ...],
    severity: str | None,
    start: str,
    most: int | None,
    resume: Path | None,
) -> int:
    """Show alerts as they arrive."""
    alert_filter = alert_service_pb2.AlertFilter(
        opportunity_ids=opportunity,
        customer_ids=customer,
        rep_ids=rep,
        session_ids=session,
        kinds=[int(SignalKind[name.upper()]) for name in kind],  # type: ignore[misc]
        min_severity=int(Severity[severity.upper()]) if severity else 0,  # type: ignore[arg-type]
    )
    bookmark = Bookmark(resume)
    try:
        token = bookmark.read()
        bookmark.write(token)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(
            f"{resume} cannot keep the place: {error}. Choose another file."
        ) from error
    begin = alert_service_pb2.StreamStart(preset=_PRESETS[start])
    if token:
        begin = alert_service_pb2.StreamStart(resume_token=token)
    try:
        with Client(target, attempts=_ATTEMPTS) as client:
            return _watch(client, alert_filter, begin, bookmark, most)
    except KeyboardInterrupt:
        return 0  # the way in which watching ends
    except grpc.RpcError as error:
        if token and isinstance(error, grpc.Call) and error.code() in _USELESS_TOKEN:
            raise CommandError(
                f"The place in {resume} is of no use here: {error.details()} "
                "Remove the file to start anew, with --from earliest to leave nothing out."
            ) from error
        raise
