"""Whether state and recovery stay small while opportunities come and go by the million.

Short deals (opened, two messages, closed) run one beside another. When a tenth of them and when all are
over, the process is killed; the next one says how long it takes to take up the state, how many timers
stand, and what memory it needs. The floor is the same with an empty data directory.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

NAME: Final = "states"
SUMMARY: Final = "memory, timers and time to recover while opportunities come and go"


def run(quick: bool) -> dict[str, Any]:
    """Measure after a tenth and after all of 1 M opportunities (20 k when quick)."""
    total = 20_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        data, empty = str(Path(folder) / "data"), str(Path(folder) / "empty")
        result: dict[str, Any] = {"floor_empty": _child("recover", empty, 0)}
        for first, last in ((0, total // 10), (total // 10, total)):
            grown = _child("grow", data, first, last)
            result[f"after_{last}"] = grown | _child("recover", data, last)
    return result


def _child(*words: object) -> dict[str, Any]:
    """Run a step in a process of its own; return what it prints."""
    command = [sys.executable, "-m", "tests.benchmarks.passing", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout:
        raise RuntimeError("a process of the benchmark ended early; its error is above")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
