"""When a shard must look at its states again: the timers of states in memory and of those that are not.

A timer is never later than the moment its state asks for; it may be earlier, since a wait that begins anew
with every message does not move it. Looking at it too early costs a look, and moves it on.
"""

import heapq
from collections.abc import Iterable, Iterator
from typing import Final

from dealgraph.graph.store import Timer
from dealgraph.stream.signals.detector import NEVER

NO_TIMER: Final = 0
"""`Timer.due` of a key that need not be looked at."""


class Timers:
    """The timers of one shard, as the graph holds them, with what is not committed yet."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._due)

    def load(self, timers: Iterable[Timer]) -> None:
        """Take over timers that were stored."""
        for timer in timers:
            self._due[timer.key] = timer.due
            self._heap.append((timer.due, timer.key))
        heapq.heapify(self._heap)

    def due(self, key: str) -> int:
        """Return when a state is looked at, NEVER when it need not be."""
        return self._due.get(key, NEVER)

    def ask(self, key: str, due: int) -> tuple[Timer, ...]:
        """Have a state looked at by `due`; return the timer to store when that is earlier than before."""
        if due >= self._due.get(key, NEVER):
            return ()
        return self.set(key, due)

    def set(self, key: str, due: int) -> tuple[Timer, ...]:
        """Have a state looked at at `due`, or no more when it is NEVER; return the timer to store."""
        if due == NEVER:
            return () if self._due.pop(key, None) is None else (Timer(key, NO_TIMER),)
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))
        return (Timer(key, due),)

    def until(self, moment: int) -> Iterator[str]:
        """Yield the keys whose timers are due by `moment`, in order of time; each must be set anew."""
        while self._heap and self._heap[0][0] <= moment:
            due, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                yield key
