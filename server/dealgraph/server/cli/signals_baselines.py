"""`dealgraph signals baselines`: what was learnt to be usual, and from how many deals."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from rich.console import Console

from dealgraph.server.cli.clock import now_ms
from dealgraph.server.cli.command import FILE, FOLDER, Command
from dealgraph.server.cli.terminal import console, moment, table
from dealgraph.server.compose import open_embedded
from dealgraph.server.settings import load
from dealgraph.stream.baselines.record import Baselines, all_baselines
from dealgraph.stream.meter import SilentMeter
from dealgraph.stream.signals.thresholds import load_thresholds


@click.command(
    "baselines",
    cls=Command,
    help="""
    Show what was learnt from the stream to be usual: each version with the deals that it rests on, and the
    values of the newest beside the shipped ones.

    A version holds for deals whose first action is at its date or later; it never changes a running deal.
    """,
    examples=(("of a data directory", "dealgraph signals baselines --data ./mydata"),),
)
@click.option("--settings", "settings_file", type=FILE, help="Settings in TOML.")
@click.option("--data", type=FOLDER, required=True, help="The data directory of a tenant.")
def BASELINES(settings_file: Path | None, data: Path) -> int:  # noqa: N802
    """Show what was learnt to be usual."""
    settings = load(settings_file)
    embedded = open_embedded(data, settings, now_ms, SilentMeter())
    try:
        known = list(all_baselines(embedded.log))
        pinned = embedded.baselines.pinned
    finally:
        embedded.close()
    if not settings.signals.learning:
        click.echo("Learning is off in the settings (signals.learning); none of this is used.")
    if not known:
        click.echo("Nothing was learnt yet: no deal was over when a step of event time was full.")
        return 0
    _show(console(), known, pinned)
    return 0


def _show(out: Console, known: list[Baselines], pinned: frozenset[str]) -> None:
    versions = table(
        "Versions",
        ("Version", "For deals from", "Deals over until", "Deals read", "Learnt"),
        ("Deals read",),
    )
    for one in known:
        when = (moment(at) for at in (one.valid_from, one.until))
        versions.add_row(str(one.version), *when, str(one.deals), moment(one.learnt_at))
    out.print(versions)
    newest, shipped = known[-1], load_thresholds().sections
    values = table(
        f"Values of version {newest.version}",
        ("Section", "Value", "Usual", "Shipped", "Deals"),
        ("Usual", "Shipped", "Deals"),
    )
    for section, found in sorted(newest.values.items()):
        name = f"{section} (stated by the tenant)" if section in pinned else section
        for path, value in _leaves(found):
            values.add_row(
                name, ".".join(part or "all" for part in path), f"{value:g}",
                _shipped(shipped[section], path), f"{_deals(newest, section, path):.1f}",
            )  # fmt: skip
            name = ""
    out.print(values)


def _leaves(values: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield the numbers in a tree of values with their paths."""
    for name, value in sorted(values.items()):
        if isinstance(value, Mapping):
            yield from (((name, *path), number) for path, number in _leaves(value))
        elif isinstance(value, float):
            yield (name,), value


def _shipped(values: Mapping[str, object], path: tuple[str, ...]) -> str:
    found: object = values
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return f"{found:g}" if isinstance(found, int | float) else "–"


def _deals(baselines: Baselines, section: str, path: tuple[str, ...]) -> float:
    """Return how many deals a value rests on; older ones count less."""
    of_place = {(c.segment, c.stage): c.deals for c in baselines.sums[section]}
    names = (*path[1:3], "", "")
    return of_place.get((names[0], names[1]), of_place.get((names[0], ""), of_place["", ""]))
