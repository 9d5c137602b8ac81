"""What one sees while the demo runs: alerts as they arrive, and below them the graph that grows."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dealgraph.api.v1 import alert_pb2
from dealgraph.graph.model import EdgeKind, NodeKind, Severity, SignalState
from dealgraph.graph.store import Counts
from dealgraph.server.cli.alert_words import Quote, is_withdrawn, label, render_alert, title
from dealgraph.server.cli.terminal import count, moment

_COLUMNS: Final = 3
_WEEK_MS: Final = 7 * 86_400_000
_MOST_SHOWN: Final = 5
_NEWS: Final = frozenset({SignalState.RAISED, SignalState.RETRACTED})
_PLAIN: Final = {
    NodeKind.OPPORTUNITY: "deals",
    NodeKind.CONTACT: "contacts",
    NodeKind.ACTION: "actions",
    NodeKind.DECISION_SIGNAL: "signals",
}
"""What is told week by week where there is no terminal."""


class DemoView:
    """Shows the demo on a console; without a terminal it prints only what stays."""

    def __init__(self, out: Console, counts: Callable[[], Counts], total: int) -> None:
        self._out = out
        self._counts = counts
        self._total = total
        self._done = 0
        self._at = 0
        self._week = 0
        self._shown: Counter[tuple[int, bool]] = Counter()
        self._alerts = 0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._out.is_terminal:
            self._live = Live(
                console=self._out, get_renderable=self._render, refresh_per_second=8, transient=True
            )
            self._live.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def progress(self, done: int, at: int) -> None:
        """Note how many ticks are delivered, and the simulated time (ms since 1970 UTC)."""
        self._done, self._at = done, at
        week = at // _WEEK_MS
        if self._live is None and week != self._week:
            self._week = week
            nodes = self._counts().nodes
            said = ", ".join(f"{nodes.get(kind, 0):,} {words}" for kind, words in _PLAIN.items())
            self._out.print(f"{moment(at)}  {said}", markup=False)

    def alert(self, alert: alert_pb2.Alert, quotes: Sequence[Quote]) -> None:
        """Show an alert that arrived: what is new whole, a few of each kind, then the severe in a line.

        Updates and revisions are only counted: the summary has each signal as it stands at the end.
        """
        self._alerts += 1
        if SignalState(alert.state) not in _NEWS:
            return
        kind = alert.kind, is_withdrawn(alert)
        self._shown[kind] += 1
        if self._shown[kind] <= _MOST_SHOWN:
            self._out.print(render_alert(alert, quotes), "")
        elif Severity(alert.severity) is not Severity.INFO:
            where = alert.customer_id or alert.opportunity_id
            self._out.print(f"{label(alert):<10}{title(alert)}  {where}", style="dim", markup=False)

    def remark(self, words: str) -> None:
        """Print something noteworthy that is no alert."""
        self._out.print(words, style="dim", markup=False)

    def say(self, words: str) -> None:
        """Print a line that stays."""
        self._out.print(words, style="bold", markup=False)

    def _render(self) -> RenderableType:
        counts = self._counts()
        when = moment(self._at) if self._at else ""
        head = Text.assemble(
            ("dealgraph demo  ", "bold"), f"{when}  ",
            (count(self._alerts, "alert"), "bold yellow"),
        )  # fmt: skip
        return Group(
            ProgressBar(total=max(self._total, 1), completed=self._done, width=60),
            head,
            _grid("nodes", {kind: counts.nodes.get(kind, 0) for kind in NodeKind}),
            _grid("edges", {kind: counts.edges.get(kind, 0) for kind in EdgeKind}),
        )


def _grid(title: str, numbers: Mapping[NodeKind, int] | Mapping[EdgeKind, int]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for _ in range(_COLUMNS):
        grid.add_column(width=24)
    cells = [
        Text.assemble((f"{number:>6,} ", "bold cyan"), kind.name.lower().replace("_", " "))
        for kind, number in numbers.items()
    ]
    cells += [Text()] * (-len(cells) % _COLUMNS)
    grid.add_row(Text(title, style="dim"))
    for row in range(0, len(cells), _COLUMNS):
        grid.add_row(*cells[row : row + _COLUMNS])
    return grid
