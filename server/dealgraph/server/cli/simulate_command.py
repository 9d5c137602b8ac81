"""`dealgraph simulate`: an invented sales organisation whose truth is known."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

import click
import msgspec
from msgspec import Struct
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dealgraph.server.cli.command import FOLDER, Command, check_address
from dealgraph.server.cli.import_report import show_report
from dealgraph.server.cli.intake import ServerSink, Tally, bring_in
from dealgraph.server.cli.scenarios import chosen_scenario
from dealgraph.server.cli.simulate_reading import reading
from dealgraph.server.cli.terminal import console
from dealgraph.server.client import Client
from dealgraph.stream.connectors.connector import Parsed
from dealgraph.stream.interaction import Reason, Rejected
from dealgraph.stream.interaction_rows import encode_row
from dealgraph.stream.world.event import Event
from dealgraph.stream.world.people import competitors
from dealgraph.stream.world.scenario import Scenario, shipped
from dealgraph.stream.world.truth import encode
from dealgraph.stream.world.world import World

STREAM: Final = "stream.jsonl"
TRUTH: Final = "truth-{}.jsonl"
MANIFEST: Final = "manifest.json"
SETTINGS: Final = "settings.toml"

_HELP: Final = """
Simulate reps, customers and deals: who says what to whom, when, and why. What is true of them is written
beside the stream, so that what is found in it can be judged.

The scenario says how large the world is, what is usual in it, which signals, paths and hints are planted,
and how badly it is recorded. Give a file, or one of the shipped names: {shipped}.
The same scenario and seed give the same bytes, always.

\b
--out DIR writes
  stream.jsonl            interactions in order of arrival, for `dealgraph import interactions`
  truth-deal.jsonl        deals: people, way, outcome, hidden states, what is planted, since when, how strong
  truth-utterance.jsonl   act, topics and valence of everything said, also of what was not recorded
  truth-meeting.jsonl     meetings with a planted hint
  truth-rep.jsonl         reps, their habits, and who opted out
  manifest.json           scenario, seed, numbers of rows, digest of the stream
  settings.toml           the competitors' names, for `import --settings` and `serve --settings`
--target HOST:PORT publishes the stream to a running server, --read N prints conversations to read.
"""


class Manifest(Struct, frozen=True):
    """What was simulated."""

    scenario: Scenario
    seed: int
    rows: int
    sha256: str
    truths: dict[str, int]


def row_of(event: Event) -> bytes:
    """Return the line of an event; a broken one lacks its second half."""
    row = encode_row(event.interaction)
    return row[: len(row) // 2] + b"\n" if event.broken else row


class _Truths:
    """The files of truth, opened when the first row of a kind comes."""

    def __init__(self, folder: Path, resources: ExitStack) -> None:
        self._folder = folder
        self._resources = resources
        self._files: dict[str, BinaryIO] = {}
        self.counts: Counter[str] = Counter()

    def take(self, world: World) -> None:
        """Write the truths that the world has ready."""
        for truth in world.truth:
            kind = truth.__struct_config__.tag
            name = str(kind)
            if name not in self._files:
                path = self._folder / TRUTH.format(name)
                self._files[name] = self._resources.enter_context(path.open("wb"))
            self._files[name].write(encode(truth))
            self.counts[name] += 1
        world.truth.clear()


def write(scenario: Scenario, seed: int, folder: Path, bar: Progress) -> Manifest:
    """Write a world into a folder and return what was written."""
    world = World(scenario, seed)
    folder.mkdir(parents=True, exist_ok=True)
    digest, rows = hashlib.sha256(), 0
    task = bar.add_task("simulating", total=world.end - world.start)
    with ExitStack() as resources:
        stream = resources.enter_context((folder / STREAM).open("wb"))
        truths = _Truths(folder, resources)
        for event in world.events():
            line = row_of(event)
            stream.write(line)
            digest.update(line)
            rows += 1
            if rows % 1000 == 0:
                truths.take(world)
                bar.update(task, completed=event.arrives - world.start)
        truths.take(world)
        bar.update(task, completed=world.end - world.start)
    manifest = Manifest(
        scenario, seed, rows, digest.hexdigest(), dict(sorted(truths.counts.items()))
    )
    encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (folder / MANIFEST).write_bytes(encoded + b"\n")
    rivals = msgspec.json.encode(competitors()).decode()
    (folder / SETTINGS).write_text(f"[tagging]\ncompetitors = {rivals}\n", encoding="utf-8")
    return manifest


def _steps(world: World, bar: Progress) -> Iterator[Parsed]:
    """Yield the events as a parser would; the place is the simulated time."""
    task = bar.add_task("simulating", total=world.end - world.start)
    for number, event in enumerate(world.events()):
        world.truth.clear()
        if number % 1000 == 0:
            bar.update(task, completed=max(0, event.arrives - world.start))
        if event.broken:
            position, raw = f"{STREAM}:{number + 1}", row_of(event)
            detail = "the record breaks off"
            yield Parsed(Rejected("interactions", position, Reason.TRUNCATED, detail, raw), number)
        else:
            yield Parsed(event.interaction, number)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    screen = console(stderr=True)
    return Progress(*columns, console=screen, disable=not screen.is_terminal)


@click.command(
    cls=Command,
    help=_HELP.format(shipped=", ".join(shipped())),
    examples=(
        ("look at a small world", "dealgraph simulate --scenario small --seed 1 --out ./world"),
        ("read some of what is said", "dealgraph simulate --scenario small --read 5"),
        (
            "and bring it in",
            "dealgraph import interactions ./world/stream.jsonl --settings ./world/settings.toml "
            "--data ./mydata",
        ),
        (
            "put a running server under load",
            "dealgraph simulate --scenario load --seed 7 --target 127.0.0.1:7440",
        ),
    ),
)
@click.option("--scenario", "named", required=True, help="A YAML file or a shipped name.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--out", type=FOLDER, help="Write stream and truth into this directory.")
@click.option("--target", callback=check_address, help="Publish to the server at HOST:PORT.")
@click.option("--read", type=click.IntRange(1, 200), metavar="N",
              help="Print N random conversations of each language to read.")  # fmt: skip
def COMMAND(  # noqa: N802
    named: str, seed: int, out: Path | None, target: str | None, read: int | None
) -> int:
    """Simulate a sales organisation whose truth is known."""
    if [out, target, read].count(None) != 2:
        raise click.UsageError("Say where to: --out DIR or --target HOST:PORT, or --read N.")
    scenario = chosen_scenario(named)
    if read is not None:
        for line in reading(scenario, seed, read):
            click.echo(line)
        return 0
    if out is not None:
        with _progress() as bar:
            manifest = write(scenario, seed, out, bar)
        told = ", ".join(f"{number:,} {kind}s" for kind, number in manifest.truths.items())
        click.echo(f"{manifest.rows:,} rows in {out / STREAM}; truth of {told}.")
        return 0
    tally = Tally()
    with Client(str(target)) as client, _progress() as bar:
        world = World(scenario, seed)
        bring_in(_steps(world, bar), ServerSink(client), tally, lambda done: None)
    show_report(console(), tally)
    return 0
