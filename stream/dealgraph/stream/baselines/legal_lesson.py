"""How long after proposal and qualification legal usually comes into won deals, by segment (S2).

The delays are counted in bins of x = asinh(days), so that medians can be had of sums that fade.
"""

from collections.abc import Mapping
from math import asinh
from typing import Final

import msgspec

from dealgraph.graph.model import ActionKind, Stage
from dealgraph.stream.baselines.bounds import Values
from dealgraph.stream.baselines.lesson import NOTHING_SEEN, History, Lesson
from dealgraph.stream.baselines.sums import Seen, Sums
from dealgraph.stream.signals.legal_reference import (
    LegalWindowThresholds,
    Window,
    reference_of,
)
from dealgraph.stream.signals.legal_window_shift import delays
from dealgraph.stream.signals.thresholds import Thresholds
from dealgraph.stream.signals.working_time import working_times

_SECTION: Final = "legal_window_shift"
_WON: Final = frozenset({Stage.WON, Stage.ONBOARDING})
_BIN: Final = 0.05
_BINS: Final = 140
"""Up to asinh(days) = 7: a year and a half."""


def _limits(thresholds: Thresholds) -> LegalWindowThresholds:
    return thresholds.section(_SECTION, LegalWindowThresholds)


def _seen(history: History, thresholds: Thresholds) -> Seen:
    if not any(a.kind is ActionKind.STAGE_CHANGE and a.stage in _WON for a in history):
        return NOTHING_SEEN
    found = delays(history, working_times(thresholds), _limits(thresholds))
    counts = [0.0] * (2 * _BINS)
    for first, days in ((0, found.proposal), (_BINS, found.qualification)):
        if days is not None:
            counts[first + min(_BINS - 1, max(0, int(asinh(days) / _BIN)))] = 1.0
    return {(segment, ""): tuple(counts) for segment in {"", history[-1].segment}}


def _usual(sums: Sums, thresholds: Thresholds) -> Values:
    limits = _limits(thresholds)
    if ("", "") not in sums:
        return {}
    usual = _window(sums, "", limits.usual, limits.least_deals)
    segments = {
        segment: _window(sums, segment, usual, limits.least_deals)
        for segment, _ in sums
        if segment and sums.deals((segment, "")) >= limits.least_deals
    }
    if (usual, segments) == (limits.usual, {}):
        return {}
    return {
        "usual": msgspec.to_builtins(usual),
        "segments": msgspec.to_builtins({**limits.segments, **segments}),
    }


def _window(sums: Sums, segment: str, prior: Window, least: int) -> Window:
    counts = sums.numbers((segment, ""))
    return Window(
        reference_of(_delays(counts[:_BINS]), prior.proposal, least),
        reference_of(_delays(counts[_BINS:]), prior.qualification, least),
    )


def _delays(counts: list[float]) -> list[tuple[float, float]]:
    """Return (x, weight) of the bins that hold any."""
    return [((place + 0.5) * _BIN, count) for place, count in enumerate(counts) if count]


def _before(found: Values, thresholds: Thresholds) -> Values:
    if not found:
        return found
    limits = _limits(thresholds)
    named = found["segments"]
    segments = named if isinstance(named, Mapping) else {}
    return {
        "usual": msgspec.to_builtins(limits.usual),
        "segments": {name: msgspec.to_builtins(limits.window(name)) for name in segments},
    }


LEGAL: Final = Lesson(_SECTION, frozenset({"usual", "segments"}), _seen, _usual, _before)
"""S2."""
