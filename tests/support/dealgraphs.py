"""An embedded dealgraph on a directory, for tests that look at log, graph and alerts themselves."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dealgraph.server.compose import Embedded, open_embedded
from dealgraph.server.settings import Settings
from dealgraph.stream import codec
from dealgraph.stream.alerts import Alert
from dealgraph.stream.interaction import Interaction
from dealgraph.stream.log import Topic
from dealgraph.stream.meter import SilentMeter

NOW: Final = 1_790_000_000_000
"""A time after everything that tests publish, in milliseconds since 1970 UTC."""


@contextmanager
def opened(
    directory: Path, settings: Settings | None = None, clock: Callable[[], int] = lambda: NOW
) -> Iterator[Embedded]:
    """Open a data directory while the block runs."""
    dealgraph = open_embedded(directory, settings or Settings(), clock, SilentMeter())
    try:
        yield dealgraph
    finally:
        dealgraph.close()


def process(dealgraph: Embedded, interactions: Sequence[Interaction]) -> None:
    """Publish interactions, all of which must be accepted, and run the dataflow to the end."""
    for receipt in dealgraph.gate.publish(interactions):
        assert receipt.outcome.name == "ACCEPTED", receipt
    dealgraph.runner.run_to_end()


def alerts_of(dealgraph: Embedded) -> list[Alert]:
    """Return all alerts in order."""
    records = dealgraph.told.read(Topic.ALERTS, 0, 1_000_000)
    return [codec.alert_from_bytes(record.body) for record in records]
