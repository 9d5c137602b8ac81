"""Opportunities that come and go: run as a module, it lets some pass, or takes up the state after a kill.

python -m tests.benchmarks.passing grow DIRECTORY FIRST LAST
python -m tests.benchmarks.passing recover DIRECTORY NEXT
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from signal import SIGKILL
from time import perf_counter, process_time
from typing import Final

from msgspec.structs import replace

from dealgraph.graph.model import Channel, Role, Side
from dealgraph.server.compose import Embedded, open_embedded
from dealgraph.server.settings import Settings
from dealgraph.stream.interaction import Interaction, InteractionKind, Person, StageChange
from dealgraph.stream.meter import SilentMeter
from tests.benchmarks.traffic import START

_TOGETHER: Final = 500
"""Deals that run at a time; each takes two days."""
_DAY: Final = 86_400_000
_LATE: Final = START + 36_500 * _DAY


def interactions(first: int, last: int) -> Iterator[Interaction]:
    """Yield what happens in the deals from `first` to before `last`, in order of time."""
    for block in range(first, last, _TOGETHER):
        deals = [
            list(_deal(number, START + block // _TOGETHER * 2 * _DAY))
            for number in range(block, min(block + _TOGETHER, last))
        ]
        for step in zip(*deals, strict=True):
            yield from step


def _deal(number: int, opens: int) -> Iterator[Interaction]:
    name, at = f"deal-{number}", opens + number % _TOGETHER * 1000
    seller = Person(Side.REP, "rep-1", "Rep", Role.UNKNOWN, 1.0)
    buyer = Person(Side.CUSTOMER, f"wm{number % 997}", "Contact", Role.TECH_LEAD, 1.0)
    turn = Interaction(
        source="crm",
        native_id=f"{name}/0",
        kind=InteractionKind.STAGE_CHANGE,
        channel=Channel.CRM,
        occurred_at=at,
        opportunity=name,
        customer=f"customer-{number % 997}",
        rep="rep-1",
        detail=StageChange("DISCOVERY"),
    )
    message = replace(
        turn,
        source="wecom",
        kind=InteractionKind.MESSAGE,
        channel=Channel.CHAT,
        session=name,
        detail=None,
    )
    asked, answered = "Shall we meet on Tuesday?", "Does it work with our scanners?"
    yield turn
    yield replace(
        message, native_id=f"{name}/1", occurred_at=at + 3_600_000, actor=seller, text=asked
    )
    yield replace(
        message, native_id=f"{name}/2", occurred_at=at + 7_200_000, actor=buyer, text=answered
    )
    yield replace(turn, native_id=f"{name}/3", occurred_at=at + _DAY, detail=StageChange("WON"))


def _memory_mb() -> int:
    """Return the memory that is the process's own (Linux; else its peak): pages of files are left out."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = [int(line.split()[1]) for line in lines if line.startswith("RssAnon:")]
    return (own[0] if own else getrusage(RUSAGE_SELF).ru_maxrss) >> 10


def _opened(directory: str) -> Embedded:
    return open_embedded(Path(directory), Settings(), lambda: _LATE, SilentMeter())


def _publish(dealgraph: Embedded, arriving: Iterator[Interaction]) -> None:
    chunk: list[Interaction] = []
    for one in arriving:
        chunk.append(one)
        if len(chunk) == 5_000:
            dealgraph.gate.publish(chunk)
            chunk.clear()
    dealgraph.gate.publish(chunk)


def grow(directory: str, first: int, last: int) -> None:
    """Let deals pass, say what it cost, and die without a word to the stores."""
    dealgraph = _opened(directory)
    _publish(dealgraph, interactions(first, last))
    cpu = process_time()
    dealgraph.runner.run_to_end()
    spent = process_time() - cpu
    grown = {
        "cpu_us_per_event": round(spent / (4 * (last - first)) * 1e6, 1),
        "memory_mb": _memory_mb(),
    }
    print(json.dumps(grown), flush=True)
    os.kill(os.getpid(), SIGKILL)


def recover(directory: str, number: int) -> None:
    """Take up the state that is there, let one more deal pass, and say what that took."""
    wall = perf_counter()
    dealgraph = _opened(directory)
    timers = len(dealgraph.graph.timers())
    _publish(dealgraph, interactions(number, number + 1))
    dealgraph.runner.run_to_end()
    recovered = {
        "recovery_seconds": round(perf_counter() - wall, 2),
        "timers": timers,
        "memory_after_recovery_mb": _memory_mb(),
    }
    dealgraph.close()
    print(json.dumps(recovered), flush=True)


if __name__ == "__main__":
    what, where, *numbers = sys.argv[1:]
    if what == "grow":
        grow(where, int(numbers[0]), int(numbers[1]))
    else:
        recover(where, int(numbers[0]))
