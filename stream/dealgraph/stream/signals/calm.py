"""When a statistic has been low for long enough that its episode ends: a part of a detector's state."""

from msgspec import Struct

from dealgraph.stream.signals.detector import NEVER


class Calm(Struct):
    """Since when (event time) the statistic of an open episode is low; None while it is not."""

    since: int | None = None

    def note(self, at: int, *, low: bool) -> None:
        """Take note of how it is at a moment."""
        if not low:
            self.since = None
        elif self.since is None:
            self.since = at

    def ends(self, hold_ms: int) -> int:
        """Return when the episode ends if it stays low: `hold_ms` after it became so, else NEVER."""
        return NEVER if self.since is None else self.since + hold_ms
