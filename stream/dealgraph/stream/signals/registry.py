"""Finds the detectors: every module of this package that has a function `detectors(thresholds)`."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from dealgraph.stream import signals
from dealgraph.stream.signals.detector import Detector
from dealgraph.stream.signals.thresholds import ThresholdError, Thresholds


def detectors(thresholds: Thresholds) -> tuple[Detector[Any], ...]:
    """Return all detectors, in the order of the names of their modules.

    Raises ThresholdError for a section that no detector has or that does not fit, and ValueError
    when two detectors share the name of a rule.
    """
    found: list[Detector[Any]] = []
    names = sorted(module.name for module in iter_modules(signals.__path__))
    taken = set()
    for name in names:
        module = import_module(f"{signals.__name__}.{name}")
        factory = getattr(module, "detectors", None)
        if factory is None or name == "registry":
            continue
        taken.add(name)
        found.extend(factory(thresholds))
    unknown = sorted(set(thresholds.sections) - taken)
    if unknown:
        raise ThresholdError(
            f"thresholds: no detector is named {', '.join(unknown)}; there are {', '.join(sorted(taken))}"
        )
    _refuse_twins(found)
    return tuple(found)


def _refuse_twins(found: list[Detector[Any]]) -> None:
    rules = [detector.rule for detector in found]
    twins = sorted({rule for rule in rules if rules.count(rule) > 1})
    if twins:
        raise ValueError(f"two detectors have the rule name {', '.join(twins)}; names are unique")
