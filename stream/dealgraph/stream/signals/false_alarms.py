"""False alarms to be expected at the thresholds in force: measured beforehand, data beside the thresholds."""

from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from dealgraph.graph.model import Level, SignalKind
from dealgraph.stream.signals.detector import Detector
from dealgraph.stream.signals.thresholds import ThresholdError

_Rate = Annotated[float, Meta(ge=0)]


class Measured(Struct, frozen=True, forbid_unknown_fields=True):
    """False alarms of one rule: per form and level, per opportunity-week, at thresholds of one version."""

    kind: str
    version: str
    source: str
    forms: Mapping[str, Mapping[str, _Rate]]


class Expectation(Struct, frozen=True):
    """False alarms to be expected per opportunity-week, and where the number comes from."""

    rule: str
    kind: SignalKind
    form: str
    level: Level
    per_opportunity_week: float
    source: str


def load_measured(raw: bytes | None = None) -> dict[str, Measured]:
    """Return what was measured, by rule: the shipped table, or the one in `raw`.

    Raises ThresholdError for a table that does not fit.
    """
    if raw is None:
        raw = (resources.files("dealgraph.stream.signals") / "false_alarms.yaml").read_bytes()
    try:
        found = msgspec.yaml.decode(raw, type=dict[str, Measured])
        check(found)
    except (msgspec.MsgspecError, ThresholdError) as error:
        raise ThresholdError(f"false_alarms.yaml: {error}") from error
    return found


def check(measured: Mapping[str, Measured]) -> None:
    """Raise ThresholdError for a kind of signal or a level that does not exist."""
    try:
        for one in measured.values():
            _ = SignalKind[one.kind]
            _ = [Level[level.upper()] for rates in one.forms.values() for level in rates]
    except KeyError as error:
        raise ThresholdError(f"false_alarms: there is no {error.args[0]!r}") from error


def expectations(
    measured: Mapping[str, Measured], detectors: Iterable[Detector[Any]]
) -> list[Expectation]:
    """Return what is to be expected of these detectors; nothing of one whose version was not measured."""
    found: list[Expectation] = []
    for detector in detectors:
        known = measured.get(detector.rule)
        if known is None or known.version != detector.version:
            continue
        found += [
            Expectation(
                detector.rule,
                SignalKind[known.kind],
                form,
                Level[level.upper()],
                rate,
                known.source,
            )
            for form, rates in known.forms.items()
            for level, rate in rates.items()
        ]
    return found
