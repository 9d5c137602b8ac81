"""How fast the world is drawn: events/s with their truth, beside JSON-encoding the same rows alone.

CPU time on one core, in memory; the files of `dealgraph simulate --out` come on top of both alike.
"""

from itertools import islice
from resource import RUSAGE_SELF, getrusage
from time import perf_counter, process_time
from typing import Any, Final

import msgspec

from dealgraph.stream.interaction_rows import encode_row, to_row
from dealgraph.stream.world.scenario import shipped_scenario
from dealgraph.stream.world.truth import encode
from dealgraph.stream.world.world import World

NAME: Final = "simulate"
SUMMARY: Final = (
    "scenario → rows and truth, events/s on one core, beside JSON-encoding the same rows"
)

_PIECE: Final = 10_000


def run(quick: bool) -> dict[str, Any]:
    """Draw 100 k events of the scenario `load` (`quick`), otherwise 500 k."""
    wanted = 100_000 if quick else 500_000
    world = World(shipped_scenario("load"), 1)
    events = world.events()
    drawing = writing = floor = wall = 0.0
    done = size = 0
    while done < wanted:
        began, began_wall = process_time(), perf_counter()
        piece = list(islice(events, _PIECE))
        drawn = process_time()
        size += sum(len(encode_row(event.interaction)) for event in piece)
        size += sum(len(encode(truth)) for truth in world.truth)
        world.truth.clear()
        written = process_time()
        wall += perf_counter() - began_wall
        rows = [to_row(event.interaction) for event in piece]
        again = process_time()
        for row in rows:
            msgspec.json.encode(row)
        floor += process_time() - again
        drawing, writing = drawing + drawn - began, writing + written - drawn
        done += len(piece)
    return {
        "events": done,
        "megabytes": round(size / 1e6, 1),
        "events_per_cpu_second": round(done / (drawing + writing)),
        "events_per_second": round(done / wall),
        "asked_events_per_second": 20_000,
        "cpu_us_per_event": {
            "drawing": round(drawing / done * 1e6, 1),
            "rows_and_truth_to_json": round(writing / done * 1e6, 1),
            "floor_json_of_the_rows": round(floor / done * 1e6, 1),
        },
        "peak_memory_megabytes": round(getrusage(RUSAGE_SELF).ru_maxrss / 1024),
    }
