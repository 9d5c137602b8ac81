"""Real dealgraph processes for tests: started on free ports, and killed when a test says so."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_READY: Final = re.compile(r"gRPC on (\S+), metrics on (\S+)")


class ServerProcess:
    """A `dealgraph serve` in a process of its own. `listen` and `metrics` are HOST:PORT."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "dealgraph.server.cli", "serve", "--data", str(data)),
                *("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", *arguments),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"NO_COLOR": "1", "COLUMNS": "500"},
        )
        self.listen, self.metrics = self._wait_until_ready()

    def _wait_until_ready(self) -> tuple[str, str]:
        assert self._process.stdout is not None
        said: list[str] = []
        for line in self._process.stdout:
            said.append(line)
            if found := _READY.search(line):
                return found[1], found[2]
        raise AssertionError("dealgraph serve ended before it was ready:\n" + "".join(said))

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def kill(self) -> None:
        """Kill the process as a loss of power would: nothing is flushed."""
        self._end(signal.SIGKILL)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the process to stop by a signal and return its exit status."""
        return self._end(number)

    def _end(self, number: signal.Signals) -> int:
        if self._process.poll() is None:
            self._process.send_signal(number)
        self._process.communicate(timeout=60)
        return self._process.returncode


@contextmanager
def serving(data: Path, *arguments: str) -> Iterator[ServerProcess]:
    """Run a server while the block runs, and stop it after."""
    process = ServerProcess(data, *arguments)
    try:
        yield process
    finally:
        process.stop()
