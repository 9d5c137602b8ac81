"""A data directory whose log is full and whose graph is empty, to be processed by a benchmark."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

from dealgraph.server.compose import Embedded, open_embedded
from dealgraph.server.settings import Settings
from dealgraph.stream.ingest import Outcome
from dealgraph.stream.meter import SilentMeter
from tests.benchmarks.traffic import START, interactions

_LATE: Final = START + 400 * 86_400_000
_CHUNK: Final = 5_000


@contextmanager
def filled(directory: Path, total: int) -> Iterator[Embedded]:
    """Open a data directory whose log holds `total` interactions and whose graph is empty."""
    dealgraph = open_embedded(directory, Settings(), lambda: _LATE, SilentMeter())
    try:
        stream = interactions(total)
        while chunk := list(islice(stream, _CHUNK)):
            receipts = dealgraph.gate.publish(chunk)
            if any(receipt.outcome is not Outcome.ACCEPTED for receipt in receipts):
                raise RuntimeError("the traffic of the benchmark was not accepted")
        yield dealgraph
    finally:
        dealgraph.close()
