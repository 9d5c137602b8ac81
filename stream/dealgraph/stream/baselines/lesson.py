"""A lesson: how what is usual is learnt for one section of thresholds."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from dealgraph.stream.baselines.bounds import Values
from dealgraph.stream.baselines.sums import Seen, Sums
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.thresholds import Thresholds

History = Sequence[Observed]
"""All of a deal that stands, in the order (at, id), as its detectors see it; not empty."""

NOTHING_SEEN: Final[Seen] = {}


class Lesson(Struct, frozen=True):
    """What a deal shows of a section, what is usual by the sums of many, and what was until now.

    `names` are the thresholds that it sets. `seen` takes present thresholds: by them a deal is cut to a usual
    size. `usual` takes those towards which values are drawn. `before` returns the present values in the
    shape of those that were found.
    """

    section: str
    names: frozenset[str]
    seen: Callable[[History, Thresholds], Seen]
    usual: Callable[[Sums, Thresholds], Values]
    before: Callable[[Values, Thresholds], Values]


def as_they_are(section: str) -> Callable[[Values, Thresholds], Values]:
    """Return a `before` for values that stand in the section under their own names."""

    def before(found: Values, thresholds: Thresholds) -> Values:
        stated = thresholds.sections.get(section, {})
        return {name: stated.get(name) for name in found}

    return before
