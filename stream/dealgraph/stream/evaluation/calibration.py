"""Finds the levels of detectors that give the asked rate of false alarms, where all alarms are false.

The histories are the clean deals of a scenario, or a tenant's own deals: then true signals count as false
ones, and the levels come out on the safe side. A *lever* is a pair of values in the thresholds of a rule
(`levers.yaml`); both are searched on a geometric grid around the value they have, by bisection. A stricter
level does not alarm more often, but where a long episode covers several short ones; so what is found is
counted once more at the end.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from dealgraph.graph.model import Level, SignalKind
from dealgraph.stream.evaluation.judging import rises
from dealgraph.stream.evaluation.plants import Name
from dealgraph.stream.signals.detector import Detector, Observed
from dealgraph.stream.signals.false_alarms import Measured
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.thresholds import ThresholdError, Thresholds

_FACTOR: Final = 1.08
_LOWEST, _HIGHEST = -8, 24
"""Steps of the grid: from a little over half of a level to six times of it."""


class Lever(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the two levels of a rule stand, as paths with dots, and which signals they decide on."""

    rule: str
    section: str
    recorded: str
    pushed: str
    stricter: Literal["higher", "lower"]
    signals: tuple[str, ...]

    def path(self, level: Level) -> str:
        """Return the path of a level."""
        return self.recorded if level is Level.RECORDED else self.pushed

    def names(self) -> frozenset[Name]:
        """Return kinds and forms of the signals."""
        pairs = (signal.partition(".") for signal in self.signals)
        return frozenset((SignalKind[kind], form) for kind, _, form in pairs)


@cache
def levers() -> tuple[Lever, ...]:
    """Return the levers of all rules, from `levers.yaml`."""
    raw = resources.files(__package__).joinpath("levers.yaml").read_bytes()
    return msgspec.yaml.decode(raw, type=tuple[Lever, ...])


class Watched(Struct, frozen=True):
    """A history that was watched for false alarms, until a moment and for so many weeks."""

    name: str
    actions: Sequence[Observed]
    until: int
    weeks: float


class Found(Struct, frozen=True):
    """The value found for a level, and what it gives: episodes over all the weeks, of its worst signal."""

    rule: str
    level: str
    path: str
    before: float
    value: float
    alarms: int
    weeks_per_alarm: float | None


Alarms = Counter[tuple[Name, Level]]


def alarms_of(rules: Iterable[Detector[Any]], watched: Iterable[Watched]) -> Alarms:
    """Return how many episodes reach each level in all histories."""
    found: Alarms = Counter()
    rules = list(rules)
    for one in watched:
        found.update((rise.name, rise.level) for rise in rises(rules, one.actions, one.until))
    return found


def false_alarms_of(
    rules: Iterable[Detector[Any]], watched: Sequence[Watched], source: str
) -> dict[str, Measured]:
    """Return by rule how often its signals came per opportunity-week; what never came is left out."""
    weeks = sum(one.weeks for one in watched)
    found: dict[str, Measured] = {}
    for rule in rules:
        counted = alarms_of([rule], watched)
        forms: dict[str, dict[str, float]] = {}
        for ((_, form), level), count in sorted(counted.items()):
            forms.setdefault(form, {})[level.name.lower()] = float(f"{count / weeks:.2g}")
        for kind in {kind for (kind, _), _ in counted}:
            found[rule.rule] = Measured(kind.name, rule.version, source, forms)
    return found


def value_at(thresholds: Thresholds, section: str, path: str) -> float:
    """Return a value by its path. Raises ThresholdError when there is no number."""
    value: object = thresholds.sections.get(section)
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(value, int | float):
        raise ThresholdError(f"thresholds, section {section}: {path} is not a number")
    return float(value)


def with_value(thresholds: Thresholds, section: str, path: str, value: float) -> Thresholds:
    """Return thresholds with one value replaced."""
    changed = _replaced(thresholds.sections.get(section, {}), path.split("."), value)
    return Thresholds({**thresholds.sections, section: changed}, thresholds.teams)


