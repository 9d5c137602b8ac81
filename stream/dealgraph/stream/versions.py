"""A version of a decision signal from an episode that a detector found, and the episode back from it."""

import hashlib
from typing import Any

from msgspec import Struct

from dealgraph.graph.model import OPEN, DecisionSignal, SignalState
from dealgraph.stream.signals.detector import Detector, Episode


class Scope(Struct, frozen=True):
    """Where an episode was found: the key of the state, and the session ("" for the whole of it).

    `customer` is whom it concerns, `recorded_at` when all that it rests on was known, `baselines` the version
    of the baselines by which it was found.
    """

    key: str
    session: str
    customer: str
    recorded_at: int
    baselines: int = 0


def signal_of(
    episode: Episode,
    state: SignalState,
    detector: Detector[Any],
    scope: Scope,
    rep: str,
    suggestion: str,
) -> DecisionSignal:
    """Return the version of the signal that an episode is; its id is that of all versions of the episode."""
    key = scope.key
    opportunity = key[2:] if key.startswith("o:") else ""
    session = scope.session or ("" if opportunity else key[2:])
    raw = "\x1f".join((key, session, episode.kind.name, episode.form, str(episode.number)))
    return DecisionSignal(
        id=hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:32],
        kind=episode.kind,
        state=state,
        severity=episode.severity,
        rule=detector.rule,
        rule_version=detector.version,
        episode=episode.number,
        opportunity=opportunity,
        session=session,
        customer=scope.customer,
        rep=rep,
        at=episode.at,
        recorded_at=scope.recorded_at,
        statistic=episode.statistic,
        threshold=episode.threshold,
        baseline=episode.baseline,
        exposure_minutes=episode.exposure_minutes,
        window_ms=episode.window_ms,
        evidence=episode.evidence,
        explanation=episode.explanation,
        suggestion=suggestion,
        form=episode.form,
        polarity=episode.polarity,
        level=episode.level,
        raised_at=episode.raised_at,
        cleared_at=episode.cleared_at or OPEN,
        minimum_effect=episode.minimum_effect,
        baselines=scope.baselines,
    )


def episode_of(signal: DecisionSignal) -> Episode:
    """Return the episode that a version tells of."""
    return Episode(
        kind=signal.kind,
        number=signal.episode,
        severity=signal.severity,
        raised_at=signal.raised_at,
        at=signal.at,
        cleared_at=None if signal.cleared_at == OPEN else signal.cleared_at,
        statistic=signal.statistic,
        threshold=signal.threshold,
        baseline=signal.baseline,
        exposure_minutes=signal.exposure_minutes,
        window_ms=signal.window_ms,
        evidence=signal.evidence,
        explanation=signal.explanation,
        form=signal.form,
        polarity=signal.polarity,
        level=signal.level,
        minimum_effect=signal.minimum_effect,
    )
