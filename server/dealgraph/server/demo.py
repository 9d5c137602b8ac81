"""The demo: an embedded dealgraph that reads the bundled sample over gRPC while one watches."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console

from dealgraph.api.v1 import alert_pb2, alert_service_pb2
from dealgraph.server.cli.alert_words import bare_id, quotes_of
from dealgraph.server.cli.intake import ServerSink, Tally
from dealgraph.server.client import Client
from dealgraph.server.demo_feed import Step, Story, load_story
from dealgraph.server.demo_recap import Arrived, collect
from dealgraph.server.demo_stage import Stage, Subscriber, open_stage
from dealgraph.server.demo_summary import show_summary
from dealgraph.server.demo_view import DemoView
from dealgraph.stream.interaction import Interaction, Reason, Rejected
from dealgraph.stream.receipts import Receipt

_PLAY_SECONDS: Final = 36.0
_TICK_SECONDS: Final = 0.1
_FAST_BATCH: Final = 50
_PATIENCE_SECONDS: Final = 60.0

Clock = Callable[[], int]


class DemoError(Exception):
    """The demo cannot go on; the message says what to do next."""


class Play:
    """Delivers the story at a pace and shows the alerts that come of it."""

    def __init__(
        self, stage: Stage, client: Client, subscriber: Subscriber, view: DemoView
    ) -> None:
        self._stage = stage
        self._client = client
        self._sink = ServerSink(client)
        self._subscriber = subscriber
        self._view = view
        self._delivered = 0
        self.tally = Tally()
        self.alerts: list[Arrived] = []

    def deliver(self, steps: Sequence[Step], batch_size: int, pause: float) -> None:
        """Deliver steps in batches, with a pause in seconds after each."""
        for start in range(0, len(steps), batch_size):
            batch = [step.item for step in steps[start : start + batch_size]]
            for item, receipt in zip(batch, self._sink.deliver(batch), strict=True):
                self._remark(item, receipt)
                self.tally.note(item, receipt)
            self._delivered += len(batch)
            newest = next((i for i in reversed(batch) if isinstance(i, Interaction)), None)
            self._view.progress(self._delivered, newest)
            self._take(self._subscriber.arrived())
            time.sleep(pause)

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

    def _remark(self, item: Interaction | Rejected, receipt: Receipt) -> None:
        """Tell of what is left out: each record that cannot be read, each rep's refusal once."""
        if isinstance(item, Rejected):
            self._view.remark(f"{item.position} cannot be read; it is kept as a dead letter.")
        elif receipt.reason == Reason.NO_CONSENT:
            if (item.rep, item.channel.name.lower()) not in self.tally.refused:
                rep = bare_id(item.rep)
                self._view.remark(f"{rep} has not agreed to be recorded: the call is not stored.")

    def _take(self, alerts: Sequence[alert_pb2.Alert]) -> None:
        for alert in alerts:
            quotes = quotes_of(self._client.graph, alert.evidence_ids)
            self.alerts.append(Arrived(alert, quotes))
            self._view.alert(alert, quotes)


def perform(
    out: Console, directory: Path, clock: Clock, wait: Callable[[str], None], *, fast: bool
) -> None:
    """Play the sample on `directory` and tell what came of it.

    `wait` is called with the server's address before it stops. Raises DemoError.
    """
    story = load_story()
    with ExitStack() as resources:
        stage = resources.enter_context(open_stage(directory, clock))
        target = stage.addresses.listen
        client = resources.enter_context(Client(target))
        subscriber = Subscriber(target)
        resources.callback(subscriber.close)
        counts = stage.embedded.graph.counts
        with DemoView(out, counts, _length(story)) as view:
            play = Play(stage, client, subscriber, view)
            view.say(f"dealgraph listens on {target}. Three weeks at three customers go in …")
            _play(play, view, story, fast=fast)
        show_summary(out, collect(client, play.tally, play.alerts))
        wait(target)


def _play(play: Play, view: DemoView, story: Story, *, fast: bool) -> None:
    play.deliver(story.cast, _FAST_BATCH, 0.0)
    ticks = int(_PLAY_SECONDS / _TICK_SECONDS)
    size = _FAST_BATCH if fast else -(-len(story.plot) // ticks)
    pause = 0.0 if fast else _PLAY_SECONDS * size / len(story.plot)
    play.deliver(story.plot, size, pause)
    play.settle()
    view.say("A mailbox arrives late: what it holds happened nine days ago …")
    play.deliver(story.late, _FAST_BATCH, 0.0)
    play.settle()


def _length(story: Story) -> int:
    return len(story.cast) + len(story.plot) + len(story.late)
