"""`dealgraph map`: proposes a mapping for an event log, and shows what it would make."""

from itertools import islice
from pathlib import Path
from typing import Final

import click

from dealgraph.server.cli.command import FILE, Command, CommandError
from dealgraph.server.cli.terminal import console, table
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.mapping import Mapping, parse_mapping
from dealgraph.stream.connectors.mapping_proposal import propose
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.connectors.roster import Roster
from dealgraph.stream.connectors.samples import read_sample
from dealgraph.stream.connectors.statements import SOURCE
from dealgraph.stream.connectors.times import iso_text
from dealgraph.stream.interaction import Interaction, Rejected

_SAMPLE: Final = 500
_WIDEST: Final = 60

_HELP: Final = """
Propose a mapping for an event log (CSV, JSON, JSON lines or XES, may be .gz) from its first 500 records.

It finds times, ids, conversations, people and words by the names of the columns and by what they hold, writes
the mapping as YAML with a reason on each line, and shows the first records that it would make. It is a
beginning: read it, say who is on which side, and correct it. Nothing is imported.
"""


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        ("write calls.mapping.yaml beside the file", "dealgraph map calls.csv"),
        ("write it elsewhere", "dealgraph map calls.csv --out mapping.yaml"),
    ),
)
@click.argument("file", type=FILE)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the mapping."
)
@click.option("--force", is_flag=True, help="Replace a mapping that is there.")
@click.option(
    "--show", default=5, show_default=True, type=click.IntRange(0, 100), help="Records to show."
)
def COMMAND(file: Path, out: Path | None, force: bool, show: int) -> int:  # noqa: N802
    """Propose a mapping for an event log."""
    stem = file.name.removesuffix(".gz").rpartition(".")[0] or file.name
    target = out or file.with_name(f"{stem}.mapping.yaml")
    if target.exists() and not force:
        raise CommandError(
            f"{target} is there already; name another file with --out, or add --force."
        )
    sample = read_sample(file, _SAMPLE)
    text = propose(sample.records, stem, sample.form.value, sample.settings).text()
    mapping = parse_mapping(text)
    target.write_text(text, encoding="utf-8")
    click.echo(text)
    _show(file, mapping, show)
    click.echo(
        f"Written to {target}. When it is right:\n"
        f"  dealgraph import eventlog {file} --mapping {target} --data ./mydata"
    )
    return 0


def _show(file: Path, mapping: Mapping, number: int) -> None:
    steps = connector("eventlog").parse(file, Options(roster=Roster(), mapping=mapping))
    items = (step.item for step in steps if step.item.source != SOURCE)
    shown = table("What it would make", ["when", "kind", "session", "who", "what"])
    for item in islice(items, number):
        shown.add_row(*_row(item))
    console().print(shown)


def _row(item: Interaction | Rejected) -> tuple[str, ...]:
    if isinstance(item, Rejected):
        return ("", f"refused: {item.reason}", "", "", item.detail[:_WIDEST])
    what = item.text or ", ".join(f"{name}={value}" for name, value in item.attributes.items())
    if item.detail is not None:
        what = repr(item.detail)
    who = item.actor.name or item.actor.native_id
    return (
        iso_text(item.occurred_at),
        item.kind.name.lower(),
        item.session[:30],
        who,
        what[:_WIDEST],
    )
