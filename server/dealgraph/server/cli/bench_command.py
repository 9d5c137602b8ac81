"""`dealgraph bench`: runs the benchmarks of a checkout and prints a table and JSON."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from dealgraph.server.cli.command import Command, CommandError
from dealgraph.server.cli.terminal import console, table

_HELP = """
Run benchmarks and print their figures, each beside its floor (the least that the same work can cost).

Benchmarks are the modules tests/benchmarks/bench_NAME.py of a checkout; each runs in a process of its
own. Without NAME all of them run. Close other programs first: a busy machine gives low figures.
"""

_FOLDER: Final = Path("tests") / "benchmarks"
_RUN: Final = """
import json, runpy, sys
module = runpy.run_path(sys.argv[1])
print("\\n" + json.dumps(module["run"](sys.argv[2] == "quick")))
"""
_SUMMARY: Final = "import json, runpy, sys; print(runpy.run_path(sys.argv[1])['SUMMARY'])"


def find_checkout(start: Path) -> Path:
    """Return the root of the checkout around `start`, or the one that dealgraph was installed from."""
    for folder in (start, *start.parents, *Path(__file__).resolve().parents):
        if (folder / _FOLDER).is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    raise CommandError(
        "There are no benchmarks here: they come with the source, not with the package. "
        "Clone the repository and run `dealgraph bench` inside it."
    )


def find_benchmarks(checkout: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the benchmarks asked for by name; raise CommandError for an unknown name."""
    known = {
        file.stem.removeprefix("bench_"): file
        for file in sorted((checkout / _FOLDER).glob("bench_*.py"))
    }
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CommandError(
            f"There is no benchmark {unknown[0]!r}. Known: {', '.join(known) or 'none'}."
        )
    return {name: known[name] for name in names} if names else known


def run_benchmark(checkout: Path, file: Path, *, quick: bool) -> Mapping[str, Any]:
    """Run one benchmark in a process of its own; raise CommandError with its last words."""
    mode = "quick" if quick else "full"
    done = _python(checkout, _RUN, file, mode)
    lines = done.stdout.strip().splitlines()
    try:
        if done.returncode == 0:
            figures: Mapping[str, Any] = json.loads(lines[-1])
            return figures
    except (IndexError, ValueError) as error:
        raise CommandError(f"{file.name} did not return figures.") from error
    words = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
    raise CommandError(f"{file.name} failed: {words[0]}")


def _python(checkout: Path, code: str, file: Path, *more: str) -> subprocess.CompletedProcess[str]:
    # `-P` keeps the working directory out of the path; the checkout is put there for tests.support.
    start = f"import sys; sys.path.insert(0, {str(checkout)!r})\n{code}"
    line = [sys.executable, "-P", "-c", start, str(file), *more]
    return subprocess.run(line, cwd=checkout, capture_output=True, text=True, check=False)


def _flat(figures: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            shown = f"{value:,.4g}" if isinstance(value, float) and value < 1000 else value
            rows.append(
                (prefix + name, f"{shown:,.0f}" if isinstance(shown, float) else str(shown))
            )
    return rows


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        ("see which benchmarks there are", "dealgraph bench --list"),
        ("run them all and keep the figures", "dealgraph bench --json figures.json"),
        ("run one in seconds rather than minutes", "dealgraph bench throughput --quick"),
    ),
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write all figures to this file.")  # fmt: skip
@click.option("--quick", is_flag=True, help="Measure on little data: rough figures in seconds.")
@click.option("--list", "only_list", is_flag=True, help="Only list the benchmarks.")
def COMMAND(  # noqa: N802
    names: tuple[str, ...], json_file: Path | None, quick: bool, only_list: bool
) -> int:
    """Run benchmarks and print their figures."""
    checkout = find_checkout(Path.cwd())
    chosen = find_benchmarks(checkout, names)
    if not chosen:
        raise CommandError(f"{checkout / _FOLDER} holds no bench_*.py.")
    out = console()
    if only_list:
        for name, file in chosen.items():
            out.print(f"{name:<16}{_python(checkout, _SUMMARY, file).stdout.strip()}", markup=False)
        return 0
    results: dict[str, Mapping[str, Any]] = {}
    failed = 0
    for name, file in chosen.items():
        try:
            with console(stderr=True).status(f"Measuring {name} …"):
                results[name] = run_benchmark(checkout, file, quick=quick)
        except CommandError as error:
            failed += 1
            click.echo(f"Error: {error.message}", err=True)
            continue
        shown = table(name, ["Figure", "Value"], numbers=["Value"])
        for row in _flat(results[name]):
            shown.add_row(*row)
        out.print(shown)
    text = json.dumps(results, indent=2, ensure_ascii=False)
    if json_file is not None:
        json_file.write_text(text + "\n", encoding="utf-8")
    else:
        click.echo(text)
    return 1 if failed else 0
