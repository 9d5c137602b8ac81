"""Brings the graph of an open data directory up to the end of its log, with a progress bar."""

from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dealgraph.server.cli.terminal import console
from dealgraph.server.compose import Embedded
from dealgraph.stream.log import Topic

_LOOK_SECONDS: Final = 0.25


def build_graph(embedded: Embedded) -> None:
    """Run the dataflow until it has written all that the log holds; raises what it died of.

    It runs in a thread of its own, because Bytewax answers Ctrl-C in its own thread with a panic.
    Stopped half-way, the next command on the directory goes on where this one ended.
    """
    runner = embedded.runner
    screen = console(stderr=True)
    columns = (
        TextColumn("Building the graph"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, disable=not screen.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=embedded.log.end(Topic.INTERACTIONS))
        runner.start()
        while not runner.wait_until_caught_up(_LOOK_SECONDS):
            if runner.error is not None:
                raise runner.error
            bar.update(task, completed=runner.position())
        runner.stop()
