"""`dealgraph signals calibrate`, `try` and `audit`: thresholds as data, tried before they are in force."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from dealgraph.graph.model import Level
from dealgraph.server.cli.clock import now_ms
from dealgraph.server.cli.command import FILE, FOLDER, Command, CommandError
from dealgraph.server.cli.scenarios import chosen_scenario, seen_worlds
from dealgraph.server.cli.signals_report import show_found, show_trials
from dealgraph.server.cli.terminal import console, progress
from dealgraph.server.compose import (
    open_embedded,
    stated_thresholds,
)
from dealgraph.server.settings import Settings, load
from dealgraph.stream.baselines.lessons import learn
from dealgraph.stream.evaluation.calibration import (
    Watched,
    calibrate,
    compare,
    false_alarms_of,
)
from dealgraph.stream.evaluation.watching import clean_deals, own_deals
from dealgraph.stream.meter import SilentMeter
from dealgraph.stream.rule_audit import rule_changes
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.threshold_file import (
    ThresholdFile,
    read_thresholds,
    write_thresholds,
)
from dealgraph.stream.signals.thresholds import load_thresholds

_SETTINGS = click.option("--settings", "settings_file", type=FILE, help="Settings in TOML.")
_DATA = click.option("--data", type=FOLDER, help="The data directory of a tenant.")
_SCENARIO = click.option(
    "--scenario", help="A simulated world instead: a YAML file or a shipped name."
)
_SEEDS = click.option("--seed", "seeds", type=click.IntRange(min=0), multiple=True, default=(1,),
                      show_default=True, help="Of the simulated world; may be given again.")  # fmt: skip
_RECORDED, _PUSHED = 50.0, 400.0
_MOST_NAMED: Final = 8


@click.command(
    "calibrate",
    cls=Command,
    help="""
    Find thresholds that come for nothing at most as often as asked, and write them to --out.

    First what is usual is learnt (rates and delays, with shrinkage towards the shipped values), then the
    levels of each rule are searched. On a tenant's own history all signals count as false, the true ones too,
    so the levels come out on the safe side; a simulated world uses its clean deals only.
    """,
    examples=(
        ("from your own history", "dealgraph signals calibrate --data ./mydata --out signals.yaml"),
        (
            "from a simulated world",
            "dealgraph signals calibrate --scenario tuning --out signals.yaml",
        ),
    ),
)
@_SETTINGS
@_DATA
@_SCENARIO
@_SEEDS
@click.option("--recorded", type=click.FloatRange(min=1), default=_RECORDED, show_default=True,
              help="Opportunity-weeks per false signal that is recorded.")  # fmt: skip
@click.option("--pushed", type=click.FloatRange(min=1), default=_PUSHED, show_default=True,
              help="Opportunity-weeks per false signal that people are told of.")  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="Where to write the thresholds (YAML).")  # fmt: skip
def CALIBRATE(  # noqa: N802
    settings_file: Path | None,
    data: Path | None,
    scenario: str | None,
    seeds: Sequence[int],
    recorded: float,
    pushed: float,
    out: Path,
) -> int:
    """Find thresholds for a tenant's own history or a scenario."""
    settings = load(settings_file)
    watched, origin = _watched(settings, data, scenario, seeds)
    if not watched:
        raise CommandError("There is no history to learn from: import some, or give a --scenario.")
    weeks = sum(one.weeks for one in watched)
    shipped = load_thresholds(stated_thresholds(settings).thresholds)
    learnt = learn([one.actions for one in watched], shipped)
    asked = {Level.RECORDED: recorded, Level.PUSHED: pushed}
    with progress("searching") as show:
        thresholds, found = calibrate(learnt, watched, asked, show)
    changed = {
        section: {
            k: v for k, v in values.items() if v != load_thresholds().sections[section].get(k)
        }
        for section, values in thresholds.sections.items()
    }
    made_at = datetime.fromtimestamp(now_ms() / 1000, UTC).isoformat(timespec="seconds")
    source = f"signals calibrate, {weeks:,.0f} opportunity-weeks of {origin}"
    file = ThresholdFile(
        {section: values for section, values in changed.items() if values},
        f"{origin}; asked {recorded:g} and {pushed:g} opportunity-weeks per false signal",
        made_at,
        len(watched),
        round(weeks, 1),
        false_alarms_of(detectors(thresholds), watched, source),
    )
    write_thresholds(out, file)
    show_found(console(), found, weeks)
    click.echo(
        f"Version {file.version} in {out}, from {len(watched)} deals. Next: dealgraph signals try {out}"
    )
    return 0


@click.command(
    "try",
    cls=Command,
    help="""
    Show what other thresholds would have done: how often each signal would have been raised in the history
    of a tenant (or in a simulated world), now and then, and in which deals that differs. Nothing is changed.
    """,
    examples=(("before a change", "dealgraph signals try signals.yaml --data ./mydata"),),
)
@click.argument("file", type=FILE)
@_SETTINGS
@_DATA
@_SCENARIO
@_SEEDS
def TRY(  # noqa: N802
    file: Path,
    settings_file: Path | None,
    data: Path | None,
    scenario: str | None,
    seeds: Sequence[int],
) -> int:
    """Show what other thresholds would have done."""
    settings = load(settings_file)
    now = detectors(load_thresholds(stated_thresholds(settings).thresholds))
    then = detectors(load_thresholds(read_thresholds(file).thresholds))
    watched, origin = _watched(settings, data, scenario, seeds)
    show_trials(console(), compare(now, then, watched), origin, _MOST_NAMED)
    return 0


@click.command(
    "audit",
    cls=Command,
    help="Show which thresholds were in force since when, and from where they came.",
    examples=(("of a data directory", "dealgraph signals audit --data ./mydata"),),
)
@_SETTINGS
@click.option("--data", type=FOLDER, required=True, help="The data directory of a tenant.")
def AUDIT(settings_file: Path | None, data: Path) -> int:  # noqa: N802
    """Show which thresholds were in force since when."""
    embedded = open_embedded(data, load(settings_file), now_ms, SilentMeter())
    try:
        before: dict[str, str] = {}
        for change in rule_changes(embedded.log):
            moment = datetime.fromtimestamp(change.at / 1000, UTC).isoformat(timespec="seconds")
            changed = sorted(r for r, v in change.versions.items() if before.get(r) != v)
            where = change.file or "shipped"
            click.echo(f"{moment}  {where}  {change.origin or 'shipped values'}")
            click.echo(f"    changed: {', '.join(changed) or 'a rule was taken away'}")
            for section, values in sorted(change.thresholds.items()):
                click.echo(f"    {section}: {dict(values)}")
            before = dict(change.versions)
    finally:
        embedded.close()
    return 0


def _watched(
    settings: Settings, data: Path | None, scenario: str | None, seeds: Sequence[int]
) -> tuple[list[Watched], str]:
    """Return the histories that a call names, and where they come from in words."""
    if (data is None) == (scenario is None):
        raise click.UsageError("Say from what: --data DIR or --scenario NAME.")
    if data is not None:
        embedded = open_embedded(data, settings, now_ms, SilentMeter())
        try:
            return list(own_deals(embedded.graph)), f"history of {data}"
        finally:
            embedded.close()
    world = chosen_scenario(str(scenario))
    watched = [one for seen in seen_worlds(settings, [world], seeds) for one in clean_deals(seen)]
    return watched, f"clean deals of scenario {world.name}, seeds {', '.join(map(str, seeds))}"
