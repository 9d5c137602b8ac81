"""What the commands share in their help: examples to copy, and options that several of them take."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

Example = tuple[str, str]
"""What it does, and the line to type."""


class Command(click.Command):
    """A command whose help ends with examples."""

    def __init__(self, *args: Any, examples: Sequence[Example] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        if self.help:
            self.help = inspect.cleandoc(self.help)
        if self.callback is not None and self.callback.__doc__:
            self.short_help = self.callback.__doc__.splitlines()[0].rstrip(".")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each line whole so that it can be copied."""
        if not self.examples:
            return
        with formatter.section("Examples"):
            for meaning, line in self.examples:
                formatter.write(f"  # {meaning}\n  {line}\n")


def check_address(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    """Return HOST:PORT as it was written; raise BadParameter when it is none."""
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{value!r} is no HOST:PORT. Write for example 127.0.0.1:7440.")
    return value


FOLDER: Final = click.Path(file_okay=False, path_type=Path)
FILE: Final = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


class CommandError(click.ClickException):
    """A command cannot do what was asked; the message says what to do next."""
