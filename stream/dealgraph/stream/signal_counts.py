"""Decision signals in numbers: raised, open, cleared and taken back, per rule, form and level."""

from collections.abc import Iterable

from msgspec import Struct

from dealgraph.graph.model import OPEN, DecisionSignal, Level, SignalKind, SignalState
from dealgraph.graph.store import Lifespan
from dealgraph.stream.calendar import WEEK_MS

Row = tuple[str, SignalKind, str, Level]
"""Rule, kind, form and level."""


class Tally(Struct):
    """Numbers of one row. A signal counts in the row of each level that it reached."""

    raised: int = 0
    open: int = 0
    cleared: int = 0
    retracted: int = 0

    def add(self, signal: DecisionSignal, since: int, before: int) -> None:
        """Count a signal, given the span [since, before); `before` 0 means no bound."""
        stands = signal.state is not SignalState.RETRACTED
        begun = not before or signal.raised_at < before
        ended = signal.cleared_at != OPEN and (not before or signal.cleared_at < before)
        if begun and signal.raised_at >= since:
            self.raised += 1
            self.retracted += not stands
        if stands:
            self.open += begun and not ended
            self.cleared += ended and signal.cleared_at >= since


def count_signals(signals: Iterable[DecisionSignal], since: int, before: int) -> dict[Row, Tally]:
    """Return the numbers per row within the span of event time [since, before)."""
    counts: dict[Row, Tally] = {}
    for signal in signals:
        for level in Level:
            if level <= signal.level:
                row = (signal.rule, signal.kind, signal.form, level)
                counts.setdefault(row, Tally()).add(signal, since, before)
    return counts


def opportunity_weeks(lifespans: Iterable[Lifespan], since: int, before: int) -> float:
    """Return the weeks from first to last action within the span, added up over the opportunities."""
    total = 0
    for life in lifespans:
        end = min(life.last, before) if before else life.last
        total += max(0, end - max(life.first, since))
    return total / WEEK_MS
