"""What `dealgraph signals evaluate` prints of hints."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from rich.console import Console

from dealgraph.server.cli.terminal import table
from dealgraph.stream.evaluation.delays import Interval
from dealgraph.stream.evaluation.hint_judging import LEAST_MINUTES, HintVerdict
from dealgraph.stream.evaluation.judging import share_interval


class HintLine(Struct, frozen=True):
    """The figures of one hint, in talks. Intervals are 95 %."""

    rule: str
    least_minutes: float
    planted: int
    found: int
    recall: float
    recall_interval: Interval
    even_precision: float
    clean: int
    false: int
    warned: int
    false_share: float
    warned_share: float


def hint_lines(verdicts: Mapping[str, HintVerdict]) -> list[HintLine]:
    """Return the figures in order of the rules."""
    return [_line(rule, verdict) for rule, verdict in sorted(verdicts.items())]


def _line(rule: str, verdict: HintVerdict) -> HintLine:
    return HintLine(
        rule=rule,
        least_minutes=LEAST_MINUTES.get(rule, 0.0),
        planted=verdict.planted,
        found=verdict.found,
        recall=verdict.recall(),
        recall_interval=share_interval(verdict.found, verdict.planted),
        even_precision=verdict.even_precision(),
        clean=verdict.clean,
        false=verdict.false,
        warned=verdict.warned,
        false_share=verdict.false_share(),
        warned_share=verdict.warned / verdict.clean if verdict.clean else 0.0,
    )


def show_hints(out: Console, lines: Sequence[HintLine]) -> None:
    """Print a table with a line per hint, when there were talks."""
    if not lines:
        return
    numbers = ("From minutes", "Found", "Recall", "95 %", "Precision", "False talks", "above INFO")
    shown = table("How good the hints are", ["Hint", *numbers], numbers=numbers)
    for line in lines:
        low, high = line.recall_interval
        shown.add_row(
            line.rule, f"{line.least_minutes:g}", f"{line.found}/{line.planted}",
            f"{line.recall:.2f}", f"{low:.2f}–{high:.2f}", f"{line.even_precision:.2f}",
            f"{line.false_share:.1%}", f"{line.warned_share:.1%}",
        )  # fmt: skip
    out.print(shown)
    out.print(
        "False talks: share of the talks without a planted hint in which it was raised. From minutes: "
        "customer talk that a talk must have to be asked for.",
        markup=False,
    )
