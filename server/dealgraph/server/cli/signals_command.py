"""`dealgraph signals`: how good the detectors are, and why a signal was raised."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from dealgraph.server.cli.command import Command
from dealgraph.server.cli.delay_report import show_delays
from dealgraph.server.cli.hints_report import hint_lines, show_hints
from dealgraph.server.cli.scenarios import chosen_scenario, seen_worlds
from dealgraph.server.cli.signals_baselines import BASELINES
from dealgraph.server.cli.signals_calibrate import AUDIT, CALIBRATE, TRY
from dealgraph.server.cli.signals_explain import EXPLAIN
from dealgraph.server.cli.signals_report import lines_of, show_lines
from dealgraph.server.cli.terminal import console
from dealgraph.server.settings import load
from dealgraph.stream.evaluation.hint_judging import HintJudge
from dealgraph.stream.evaluation.judging import Judge
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.thresholds import load_thresholds
from dealgraph.stream.world.scenario import shipped

_HELP: Final = """
Work with decision signals: how good they are, why one was raised, and where their thresholds stand.

Thresholds are data: `calibrate` finds some for your own history, `try` shows what they would have done, the
settings put them in force, and `audit` shows which were in force since when. What is usual is learnt from the
stream besides; `baselines` shows it.
"""


@click.group(help=_HELP, short_help="Judge, explain and calibrate decision signals")
def COMMAND() -> None:  # noqa: N802
    """Hold the commands of the signals together."""


COMMAND.add_command(CALIBRATE)
COMMAND.add_command(TRY)
COMMAND.add_command(AUDIT)
COMMAND.add_command(BASELINES)
COMMAND.add_command(EXPLAIN)


@COMMAND.command(
    "evaluate",
    cls=Command,
    help=f"""
    Judge the detectors on simulated worlds whose truth is known.

    Prints for each signal, recorded and pushed: how many plants above the least effect were found and how
    fast, beside the table of delays, and how often it was raised for nothing in clean deals, with 95 %
    intervals; for each hint the same by talks. Thresholds were tuned
    on scenario `tuning` with seeds 1 to 20; the default is another scenario and seed. A world takes about
    half a minute. Shipped scenarios: {", ".join(shipped())}.
    """,
    examples=(
        (
            "judge on worlds that were not tuned on",
            "dealgraph signals evaluate --seed 101 --seed 102",
        ),
        ("when a third is recorded", "dealgraph signals evaluate --scenario partial --seed 101"),
    ),
)
@click.option("--scenario", "named", multiple=True, default=("judging",), show_default=True,
              help="A YAML file or a shipped name; may be given again.")  # fmt: skip
@click.option("--seed", "seeds", type=click.IntRange(min=0), multiple=True, default=(101,),
              show_default=True, help="May be given again: worlds are added up.")  # fmt: skip
@click.option("--json", "report", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the figures into this file, too.")  # fmt: skip
def _evaluate(named: Sequence[str], seeds: Sequence[int], report: Path | None) -> int:
    """Judge the detectors on simulated worlds."""
    found = detectors(load_thresholds())
    judge, hints = Judge(found), HintJudge(found)
    scenarios = [chosen_scenario(name) for name in named]
    for world in seen_worlds(load(None), scenarios, seeds):
        judge.add(world)
        hints.add(world)
    lines, talks = lines_of(judge.verdicts), hint_lines(hints.verdicts)
    show_lines(console(), lines)
    show_delays(console(), lines)
    show_hints(console(), talks)
    if report is not None:
        worlds = {"scenarios": list(named), "seeds": list(seeds)}
        figures = {**worlds, "signals": lines, "hints": talks}
        report.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
    return 0
