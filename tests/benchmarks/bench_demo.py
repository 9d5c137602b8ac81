"""How long the demo takes from its start to a server that listens, and to the first alert.

The floor is a Python process that imports nothing and ends.
"""

import re
import subprocess
import sys
from time import perf_counter
from typing import Any, Final

NAME: Final = "demo"
SUMMARY: Final = "dealgraph demo: seconds to a server that listens and to the first alert"

_LISTENS: Final = re.compile(r"listens on")
_ALERT: Final = re.compile(r"^(INFO|WARNING|CRITICAL)\b")


def run(quick: bool) -> dict[str, Any]:
    """Measure one start, or the median of five."""
    starts = sorted(_start() for _ in range(1 if quick else 5))
    listens, alert = starts[len(starts) // 2]
    return {
        "seconds_to_listening": round(listens, 2),
        "seconds_to_first_alert": round(alert, 2),
        "floor_python_start_seconds": round(_floor(), 3),
        "asked_seconds": {"start_up_after_installation": 10.0, "first_alert_from_make": 90.0},
    }


def _start() -> tuple[float, float]:
    """Start the demo as a person does, and stop it at the first alert."""
    began = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "dealgraph.server.cli", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    listens = 0.0
    try:
        for line in process.stdout:
            if _LISTENS.search(line):
                listens = perf_counter() - began
            elif _ALERT.search(line):
                return listens, perf_counter() - began
    finally:
        process.terminate()
        process.communicate()
    raise RuntimeError("the demo ended without an alert")


def _floor() -> float:
    began = perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return perf_counter() - began
