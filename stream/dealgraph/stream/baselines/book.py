"""Which baselines are in force for a deal: those that were known when it began."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from dealgraph.stream.baselines.lessons import LESSONS, laid_over
from dealgraph.stream.baselines.record import Baselines
from dealgraph.stream.signals.detector import Detector, Scope
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.thresholds import Thresholds
from dealgraph.stream.told import InForce, bind

_SHIPPED: Final = 0

Stated = Mapping[str, Mapping[str, object]]


class BaselineBook:
    """All baselines of a tenant, and its detectors under each; safe to ask from any thread.

    `thresholds` are those of the tenant, `stated` the values in its own file: where it states one that
    would be learnt, what was learnt of that section is not used (`pinned`).
    """

    def __init__(
        self, thresholds: Thresholds, stated: Stated, known: Iterable[Baselines] = ()
    ) -> None:
        self._thresholds = thresholds
        self.pinned = frozenset(
            lesson.section
            for lesson in LESSONS
            if lesson.names & set(stated.get(lesson.section, ()))
        )
        self._known: list[Baselines] = list(known)
        self._valid_from = [one.valid_from for one in self._known]
        self._detectors = {_SHIPPED: detectors(thresholds)}
        self._versions = {one.rule: one.version for one in self._detectors[_SHIPPED]}
        self._in_force = {_SHIPPED: InForce(bind(self._detectors[_SHIPPED]))}

    @property
    def newest(self) -> Baselines | None:
        """The baselines learnt last."""
        return self._known[-1] if self._known else None

    def add(self, baselines: Baselines) -> None:
        """Take in the next version."""
        self._known.append(baselines)
        self._valid_from.append(baselines.valid_from)

    def in_force_at(self, began: int) -> InForce:
        """Return what judges a deal, or a session without one, whose first action is at `began`."""
        version, baselines = self._at(began)
        found = self._in_force.get(version)
        if found is None:
            rules = [_AsStated(one, self._versions[one.rule]) for one in self._made(baselines)]
            found = self._in_force[version] = InForce(bind(rules), version)
        return found

    def detectors_at(self, began: int) -> Sequence[Detector[Any]]:
        """Return the detectors for a deal that began then."""
        return self._made(self._at(began)[1])

    def thresholds_by(self, baselines: Baselines | None) -> Thresholds:
        """Return the thresholds with what was learnt laid over them, except where the tenant states it."""
        if baselines is None:
            return self._thresholds
        # What an older version learnt may have names that are no longer learnt.
        free = {
            one.section: {
                name: value
                for name, value in baselines.values.get(one.section, {}).items()
                if name in one.names
            }
            for one in LESSONS
            if one.section not in self.pinned
        }
        return laid_over(self._thresholds, free)

    def _at(self, began: int) -> tuple[int, Baselines | None]:
        place = bisect_right(self._valid_from, began)
        if not place:
            return _SHIPPED, None
        found = self._known[place - 1]
        return found.version, found

    def _made(self, baselines: Baselines | None) -> tuple[Detector[Any], ...]:
        version = baselines.version if baselines is not None else _SHIPPED
        found = self._detectors.get(version)
        if found is None:
            found = self._detectors[version] = detectors(self.thresholds_by(baselines))
        return found


class _AsStated:
    """A detector under the version of its thresholds as stated: learning does not change a rule."""

    def __init__(self, detector: Detector[Any], version: str) -> None:
        self.rule: str = detector.rule
        self.version: str = version
        self.scope: Scope = detector.scope
        self.topics: int = detector.topics
        self.begin: Any = detector.begin
        self.observe: Any = detector.observe
        self.wake: Any = detector.wake
