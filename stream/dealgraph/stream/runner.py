"""Runs the dataflow: to the end of the log, or beside a server until it is stopped."""

import threading
from collections.abc import Callable
from datetime import timedelta

from bytewax.testing import run_main

from dealgraph.stream.baselines.learner import Learner
from dealgraph.stream.dataflow import Parts, build
from dealgraph.stream.failure import Failure
from dealgraph.stream.log import EventLog, Topic
from dealgraph.stream.log_source import LogSource, LogTail

_EPOCH = timedelta(seconds=1)


class RunStoppedError(Exception):
    """The dataflow was stopped before it came to the end."""


class Runner:
    """One dataflow over one log, made of `parts`.

    `start` runs it in a thread of its own, `run_to_end` in the caller's. `learner` learns baselines on the
    way, but not while a graph is made anew. A dataflow that dies leaves its reason in `error` and calls
    `on_death`.
    """

    def __init__(
        self,
        log: EventLog,
        parts: Parts,
        *,
        batch: int,
        clock: Callable[[], int],
        learner: Learner | None = None,
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self._log = log
        self.parts = parts
        self._batch = batch
        self._clock = clock
        self._learner = learner
        self._on_death = on_death
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: BaseException | None = None

    def start(self) -> None:
        """Start the dataflow in a thread; it follows the log until `stop`."""
        self._thread = threading.Thread(target=self._follow, name="dataflow")
        self._thread.start()

    def run_to_end(self) -> None:
        """Run the dataflow until it has written all that the log holds now."""
        self._run(self.parts, self._learner, follow=False)

    def pause(self) -> bool:
        """Let the dataflow stand still; return whether it followed the log until now."""
        followed = self._thread is not None
        if followed:
            self.stop()
            self._stop.clear()
        return followed

    def run_anew(self, parts: Parts) -> None:
        """Run other parts to the end of the log in the caller's thread, while the dataflow stands still.

        Raises RunStoppedError when it was stopped before.
        """
        end = self._log.end(Topic.INTERACTIONS)
        self._run(parts, None, follow=False)
        if parts.writer.position() < end:
            raise RunStoppedError("The dataflow was stopped before it had read all of the log.")

    def resume(self, parts: Parts, *, follow: bool) -> None:
        """Go on with other parts after a pause, unless stopped meanwhile; `follow` starts the thread."""
        self.parts = parts
        if follow and not self._stop.is_set():
            self.start()

    def position(self) -> int:
        """Return the offset of the log up to which everything is written."""
        return self.parts.writer.position()

    def wait_until_caught_up(self, timeout: float) -> bool:
        """Wait until all that the log holds now is written; False when time ran out or it died."""
        return self.parts.writer.wait_for(self._log.end(Topic.INTERACTIONS), timeout)

    def stop(self) -> None:
        """Let the dataflow write what it has read, and wait until it has ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _follow(self) -> None:
        try:
            self._run(self.parts, self._learner, follow=True)
        except BaseException as error:
            # The thread has no caller; whoever owns the runner learns of it here.
            self.error = error
            self._on_death()

    def _run(self, parts: Parts, learner: Learner | None, *, follow: bool) -> None:
        failure = Failure()
        tail = LogTail(
            self._log,
            parts.writer.position(),
            parts.writer.committed() + 1,
            parts.graph.event_time().reached,
            self._batch,
            follow=follow,
            stop=self._stop,
            failure=failure,
            written=parts.writer.committed,
            clock=self._clock,
            meter=parts.meter,
            learner=learner,
        )
        run_main(build(LogSource(tail), parts, failure), epoch_interval=_EPOCH)
        if failure.error is not None:
            raise failure.error
