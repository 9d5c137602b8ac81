"""The command line as a person runs it: in a process of its own."""

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dealgraph.server.sample import MATERIAL

TIMEOUT: Final = 60.0
"""Seconds after which a test gives up on a process."""


def dealgraph(
    *arguments: str | Path,
    variables: Mapping[str, str] = {},
    cwd: Path | None = None,
    timeout: float = TIMEOUT,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. `variables` are added to the environment."""
    return subprocess.run(
        _line(arguments, variables),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=cwd,
    )


@contextmanager
def started(
    *arguments: str | Path, variables: Mapping[str, str] = {}
) -> Iterator[subprocess.Popen[str]]:
    """Start a command, and kill it at the end if it still runs."""
    process = subprocess.Popen(
        _line(arguments, variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _line(arguments: Sequence[str | Path], variables: Mapping[str, str]) -> list[str]:
    stated = [f"{name}={value}" for name, value in variables.items()]
    return ["env", *stated, sys.executable, "-m", "dealgraph.server.cli", *map(str, arguments)]


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def line_with(stream: Iterator[str] | None, words: str) -> str:
    """Read lines until one holds `words`, and return it."""
    seen: list[str] = []
    for line in stream or ():
        seen.append(line)
        if words in line:
            return line
    raise AssertionError(f"no line with {words!r} in:\n{''.join(seen)}")


def call_arguments(customer: str, day: str, topic: str, started_at: str) -> list[str | Path]:
    """Return what `import` needs for a call of the bundled sample, but for where to."""
    folder = MATERIAL / customer
    return [
        *("webvtt", folder / f"{day}-{topic}.vtt", "--roster", folder / "roster.yaml"),
        *("--session", f"call-{customer}", "--started-at", started_at),
    ]


COMPETITORS_CALL: Final = call_arguments(
    "northfold", "2026-03-02", "discovery", "2026-03-02T09:30:00Z"
)
"""A call in which competitors come up often: one alert."""

PRICE_CALL: Final = call_arguments("suihe", "2026-03-11", "pricing", "2026-03-11T06:00:00Z")
"""A call about price: an alert that begins and one that grows."""

REFUSED_CALL: Final = [
    *call_arguments("northfold", "2026-03-04", "security", "2026-03-04T14:00:00Z"),
    *("--rep", "mail:marek.dolan@yanxi.example"),
]
"""A call whose rep has not agreed to be captured."""
