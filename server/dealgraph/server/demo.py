"""The demo: an embedded dealgraph that reads a simulated quarter over gRPC while one watches."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Final

from rich.console import Console

from dealgraph.api.v1 import alert_pb2, alert_service_pb2
from dealgraph.server.cli.alert_words import bare_id, quotes_of
from dealgraph.server.cli.intake import ServerSink, Tally
from dealgraph.server.client import Client
from dealgraph.server.demo_feed import Tick, feed, sample_tenant
from dealgraph.server.demo_recap import Arrived, collect, newest_alerts
from dealgraph.server.demo_signals import tell_signals
from dealgraph.server.demo_stage import Stage, Subscriber, open_stage
from dealgraph.server.demo_summary import show_summary
from dealgraph.server.demo_view import DemoView
from dealgraph.stream.interaction import Interaction, InteractionKind, Reason, Rejected
from dealgraph.stream.receipts import Outcome, Receipt

_PLAY_SECONDS: Final = 80.0
_TICK_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 60.0
_NAMED_REFUSALS: Final = 2

Clock = Callable[[], int]


class DemoError(Exception):
    """The demo cannot go on; the message says what to do next."""


class Play:
    """Delivers what arrives at a pace and shows the alerts that come of it."""

    def __init__(
        self, stage: Stage, client: Client, subscriber: Subscriber, view: DemoView
    ) -> None:
        self._stage = stage
        self._client = client
        self._sink = ServerSink(client)
        self._subscriber = subscriber
        self._view = view
        self._refusing: set[str] = set()
        self.tally = Tally()
        self.alerts: list[Arrived] = []
        self.taken_back = 0

    def deliver(self, ticks: Iterable[Tick], pause: float) -> None:
        """Deliver tick by tick; one begins `pause` seconds after the one before, or later."""
        due = time.monotonic()
        for number, tick in enumerate(ticks, 1):
            if tick.items:
                receipts = self._sink.deliver(tick.items)
                for item, receipt in zip(tick.items, receipts, strict=True):
                    self._note(item, receipt)
            self._view.progress(number, tick.at)
            self._take(self._subscriber.arrived())
            due += pause
            time.sleep(max(0.0, due - time.monotonic()))

    def settle(self) -> None:
        """Wait until the graph holds all that was delivered and every alert of it has arrived."""
        if not self._stage.embedded.runner.wait_until_caught_up(_PATIENCE_SECONDS):
            raise DemoError("The dataflow did not finish. Run `dealgraph doctor`, then try again.")
        request = alert_service_pb2.ListAlertsRequest(page_size=1)
        newest = self._client.alert.ListAlerts(request, timeout=_PATIENCE_SECONDS).alerts
        while newest and newest[0].id not in {arrived.alert.id for arrived in self.alerts}:
            alert = self._subscriber.wait(_PATIENCE_SECONDS)
            if alert is None:
                raise DemoError("An alert did not arrive. Run `dealgraph doctor`, then try again.")
            self._take([alert])

    def _note(self, item: Interaction | Rejected, receipt: Receipt) -> None:
        """Count an item; tell of each record that cannot be read and of the first refusals."""
        self.tally.note(item, receipt)
        if isinstance(item, Rejected):
            self._view.remark(f"{item.position}: cannot be read; it is kept as a dead letter.")
        elif receipt.reason == Reason.NO_CONSENT:
            self._refused(item.rep)
        elif item.kind is InteractionKind.RECALL and receipt.outcome is Outcome.ACCEPTED:
            self.taken_back += 1

    def _refused(self, rep: str) -> None:
        if rep in self._refusing:
            return
        self._refusing.add(rep)
        if len(self._refusing) <= _NAMED_REFUSALS:
            self._view.remark(f"{bare_id(rep)} does not take part: nothing of theirs is stored.")
        elif len(self._refusing) == _NAMED_REFUSALS + 1:
            self._view.remark("Others do not take part either; what is refused is only counted.")

    def _take(self, alerts: Sequence[alert_pb2.Alert]) -> None:
        for alert in alerts:
            quotes = quotes_of(self._client.graph, alert.evidence_ids)
            self.alerts.append(Arrived(alert, quotes))
            self._view.alert(alert, quotes)


def perform(
    out: Console,
    directory: Path,
    clock: Clock,
    wait: Callable[[str], None],
    days: int,
    *,
    fast: bool,
) -> None:
    """Play the first `days` of the sample tenant on `directory` and tell what came of it.

    `wait` is called with the server's address before it stops. Raises DemoError.
    """
    scenario = sample_tenant()
    count = int(_PLAY_SECONDS / _TICK_SECONDS)
    with ExitStack() as resources:
        stage = resources.enter_context(open_stage(directory, clock))
        target = stage.addresses.listen
        client = resources.enter_context(Client(target))
        subscriber = Subscriber(target)
        resources.callback(subscriber.close)
        counts = stage.embedded.graph.counts
        shown = count * days // scenario.days
        with DemoView(out, counts, shown) as view:
            play = Play(stage, client, subscriber, view)
            view.say(
                f"dealgraph listens on {target}. A simulated quarter of {scenario.reps} reps goes in …"
            )
            ticks = islice(feed(scenario, count), shown)
            play.deliver(ticks, 0.0 if fast else _TICK_SECONDS)
            play.settle()
        recap = collect(client, counts(), play.tally, play.alerts, play.taken_back)
        told = tell_signals(client, newest_alerts(play.alerts))
        show_summary(out, recap, told)
        wait(target)
