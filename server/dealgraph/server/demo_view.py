"""What one sees while the demo runs: alerts as they arrive, and below them the graph that grows."""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dealgraph.api.v1 import alert_pb2
from dealgraph.graph.model import Channel, EdgeKind, NodeKind
from dealgraph.graph.store import Counts
from dealgraph.server.cli.alert_words import Quote, render_alert
from dealgraph.server.cli.terminal import count, moment
from dealgraph.stream.connectors.statements import SOURCE as STATED
from dealgraph.stream.interaction import Interaction

_CHANNEL_WORDS: Final = {
    Channel.VOICE: "call",
    Channel.CHAT: "chat",
    Channel.MAIL: "mail",
    Channel.CRM: "CRM",
}
_COLUMNS: Final = 3


class DemoView:
    """Shows the demo on a console; without a terminal it prints only what stays."""

    def __init__(self, out: Console, counts: Callable[[], Counts], total: int) -> None:
        self._out = out
        self._counts = counts
        self._total = total
        self._done = 0
        self._at = 0
        self._reading = ""
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

    def progress(self, done: int, interaction: Interaction | None) -> None:
        """Note how many steps are delivered, and the newest interaction among them."""
        self._done = done
        if interaction is None or interaction.source == STATED:
            return
        reading = f"{_CHANNEL_WORDS[interaction.channel]} · {_deal(interaction)}"
        changed = reading != self._reading
        self._at, self._reading = interaction.occurred_at, reading
        if changed and self._live is None:
            self._out.print(f"{moment(self._at)}  {reading}", markup=False)

    def alert(self, alert: alert_pb2.Alert, quotes: Sequence[Quote]) -> None:
        """Show an alert that arrived."""
        self._alerts += 1
        self._out.print(render_alert(alert, quotes), "")

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
            ("dealgraph demo  ", "bold"), f"{when}  {self._reading}  ",
            (count(self._alerts, "alert"), "bold yellow"),
        )  # fmt: skip
        return Group(
            ProgressBar(total=max(self._total, 1), completed=self._done, width=60),
            head,
            _grid("nodes", {kind: counts.nodes.get(kind, 0) for kind in NodeKind}),
            _grid("edges", {kind: counts.edges.get(kind, 0) for kind in EdgeKind}),
        )


def _deal(interaction: Interaction) -> str:
    return interaction.customer or interaction.opportunity or interaction.session


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
