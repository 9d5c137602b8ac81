"""Whether the dataflow slows down as the graph grows: two processes, measured by turns.

One process has a graph of `few` actions, the other of `many`, each grown by its own dataflow. Then both go
on, a chunk each by turns, so that what else the machine does falls on both alike. Run as a module, this is
one of the two: it waits on standard input for a line before each chunk and prints what the chunk took.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import IO, Any, Final

from dealgraph.stream.writer import Written
from tests.benchmarks.filled import filled

_CHUNK: Final = 8_192
_CHUNKS: Final = 24


def compare(few: int, many: int) -> dict[str, Any]:
    """Return CPU and wall time per event at `few` and at `many` stored actions, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"few": few, "many": many}
        workers = {name: _start(Path(folder) / name, size) for name, size in sizes.items()}
        taken: dict[str, list[dict[str, float]]] = {name: [] for name in sizes}
        try:
            for worker in workers.values():  # one grows after the other
                _say(worker, "grow")
                _hear(worker)
            for _ in range(_CHUNKS):
                for name, worker in workers.items():
                    _say(worker, "chunk")
                    taken[name].append(_hear(worker))
        finally:
            for worker in workers.values():
                worker.kill()
                worker.wait()
    cpu = {name: [chunk["cpu_us"] for chunk in chunks] for name, chunks in taken.items()}
    wall = {name: [chunk["wall_us"] for chunk in chunks] for name, chunks in taken.items()}
    return {
        **{f"cpu_us_per_event_at_{sizes[name]}": round(median(cpu[name]), 1) for name in sizes},
        **{f"wall_us_per_event_at_{sizes[name]}": round(median(wall[name]), 1) for name in sizes},
        "rate_lost_ratio": round(1 - median(wall["few"]) / median(wall["many"]), 3),
    }


def _start(directory: Path, size: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.benchmarks.flatness", str(directory), str(size)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _say(worker: "subprocess.Popen[str]", word: str) -> None:
    stream = _open(worker.stdin)
    stream.write(word + "\n")
    stream.flush()


def _hear(worker: "subprocess.Popen[str]") -> dict[str, float]:
    line = _open(worker.stdout).readline()
    if not line:
        raise RuntimeError("a process of the benchmark ended early; its error is above")
    answer: dict[str, float] = json.loads(line)
    return answer


def _open(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise RuntimeError("a process of the benchmark has no pipe")
    return stream


def _work(directory: Path, size: int) -> None:
    """Grow to `size` actions, then process a chunk for each line of standard input."""
    sys.stdin.readline()
    with filled(directory, size + _CHUNK * (_CHUNKS + 1)) as dealgraph:
        seen, cpu, wall = 0, 0.0, 0.0

        def pause(_: Written) -> None:
            """Stop the dataflow after a commit, until the next line comes."""
            nonlocal seen, cpu, wall
            position = dealgraph.runner.position()
            if position < size or (seen and position < seen + _CHUNK):
                return
            events = max(1, position - seen)
            spent = {
                "cpu_us": (process_time() - cpu) / events * 1e6,
                "wall_us": (perf_counter() - wall) / events * 1e6,
            }
            print(json.dumps(spent), flush=True)
            sys.stdin.readline()
            seen, cpu, wall = position, process_time(), perf_counter()

        dealgraph.listen(pause)
        dealgraph.runner.run_to_end()


if __name__ == "__main__":
    _work(Path(sys.argv[1]), int(sys.argv[2]))
