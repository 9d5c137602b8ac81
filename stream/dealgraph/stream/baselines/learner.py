"""Learns baselines beside the dataflow: at steps of event time, from the deals that are over since the last.

A step is taken when the watermark has passed a full multiple of its length, at the very record that brought
it there and with all of the log up to that record in the graph. So what is learnt follows from the log.
It is written into the log before the next record is looked at, and holds for deals that begin so late that
none of them can have been seen yet: no running deal changes, and a graph made anew from the log finds the
same baselines for each deal.
"""

import hashlib
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Final

from dealgraph.graph.store import GraphStore
from dealgraph.stream.baselines.book import BaselineBook
from dealgraph.stream.baselines.bounds import Limits, held
from dealgraph.stream.baselines.lesson import History
from dealgraph.stream.baselines.lessons import LESSONS, add_up
from dealgraph.stream.baselines.record import Baselines, note_baselines
from dealgraph.stream.baselines.sums import Sums
from dealgraph.stream.baselines.tenant import tenant_history
from dealgraph.stream.calendar import DAY_MS, WEEK_MS
from dealgraph.stream.log import EventLog
from dealgraph.stream.meter import Meter
from dealgraph.stream.signals.thresholds import Thresholds
from dealgraph.stream.stages import CLOSED, stage_of

_AHEAD_MS: Final = 2 * DAY_MS
"""The watermark may be a day behind what was seen; the other day is for clocks that were set right."""
_NEVER: Final = 1 << 62


class Learner:
    """Writes what is usual into the log.

    `towards` are the thresholds towards which values are drawn, `clock` gives milliseconds since 1970 UTC.
    """

    def __init__(
        self,
        graph: GraphStore,
        log: EventLog,
        book: BaselineBook,
        towards: Thresholds,
        limits: Limits,
        clock: Callable[[], int],
        meter: Meter,
    ) -> None:
        self._graph = graph
        self._log = log
        self._book = book
        self._towards = towards
        self._limits = limits
        self._clock = clock
        self._meter = meter
        self._step_ms = round(limits.step_days * DAY_MS)
        newest = book.newest
        self._until = newest.until if newest is not None else 0
        self._next = self._until + self._step_ms

    def is_due(self, reached: int) -> bool:
        """Say whether the watermark calls for a step."""
        return reached >= self._next

    def learn(self, position: int, reached: int) -> None:
        """Take a step if one is due. The graph holds the log up to `position`, and nothing else.

        Raises StorageError.
        """
        if not self.is_due(reached):
            return
        started = perf_counter()
        since, until = self._until, reached - reached % self._step_ms
        self._until, self._next = until, until + self._step_ms
        before = self._book.newest
        came_in = position - (before.after if before is not None else 0)
        share = round(self._limits.read_share * came_in)
        histories = list(self._over(since, until, max(share, self._limits.least_actions)))
        if histories:
            baselines = self._learnt(before, histories, position, reached)
            note_baselines(self._log, baselines)
            self._book.add(baselines)
            self._meter.learnt(baselines.version, len(histories))
        self._meter.stage("learn", perf_counter() - started)

    def _learnt(
        self, before: Baselines | None, histories: list[History], position: int, reached: int
    ) -> Baselines:
        """Return the next version: present values, moved by all that was seen as far as they may."""
        present = self._book.thresholds_by(before)
        sums = self._faded(before)
        add_up(sums, histories, present)
        for one in sums.values():
            one.keep(self._limits.most_segments)
        values = {}
        for lesson in LESSONS:
            found = lesson.usual(sums[lesson.section], self._towards)
            bounds = self._limits.bounds.get(lesson.section, {})
            if found:
                values[lesson.section] = held(bounds, lesson.before(found, present), found)
        ahead = reached + _AHEAD_MS
        return Baselines(
            version=before.version + 1 if before is not None else 1,
            valid_from=ahead + -ahead % DAY_MS,
            until=self._until,
            after=position,
            learnt_at=self._clock(),
            deals=len(histories),
            sums={section: one.cells() for section, one in sums.items()},
            values=values,
        )

    def _faded(self, before: Baselines | None) -> dict[str, Sums]:
        """Return what was seen until now, weighing less by the event time since."""
        known = before.sums if before is not None else {}
        sums = {lesson.section: Sums(known.get(lesson.section, ())) for lesson in LESSONS}
        if before is not None:
            weeks = (self._until - before.until) / WEEK_MS
            for one in sums.values():
                one.fade(2.0 ** (-weeks / self._limits.half_life_weeks))
        return sums

    def _over(self, since: int, until: int, actions: int) -> Iterator[History]:
        """Yield deals over since the last step, in an order drawn by ids, until so many actions are read."""
        silent_ms = round(self._limits.silent_days * DAY_MS)
        changed = self._graph.stage_changed(since, until)
        over = {deal for deal in changed if since <= self._closed_at(deal) < until}
        silent = self._graph.last_heard(max(0, since - silent_ms), until - silent_ms)
        over.update(deal for deal in silent if self._closed_at(deal) == _NEVER)
        for deal in sorted(over, key=_drawn):
            history = tenant_history(self._graph, deal)
            if history:
                yield history
            actions -= len(history)
            if actions <= 0:
                return

    def _closed_at(self, deal: str) -> int:
        """Return when a deal was first closed, `_NEVER` when it is not."""
        closed = (at for at, stage in self._graph.stages(deal) if stage_of(stage) in CLOSED)
        return next(closed, _NEVER)


def _drawn(deal: str) -> bytes:
    return hashlib.sha256(deal.encode("utf-8", "surrogatepass")).digest()
