"""`dealgraph demo`: a sample tenant comes alive."""

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from dealgraph.server.cli.clock import now_ms
from dealgraph.server.cli.command import FOLDER, Command, CommandError
from dealgraph.server.cli.terminal import console
from dealgraph.server.demo import DemoError, perform
from dealgraph.server.demo_feed import sample_tenant
from dealgraph.server.demo_summary import show_next_steps

DAYS: Final = sample_tenant().days

_HELP: Final = """
Watch a sample tenant come alive: a simulated quarter of 237 reps and some 370 deals, calls, chats, mails
and CRM changes in Chinese and English, played in about a minute and a half. All people are invented.

An embedded dealgraph starts on free ports of this machine. The quarter goes in over gRPC as from any
client, a subscriber shows the alerts as they arrive, and the graph grows before your eyes. At the end
comes a summary in plain words. Nothing is left behind unless you ask for it with --data.
"""


def _waiting(keep: bool) -> Callable[[str], None]:
    def wait(target: str) -> None:
        out = console()
        show_next_steps(out, target if keep else None)
        if keep:
            out.print(f"\nThe server goes on at {target}. Stop it with Ctrl-C.", markup=False)
            with suppress(KeyboardInterrupt):  # the way in which serving ends
                signal.pause()

    return wait


def _perform(directory: Path, days: int, *, fast: bool, keep: bool) -> None:
    try:
        perform(console(), directory, now_ms, _waiting(keep), days, fast=fast)
    except DemoError as error:
        raise CommandError(str(error)) from error


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        ("watch it", "dealgraph demo"),
        ("see only how it begins", "dealgraph demo --days 21"),
        ("keep its data, and the server running", "dealgraph demo --data ./demo --keep"),
    ),
)
@click.option("--data", type=FOLDER, help="Keep the data in this directory; it must be new.")
@click.option("--fast", is_flag=True, help="Play without pauses.")
@click.option("--days", type=click.IntRange(1, DAYS), default=DAYS, show_default=True,
              help="Play only the first days of the quarter.")  # fmt: skip
@click.option("--keep", is_flag=True, help="Go on serving at the end, until Ctrl-C.")
def COMMAND(data: Path | None, fast: bool, days: int, keep: bool) -> int:  # noqa: N802
    """Watch a sample tenant come alive."""
    if data is not None:
        if data.exists() and any(data.iterdir()):
            raise CommandError(f"{data} is not empty. Choose a new directory for the demo.")
        _perform(data, days, fast=fast, keep=keep)
        return 0
    with TemporaryDirectory(prefix="dealgraph-demo-") as folder:
        _perform(Path(folder), days, fast=fast, keep=keep)
    return 0
