"""An episode that ends only when what it is about has been low for a window: hysteresis in time."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import Level, Severity
from dealgraph.stream.signals.course import Course, Form, Reading
from dealgraph.stream.signals.detector import NEVER, Episode

SEVERITY: Final = {Level.RECORDED: Severity.INFO, Level.PUSHED: Severity.WARNING}
"""How severe a signal is that has no degrees but its level."""


class Held(Struct):
    """The episodes of one form, and since when the open one has been low; a part of a state."""

    course: Course = field(default_factory=Course)
    low_since: int | None = None

    def follow(
        self,
        form: Form,
        at: int,
        level: Level | None,
        *,
        low: bool,
        tells: bool,
        reading: Callable[[], Reading],
    ) -> Iterator[Episode]:
        """Raise at `level` (None: not reached), go on, or take note that it is low.

        An open episode is told of again when its level rises, or when `tells` says that it goes on.
        """
        course = self.course
        if not course.open:
            if level is not None and course.may_begin(form, at):
                yield course.begin(form, at, SEVERITY[level], reading(), level)
            return
        if not low:
            self.low_since = None
        elif self.low_since is None:
            self.low_since = at
        if level is not None and (tells or level > course.level):
            yield course.go_on(form, at, SEVERITY[level], reading(), level)

    def settle(
        self, form: Form, at: int, window_ms: int, reading: Callable[[], Reading]
    ) -> Iterator[Episode]:
        """End the episode if it has been low for a window."""
        if self.low_since is not None and self.low_since + window_ms <= at:
            yield from self.close(form, at, reading)

    def close(self, form: Form, at: int, reading: Callable[[], Reading]) -> Iterator[Episode]:
        """End the episode if one is open."""
        self.low_since = None
        if self.course.open:
            yield self.course.end(form, at, reading())


def due(held: Iterable[Held], window_ms: int) -> int:
    """Return when the next of them will have been low for a window; NEVER for none."""
    low = [one.low_since for one in held if one.low_since is not None]
    return min(low) + window_ms if low else NEVER
