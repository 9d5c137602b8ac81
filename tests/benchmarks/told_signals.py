"""What telling a version of a signal costs, beside the graph: `python -m tests.benchmarks.told_signals`.

Prints a line of JSON per size of commit, with CPU µs per version; the graph's is the floor.
"""

import json
import tempfile
from pathlib import Path
from time import process_time
from typing import Final

from dealgraph.graph.embedded import EmbeddedGraph
from dealgraph.graph.storage import Database
from dealgraph.graph.store import GraphBatch
from dealgraph.stream.log import Topic
from dealgraph.stream.sqlite_log import SCHEMA, SqliteLog
from dealgraph.stream.writer import version_record
from tests.support.graph_facts import make_signal

_VERSIONS: Final = 20_000


def measure(per_commit: int) -> dict[str, float]:
    """Return what `_VERSIONS` versions cost, so many in a commit."""
    told = floor = 0.0
    signals = [
        make_signal(
            id=f"{number:032x}"[::-1],
            at=number + 1,
            evidence=tuple(f"{number + one:032x}" for one in range(10)),
        )
        for number in range(_VERSIONS)
    ]
    with tempfile.TemporaryDirectory() as directory:
        schema = EmbeddedGraph.SCHEMA + SCHEMA
        database = Database(Path(directory) / "graph.db", schema, version=1, durable=False)
        graph, log = EmbeddedGraph(database), SqliteLog(dict.fromkeys(Topic, database))
        for begin in range(0, _VERSIONS, per_commit):
            some = signals[begin : begin + per_commit]
            with graph.transaction():
                started = process_time()
                graph.apply(GraphBatch(signals=some))
                written = process_time()
                log.append(Topic.SIGNALS, [version_record(signal) for signal in some])
                floor += written - started
                told += process_time() - written
        log.close()
    scale = 1e6 / _VERSIONS
    return {"per_commit": per_commit, "told_us": told * scale, "graph_us": floor * scale}


if __name__ == "__main__":
    for size in (1, 16, 512):
        print(json.dumps(measure(size)))
