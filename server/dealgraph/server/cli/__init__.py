"""The command line `dealgraph`: one module per command, loaded only when it is called.

Exit status: 0 when all went well, 1 when it failed, 2 for a wrong call, 3 when an import left records
out, 130 after Ctrl-C. Errors take one or two lines that say what to do next; `--debug` adds the trace.
"""

import difflib
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C."""

_COMMANDS: Final = (
    "demo", "serve", "import", "map", "fetch-mail", "watch-dir", "replay", "simulate", "watch", "report",
    "rebuild", "erase", "tag", "signals", "bench", "doctor",
)  # fmt: skip
_DEBUG: Final = "--debug"


class _Commands(click.Group):
    """Loads a command's module when it is asked for: a broken one does not break `doctor`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            near = difflib.get_close_matches(cmd_name, _COMMANDS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Commands: {', '.join(_COMMANDS)}."
            raise click.UsageError(f"There is no command {cmd_name!r}. {hint}", ctx)
        module = import_module(f"dealgraph.server.cli.{cmd_name.replace('-', '_')}_command")
        command: click.Command = module.COMMAND
        return command


_HELP: Final = """A live graph of what happens between customers and a sales team.

Interactions go in (calls, chats, mails, CRM changes); a graph of people, actions and decision
signals grows; alerts come out while somebody can still act.

\b
First steps:
  dealgraph demo                       watch a sample tenant come alive
  dealgraph serve --data DIR           start a server on your own data
  dealgraph import SOURCE PATH…        bring interactions in
  dealgraph watch-dir DIR SOURCE …     take files in as they are dropped
  dealgraph watch --target HOST:PORT   see alerts as they arrive
  dealgraph report capture --data DIR  see how much of what happens comes in
  dealgraph doctor                     find out what is missing
"""


@click.group(cls=_Commands, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dealgraph", message="dealgraph %(version)s")
@click.option(
    _DEBUG, is_flag=True, expose_value=False, help="Show the full trace when something fails."
)
def dealgraph() -> None:
    """Hold the commands together."""


def main() -> None:
    """Run the command line of this process and exit with its status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit status. `--debug` may stand anywhere."""
    debug = _DEBUG in arguments
    rest = [argument for argument in arguments if argument != _DEBUG]
    try:
        status = dealgraph.main(rest, prog_name="dealgraph", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped by Ctrl-C.", err=True)
        return INTERRUPTED
    except Exception as error:  # the last place where an error can still be put into words
        if debug:
            raise
        # Only now: reading it loads what a working command may never need.
        words = import_module("dealgraph.server.cli.failures").in_words(error)
        click.echo(f"Error: {words}", err=True)
        return 1
    return status if isinstance(status, int) else 0
