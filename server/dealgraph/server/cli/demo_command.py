"""`dealgraph demo`: a bundled sample comes alive."""

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
from dealgraph.server.demo_summary import show_next_steps

_HELP: Final = """
Watch a bundled sample come alive: three weeks of calls, chats, mails and CRM changes at three
(invented) customers, in English and Chinese, played in under a minute.

An embedded dealgraph starts on free ports of this machine. The sample goes in over gRPC as from any
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


def _perform(directory: Path, *, fast: bool, keep: bool) -> None:
    try:
        perform(console(), directory, now_ms, _waiting(keep), fast=fast)
    except DemoError as error:
        raise CommandError(str(error)) from error


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        ("watch it", "dealgraph demo"),
        ("keep its data, and the server running", "dealgraph demo --data ./demo --keep"),
    ),
)
@click.option("--data", type=FOLDER, help="Keep the data in this directory; it must be new.")
@click.option("--fast", is_flag=True, help="Play without pauses.")
@click.option("--keep", is_flag=True, help="Go on serving at the end, until Ctrl-C.")
def COMMAND(data: Path | None, fast: bool, keep: bool) -> int:  # noqa: N802
    """Watch a bundled sample come alive."""
    if data is not None:
        if data.exists() and any(data.iterdir()):
            raise CommandError(f"{data} is not empty. Choose a new directory for the demo.")
        _perform(data, fast=fast, keep=keep)
        return 0
    with TemporaryDirectory(prefix="dealgraph-demo-") as folder:
        _perform(Path(folder), fast=fast, keep=keep)
    return 0
