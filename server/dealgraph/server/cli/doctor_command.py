"""`dealgraph doctor`: says what is missing and how to get it."""

from pathlib import Path

import click

from dealgraph.server.cli.checks import Check, Verdict, all_checks
from dealgraph.server.cli.command import FILE, FOLDER, Command, check_address
from dealgraph.server.cli.terminal import console, table

_HELP = """
Check this machine: Python, the libraries and their versions, the generated code of the contract,
the ports, the data directory, and whether a server answers. Each failed check says what to do.

Ends with 0 only when no check failed.
"""

_STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "bold red"}


def _show(checks: list[Check]) -> None:
    shown = table("", ["", "Check", "Found"])
    for check in checks:
        verdict = f"[{_STYLES[check.verdict]}]{check.verdict.value}[/]"
        shown.add_row(verdict, check.name, check.found)
    out = console()
    out.print(shown)
    for check in checks:
        if check.advice:
            out.print(f"{check.name}: {check.advice}", markup=False)


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        ("check the installation and the usual ports", "dealgraph doctor"),
        ("check a data directory as well", "dealgraph doctor --data ./mydata"),
        ("check that a server answers", "dealgraph doctor --target 127.0.0.1:7440"),
    ),
)
@click.option("--data", type=FOLDER, help="Check this data directory.")
@click.option("--target", callback=check_address, help="Check the server at HOST:PORT.")
@click.option("--settings", type=FILE, help="Check this settings file and the ports in it.")
def COMMAND(data: Path | None, target: str | None, settings: Path | None) -> int:  # noqa: N802
    """Find out what is missing, and how to get it."""
    checks = list(all_checks(data, target, settings))
    _show(checks)
    failed = sum(check.verdict is Verdict.FAILED for check in checks)
    warned = sum(check.verdict is Verdict.WARNING for check in checks)
    if failed:
        click.echo(f"{failed} of {len(checks)} checks failed.")
        return 1
    click.echo("All is well." if not warned else "It will run; see the warnings above.")
    return 0
