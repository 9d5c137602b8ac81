"""What `dealgraph signals` prints."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from rich.console import Console

from dealgraph.graph.model import Level
from dealgraph.server.cli.terminal import table
from dealgraph.stream.evaluation.calibration import Found, Trial
from dealgraph.stream.evaluation.delays import Compared, Interval, compare_delays
from dealgraph.stream.evaluation.judging import (
    Verdict,
    count_interval,
    share_interval,
)
from dealgraph.stream.evaluation.plants import Name


class Line(Struct, frozen=True):
    """The figures of one signal at one level. Intervals are 95 %.

    `delay` is in `delay_unit`, beside the table of delays; `delay_days` is the mean of the same plants. They
    are None where nothing was found.

    `weeks_per_false` is None when nothing false was found; then its interval still has a lower end.
    """

    kind: str
    form: str
    level: str
    planted: int
    found: int
    recall: float
    recall_interval: Interval
    even_precision: float
    raw_precision: float
    delay_days: float | None
    delay_unit: str
    delay: Compared | None
    clean_weeks: float
    false: int
    weeks_per_false: float | None
    least_weeks_per_false: float


def lines_of(verdicts: Mapping[tuple[Name, Level], Verdict]) -> list[Line]:
    """Return the figures, in order of kind, form and level."""
    order = sorted(verdicts, key=lambda key: (int(key[0][0]), key[0][1], int(key[1])))
    return [_line(*key, verdicts[key]) for key in order]


def _line(name: Name, level: Level, verdict: Verdict) -> Line:
    delays = verdict.delays
    return Line(
        kind=name[0].name,
        form=name[1],
        level=level.name,
        planted=verdict.planted,
        found=verdict.found,
        recall=verdict.recall(),
        recall_interval=share_interval(verdict.found, verdict.planted),
        even_precision=verdict.even_precision(),
        raw_precision=verdict.raw_precision(),
        delay_days=sum(one.days for one in delays) / len(delays) if delays else None,
        delay_unit=delays[0].unit.value if delays else "",
        delay=compare_delays([(one.measured, one.expected) for one in delays]),
        clean_weeks=verdict.clean_weeks,
        false=verdict.false,
        weeks_per_false=verdict.weeks_per_false() if verdict.false else None,
        least_weeks_per_false=verdict.clean_weeks / count_interval(verdict.false)[1],
    )


def show_lines(out: Console, lines: Sequence[Line]) -> None:
    """Print a table with a line per signal and level."""
    numbers = "Found,Recall,95 %,Precision,raw,Days,False,Weeks per false".split(",")
    shown = table("How good the signals are", ["Signal", "Level", *numbers], numbers=numbers)
    for line in lines:
        if not line.planted and not line.false:
            continue
        low, high = line.recall_interval
        per_false = "none" if line.weeks_per_false is None else f"{line.weeks_per_false:,.0f}"
        shown.add_row(
            f"{line.kind}{'.' if line.form else ''}{line.form}", line.level.lower(),
            f"{line.found}/{line.planted}", f"{line.recall:.2f}", f"{low:.2f}–{high:.2f}",
            f"{line.even_precision:.2f}", f"{line.raw_precision:.2f}",
            "–" if line.delay_days is None else f"{line.delay_days:.1f}",
            f"{line.false}", f"{per_false} (≥ {line.least_weeks_per_false:,.0f})",
        )  # fmt: skip
    out.print(shown)
    out.print(
        "Precision: at even odds of clean and planted deals; raw: at the odds of the scenario. "
        "Weeks per false: opportunity-weeks of clean deals per signal raised for nothing.",
        markup=False,
    )


def show_found(out: Console, found: Sequence[Found], weeks: float) -> None:
    """Print the levels that calibration found."""
    numbers = ("Was", "Is", "Alarms", "Weeks per alarm")
    shown = table(
        f"Levels, from {weeks:,.0f} opportunity-weeks",
        ["Rule", "Level", "Value", *numbers],
        numbers,
    )
    for one in found:
        per_alarm = "none" if one.weeks_per_alarm is None else f"{one.weeks_per_alarm:,.0f}"
        shown.add_row(
            one.rule, one.level.lower(), one.path, f"{one.before:g}", f"{one.value:g}",
            f"{one.alarms}", per_alarm,
        )  # fmt: skip
    out.print(shown)


def show_trials(out: Console, trials: Sequence[Trial], origin: str, most: int) -> None:
    """Print what other thresholds would have done, with at most `most` deals by name."""
    shown = table(
        f"Raised in {origin}", ["Signal", "Level", "Now", "Then", "In these deals"], ("Now", "Then")
    )
    for trial in trials:
        deals = [f"-{name}" for name in trial.only_now] + [f"+{name}" for name in trial.only_then]
        more = f" and {len(deals) - most} more" if len(deals) > most else ""
        shown.add_row(
            trial.signal, trial.level.lower(), f"{trial.now}", f"{trial.then}",
            ", ".join(deals[:most]) + more or "the same",
        )  # fmt: skip
    out.print(shown)
    out.print("- no longer raised in this deal, + newly raised.", markup=False)