def _replaced(values: Mapping[str, object], path: Sequence[str], value: float) -> dict[str, object]:
    first, *rest = path
    inner = values.get(first)
    if rest and isinstance(inner, Mapping):
        return {**values, first: _replaced(inner, rest, value)}
    return {**values, first: value}


def calibrate(
    thresholds: Thresholds,
    watched: Sequence[Watched],
    asked: Mapping[Level, float],
    progress: Callable[[float], None] = lambda done: None,
) -> tuple[Thresholds, list[Found]]:
    """Return thresholds whose levels alarm at most once per `asked` opportunity-weeks, and what was found.

    `progress` gets the part done. Raises ThresholdError for a lever that names no number.
    """
    weeks = sum(one.weeks for one in watched)
    found: list[Found] = []
    tasks = [(lever, level) for lever in levers() for level in Level]
    for number, (lever, level) in enumerate(tasks):
        thresholds, one = _calibrated(thresholds, lever, level, watched, weeks, asked[level])
        found.append(one)
        progress((number + 1) / len(tasks))
    return thresholds, found


def _calibrated(
    thresholds: Thresholds,
    lever: Lever,
    level: Level,
    watched: Sequence[Watched],
    weeks: float,
    asked: float,
) -> tuple[Thresholds, Found]:
    path, names = lever.path(level), lever.names()
    before = value_at(thresholds, lever.section, path)
    start = before
    if level is Level.PUSHED:  # never milder than what is recorded
        recorded = value_at(thresholds, lever.section, lever.recorded)
        higher = lever.stricter == "higher"
        start = max(before, recorded) if higher else min(before, recorded)

    def stated(step: int) -> Thresholds:
        factor = _FACTOR ** (step if lever.stricter == "higher" else -step)
        return with_value(thresholds, lever.section, path, float(f"{start * factor:.4g}"))

    def alarms(step: int) -> int:
        rules = [rule for rule in detectors(stated(step)) if rule.rule == lever.rule]
        counted = alarms_of(rules, watched)
        return max((counted[(name, level)] for name in names), default=0)

    low = 0 if level is Level.PUSHED and start != before else _LOWEST
    high = _HIGHEST
    while low < high:
        middle = (low + high) // 2
        if alarms(middle) * asked <= weeks:
            high = middle
        else:
            low = middle + 1
    chosen, count = stated(high), alarms(high)
    value = value_at(chosen, lever.section, path)
    per_alarm = weeks / count if count else None
    return chosen, Found(lever.rule, level.name, path, before, value, count, per_alarm)


class Trial(Struct, frozen=True):
    """How often a signal would have reached a level with other thresholds, and in which deals it differs."""

    signal: str
    level: str
    now: int
    then: int
    only_now: tuple[str, ...]
    only_then: tuple[str, ...]


def compare(
    now: Sequence[Detector[Any]], then: Sequence[Detector[Any]], watched: Iterable[Watched]
) -> list[Trial]:
    """Return what changes of the opportunity-wide signals when the rules `then` replace those of `now`."""
    counts: dict[tuple[Name, Level], tuple[Counter[str], Counter[str]]] = {}
    for one in watched:
        for side, rules in enumerate((now, then)):
            for rise in rises(rules, one.actions, one.until):
                pair = counts.setdefault((rise.name, rise.level), (Counter(), Counter()))
                pair[side][one.name] += 1
    order = sorted(counts, key=lambda key: (int(key[0][0]), key[0][1], int(key[1])))
    return [_trial(key, *counts[key]) for key in order]


def _trial(key: tuple[Name, Level], now: Counter[str], then: Counter[str]) -> Trial:
    (kind, form), level = key
    return Trial(
        signal=f"{kind.name}.{form}" if form else kind.name,
        level=level.name,
        now=now.total(),
        then=then.total(),
        only_now=tuple(sorted(now.keys() - then.keys())),
        only_then=tuple(sorted(then.keys() - now.keys())),
    )
