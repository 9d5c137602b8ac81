"""Judges detectors by what is true of a world: found, missed, too late, for nothing.

A signal counts as found when an episode of its kind and form begins while the plant works, or within
`_GRACE_MS` after it. In clean deals every episode is false. Raw precision counts the deals that take
the standard way, with plants or without; it depends on how much is planted. Precision at even odds does
not: TPR / (TPR + FPR), the share of true ones when as many deals are clean as planted.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import sqrt
from typing import Any, Final

from msgspec import Struct, field

from dealgraph.graph.model import Level
from dealgraph.stream.calendar import DAY_MS, WEEK_MS
from dealgraph.stream.evaluation.delays import Interval, Since, Unit, counted, expected_delays
from dealgraph.stream.evaluation.histories import Histories
from dealgraph.stream.evaluation.plants import RAISES, Name, may_raise, minimums
from dealgraph.stream.signals.detector import Detector, Observed, Scope
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.world.planted import Planted
from dealgraph.stream.world.truth import DealTruth

_GRACE_MS: Final = 14 * DAY_MS
_STANDARD: Final = "STANDARD"
_Z: Final = 1.96


class Rise(Struct, frozen=True):
    """The moment at which an episode first reached a level."""

    name: Name
    number: int
    level: Level
    at: int


def rises(
    detectors: Iterable[Detector[Any]], actions: Sequence[Observed], until: int
) -> list[Rise]:
    """Return when the opportunity-wide detectors reach each level in a history, in order of time."""
    found: list[Rise] = []
    for detector in detectors:
        if detector.scope is not Scope.OPPORTUNITY:
            continue
        reached: dict[tuple[Name, int], Level] = {}
        for episode in replay(detector, actions, until):
            name = (episode.kind, episode.form)
            before = reached.get((name, episode.number), 0)
            for level in Level:
                if before < level <= episode.level:
                    found.append(Rise(name, episode.number, level, episode.at))
            reached[(name, episode.number)] = episode.level
    return sorted(found, key=lambda rise: (rise.at, rise.name, rise.number, rise.level))


class Delay(Struct, frozen=True):
    """How long a plant took to be found, in days and in a unit, and what `delays.yaml` says."""

    days: float
    unit: Unit
    measured: float
    expected: float


class Verdict(Struct):
    """What was counted for one signal at one level.

    `delays` are those of the plants whose signal was first recorded after their start. `false_deals` of
    `clean_deals` had at least one false episode; `false` counts them all, over `clean_weeks`
    opportunity-weeks. `true_episodes` and `false_episodes` are those of raw precision.
    """

    planted: int = 0
    found: int = 0
    delays: list[Delay] = field(default_factory=list)
    clean_deals: int = 0
    false_deals: int = 0
    false: int = 0
    clean_weeks: float = 0.0
    true_episodes: int = 0
    false_episodes: int = 0

    def recall(self) -> float:
        """Return the share of plants that were found."""
        return self.found / self.planted if self.planted else 0.0

    def even_precision(self) -> float:
        """Return the precision at even odds of clean and planted deals."""
        false = self.false_deals / self.clean_deals if self.clean_deals else 0.0
        found = self.recall()
        return found / (found + false) if found + false else 0.0

    def raw_precision(self) -> float:
        """Return the share of true episodes among all, at the odds of the scenario."""
        total = self.true_episodes + self.false_episodes
        return self.true_episodes / total if total else 0.0

    def weeks_per_false(self) -> float:
        """Return how many opportunity-weeks of clean deals pass per false episode."""
        return self.clean_weeks / self.false if self.false else float("inf")


class Judge:
    """Adds up verdicts over worlds."""

    def __init__(self, detectors: Sequence[Detector[Any]]) -> None:
        self._detectors = detectors
        self.verdicts: dict[tuple[Name, Level], Verdict] = defaultdict(Verdict)

    def add(self, world: Histories) -> None:
        """Take in the deals of a world."""
        for name, truth in world.deals.items():
            actions = world.observed.get(name, [])
            if truth.opted_out or not actions or truth.opened >= world.end:
                continue
            until = min(truth.last + _GRACE_MS, world.end)
            self._judge(truth, actions, rises(self._detectors, actions, until), until)

    def _judge(
        self, truth: DealTruth, actions: Sequence[Observed], found: list[Rise], until: int
    ) -> None:
        if truth.clean:
            self._clean(truth, found, until)
        if truth.way == _STANDARD:
            self._count_episodes(truth, found)
        for planted in truth.planted:
            name = RAISES.get(planted.plant)
            if name is None or planted.implied:
                continue
            least = minimums()[planted.plant]
            if not least.reached(planted, until, actions, truth.legal_observed):
                continue
            begun = {one.number: one.at for one in reversed(found) if one.name == name}
            for level in Level:
                verdict = self.verdicts[(name, level)]
                verdict.planted += 1
                first = _first(found, name, level, planted)
                if first is None:
                    continue
                verdict.found += 1
                if begun[first.number] >= planted.start:
                    verdict.delays.append(_delay(truth, actions, planted, first))

    def _clean(self, truth: DealTruth, found: list[Rise], until: int) -> None:
        weeks = (min(truth.close, until) - truth.opened) / WEEK_MS
        for name in RAISES.values():
            for level in Level:
                verdict = self.verdicts[(name, level)]
                false = sum(1 for rise in found if rise.name == name and rise.level is level)
                verdict.clean_deals += 1
                verdict.clean_weeks += weeks
                verdict.false += false
                verdict.false_deals += false > 0

    def _count_episodes(self, truth: DealTruth, found: list[Rise]) -> None:
        own = {RAISES[p.plant]: p for p in truth.planted if p.plant in RAISES}
        beside = {name for p in truth.planted for name in may_raise(p.plant)}
        for rise in found:
            verdict = self.verdicts[(rise.name, rise.level)]
            planted = own.get(rise.name)
            if planted is not None and _within(rise.at, planted):
                verdict.true_episodes += 1
            elif rise.name not in beside:
                verdict.false_episodes += 1


def _within(at: int, planted: Planted) -> bool:
    return planted.start <= at <= planted.end + _GRACE_MS


def _first(found: list[Rise], name: Name, level: Level, planted: Planted) -> Rise | None:
    return next(
        (
            rise
            for rise in found
            if rise.name == name and rise.level is level and _within(rise.at, planted)
        ),
        None,
    )


def _delay(truth: DealTruth, actions: Sequence[Observed], planted: Planted, rise: Rise) -> Delay:
    table = expected_delays()[planted.plant]
    since = truth.proposal if table.since is Since.PROPOSAL else planted.start
    return Delay(
        days=(rise.at - planted.start) / DAY_MS,
        unit=table.unit,
        measured=counted(table.unit, actions, since, rise.at),
        expected=table.at(planted.strength, rise.level),
    )


def share_interval(part: int, whole: int) -> Interval:
    """Return Wilson's 95 % interval of a share."""
    if not whole:
        return 0.0, 1.0
    share, square = part / whole, _Z * _Z
    middle = share + square / (2 * whole)
    apart = _Z * sqrt(share * (1.0 - share) / whole + square / (4 * whole * whole))
    scale = 1.0 + square / whole
    return max(0.0, (middle - apart) / scale), min(1.0, (middle + apart) / scale)


def count_interval(count: int) -> Interval:
    """Return Byar's approximation of the exact 95 % interval of a Poisson count."""
    upper = count + 1
    high = upper * (1.0 - 1.0 / (9.0 * upper) + _Z / (3.0 * sqrt(upper))) ** 3
    low = count and count * (1.0 - 1.0 / (9.0 * count) - _Z / (3.0 * sqrt(count))) ** 3
    return float(low), high
