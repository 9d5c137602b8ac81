"""What `dealgraph signals evaluate` prints of delays: measured ones beside those of the table."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from dealgraph.server.cli.signals_report import Line
from dealgraph.server.cli.terminal import table
from dealgraph.stream.evaluation.delays import LEAST_RATIO, MOST_RATIO, Compared, Interval

_NUMBERS: Final = ("Plants", "Days", "Measured", "95 %", "Table", "Ratio", "95 % of it")


def show_delays(out: Console, lines: Sequence[Line]) -> None:
    """Print a table with a line per signal and level that was found."""
    columns = ["Signal", "Level", *_NUMBERS, "Unit"]
    shown = table("How soon the signals speak", columns, numbers=_NUMBERS)
    for line in lines:
        delay = line.delay
        if delay is None:
            continue
        ratio = "–" if delay.ratio is None else f"{delay.ratio:.2f}"
        shown.add_row(
            f"{line.kind}{'.' if line.form else ''}{line.form}", line.level.lower(),
            f"{delay.plants}", f"{line.delay_days:.1f}", f"{delay.measured:.1f}",
            _interval(delay.measured_interval, 1), f"{delay.expected:.1f}", ratio,
            "–" if delay.ratio_interval is None else _interval(delay.ratio_interval, 2),
            line.delay_unit, style=_style(delay),
        )  # fmt: skip
    out.print(shown)
    out.print(
        "Measured: the mean since the plant began, in what the detector counts; table: what the formula "
        "gives for the strengths that were planted. Red: the interval of the ratio lies outside "
        f"{LEAST_RATIO:g} to {MOST_RATIO:g}; yellow: the ratio does, and its interval reaches into it. "
        "Plants whose signal was recorded before they began are left out.",
        markup=False,
    )


def _interval(interval: Interval, digits: int) -> str:
    low, high = interval
    return f"{low:.{digits}f}–{high:.{digits}f}"


def _style(delay: Compared) -> str:
    if delay.falls_short:
        return "bold red"
    return "" if delay.is_near else "yellow"
