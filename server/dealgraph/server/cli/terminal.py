"""What the commands write: rich on a terminal, plain lines elsewhere; NO_COLOR is honoured.

This package is the only one of dealgraph that writes to standard output.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

_PLAIN_WIDTH: Final = 160


def console(*, stderr: bool = False) -> Console:
    """Return a console for this process; lines to a file are wide, so that tables stay whole."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        made = Console(stderr=stderr, highlight=False, width=_PLAIN_WIDTH, soft_wrap=True)
    return made


def table(title: str, columns: Sequence[str], numbers: Sequence[str] = ()) -> Table:
    """Return an empty table; the columns named in `numbers` are set to the right."""
    made = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left")
    return made


def heading(out: Console, words: str) -> None:
    """Print a heading: a rule on a terminal, a line elsewhere."""
    if out.is_terminal:
        out.rule(words, align="left")
    else:
        out.print("", words, "")


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, for example "1,204 sessions"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def moment(at_ms: int) -> str:
    """Return a time in ms since 1970 UTC as people write it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%a %d %b %Y %H:%M UTC")


@contextmanager
def progress(name: str) -> Iterator[Callable[[float], None]]:
    """Show a bar on a terminal while something runs; what is yielded takes the part done, in [0, 1]."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    screen = console(stderr=True)
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bar:
        task = bar.add_task(name, total=1.0)
        yield lambda done: bar.update(task, completed=done)
