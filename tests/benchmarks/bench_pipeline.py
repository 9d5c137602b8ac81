"""How fast the log becomes graph: log → decode → tag → detect → graph, beside the store alone.

The floor is the same batches written straight to an empty store, in the same run; beside it stands the
dataflow without any detector, and with three of them (R1, R2, S5). Flatness compares a process at 100 k
stored actions with one at 1 M, by turns.
"""

import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final
from unittest.mock import patch

from msgspec import Struct

from dealgraph.graph.embedded import EmbeddedGraph
from dealgraph.graph.store import GraphBatch
from dealgraph.server.compose import Embedded
from dealgraph.stream.baselines import book
from dealgraph.stream.signals.detector import Detector
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.thresholds import Thresholds
from dealgraph.stream.writer import Written
from tests.benchmarks.filled import filled
from tests.benchmarks.flatness import compare

NAME: Final = "pipeline"
SUMMARY: Final = "log → parse → tag → detect → graph, events/s, beside the store alone"

_THREE: Final = frozenset({"R1", "R2", "S5"})


class Mark(Struct, frozen=True):
    """A reading of the clocks after a number of events."""

    events: int
    cpu: float
    wall: float


def run(quick: bool) -> dict[str, Any]:
    """Measure; `quick` stops at 100 k events, otherwise 1 M."""
    total = 100_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        with filled(Path(folder) / "data", total) as dealgraph:
            marks = _process(dealgraph, [], keep=0)
        # Kept in a run of their own: a heap full of them makes Python's collector slow.
        batches: list[GraphBatch] = []
        with filled(Path(folder) / "kept", min(total, 100_000)) as dealgraph:
            _process(dealgraph, batches, keep=min(total, 100_000))
        floor = _floor(Path(folder) / "floor.db", batches)
        batches.clear()
        bare = _with_rules(frozenset(), Path(folder) / "bare", min(total, 100_000))
        three = _with_rules(_THREE, Path(folder) / "three", min(total, 100_000))
    whole = _between(marks, 0, min(total, 100_000))
    result = {
        "events": total,
        "whole": _rates(_between(marks, 0, total)),
        "first_100k": _rates(whole),
        "without_detectors": _rates(bare),
        "with_three_detectors": _rates(three),
        "floor_store_alone": _rates(floor),
        "cpu_times_floor": round(_per_event(whole) / _per_event(floor), 2),
        "cpu_times_floor_without_detectors": round(_per_event(bare) / _per_event(floor), 2),
        "cpu_times_floor_with_three_detectors": round(_per_event(three) / _per_event(floor), 2),
        "asked": {
            "events_per_second": 15_000,
            "events_per_second_with_all_detectors": 12_000,
            "aim": 25_000,
            "cpu_times_floor": 3.0,
            "rate_lost_ratio": 0.15,
        },
    }
    if not quick:
        result["flatness"] = compare(100_000, total)
    return result


def _process(dealgraph: Embedded, batches: list[GraphBatch], keep: int) -> list[Mark]:
    """Run the dataflow to the end of the log; keep the first batches, and note the clocks."""
    apply = dealgraph.graph.apply
    kept = 0

    def recording(batch: GraphBatch) -> None:
        nonlocal kept
        if kept < keep:
            batches.append(batch)
            kept += len(batch.actions)
        apply(batch)

    dealgraph.graph.apply = recording  # type: ignore[method-assign]
    marks = [Mark(0, process_time(), perf_counter())]

    def note(_: Written) -> None:
        position = dealgraph.runner.position()
        marks.append(Mark(position, process_time(), perf_counter()))

    dealgraph.listen(note)
    dealgraph.runner.run_to_end()
    return marks


def _with_rules(rules: frozenset[str], directory: Path, total: int) -> tuple[int, float, float]:
    """Run the dataflow over the same events with the detectors of some rules only."""

    def some(thresholds: Thresholds) -> tuple[Detector[Any], ...]:
        return tuple(one for one in detectors(thresholds) if one.rule in rules)

    with patch.object(book, "detectors", some), filled(directory, total) as dealgraph:
        return _between(_process(dealgraph, [], keep=0), 0, total)


def _floor(path: Path, batches: list[GraphBatch]) -> tuple[int, float, float]:
    """Write the kept batches straight to an empty store."""
    graph = EmbeddedGraph(path)
    cpu, wall = process_time(), perf_counter()
    for batch in batches:
        graph.apply(batch)
    cpu, wall = process_time() - cpu, perf_counter() - wall
    graph.close()
    return sum(len(batch.actions) for batch in batches), cpu, wall


def _between(marks: list[Mark], first: int, last: int) -> tuple[int, float, float]:
    """Return events, CPU and wall seconds between the marks nearest to two numbers of events."""
    start = min(marks, key=lambda mark: abs(mark.events - first))
    end = min(marks, key=lambda mark: abs(mark.events - last))
    return end.events - start.events, end.cpu - start.cpu, end.wall - start.wall


def _per_event(measured: tuple[int, float, float]) -> float:
    return measured[1] / measured[0]


def _rates(measured: tuple[int, float, float]) -> dict[str, float]:
    events, cpu, wall = measured
    return {
        "events_per_second": round(events / wall),
        "cpu_us_per_event": round(cpu / events * 1e6, 1),
        "wall_us_per_event": round(wall / events * 1e6, 1),
    }
