"""Decision signals as messages, and the filter of a request as a function over signals."""

from collections.abc import Callable, Collection

from dealgraph.api.v1 import signal_pb2
from dealgraph.api.v1 import signal_service_pb2 as pb
from dealgraph.graph.model import OPEN, DecisionSignal, Level, Polarity, SignalKind, SignalState
from dealgraph.server import requests
from dealgraph.stream.series import Point

Test = Callable[[DecisionSignal], bool]


def signal_message(signal: DecisionSignal) -> signal_pb2.DecisionSignal:
    """Return the message of a version of a signal."""
    return signal_pb2.DecisionSignal(
        id=signal.id,
        kind=int(signal.kind),  # type: ignore[arg-type]
        form=signal.form,
        polarity=int(signal.polarity),  # type: ignore[arg-type]
        state=int(signal.state),  # type: ignore[arg-type]
        level=int(signal.level),  # type: ignore[arg-type]
        severity=int(signal.severity),  # type: ignore[arg-type]
        strength=signal.strength,
        statistic=signal.statistic,
        threshold=signal.threshold,
        baseline=signal.baseline,
        window_ms=signal.window_ms,
        exposure_minutes=signal.exposure_minutes,
        minimum_effect=signal.minimum_effect,
        raised_at_ms=signal.raised_at,
        changed_at_ms=signal.at,
        cleared_at_ms=signal.cleared_at,
        recorded_at_ms=signal.recorded_at,
        evidence_ids=signal.evidence,
        rule=signal.rule,
        rule_version=signal.rule_version,
        episode=signal.episode,
        opportunity_id=signal.opportunity,
        customer_id=signal.customer,
        rep_id=signal.rep,
        session_id=signal.session,
        explanation=signal.explanation,
        suggestion=signal.suggestion,
        baselines_version=signal.baselines,
    )


def point_message(point: Point) -> pb.SignalPoint:
    """Return the message of a point of a series."""
    return pb.SignalPoint(
        at_ms=point.at,
        statistic=point.statistic,
        threshold=point.threshold,
        on=point.on,
        episode=point.episode,
    )


def concerns(
    opportunities: Collection[str],
    customers: Collection[str],
    reps: Collection[str],
    sessions: Collection[str],
) -> Test:
    """Return the test for whom and what a signal concerns; an empty collection means all."""
    deals, accounts = frozenset(opportunities), frozenset(customers)
    people, talks = frozenset(reps), frozenset(sessions)

    def test(signal: DecisionSignal) -> bool:
        return (
            (not deals or signal.opportunity in deals)
            and (not accounts or signal.customer in accounts)
            and (not people or signal.rep in people or signal.rep.partition(":")[2] in people)
            and (not talks or signal.session in talks)
        )

    return test


def wanted(asked: pb.SignalFilter) -> Test:
    """Return the test for a filter. Raises CallError when a field is wrong."""
    about = concerns(asked.opportunity_ids, asked.customer_ids, asked.rep_ids, asked.session_ids)
    kinds = requests.kinds("filter.kinds", asked.kinds, SignalKind)
    levels = requests.kinds("filter.levels", asked.levels, Level)
    polarities = requests.kinds("filter.polarities", asked.polarities, Polarity)
    states = requests.kinds("filter.states", asked.states, SignalState)
    since, before = requests.window(asked.window, "filter.window")
    forms = frozenset(asked.forms)

    def test(signal: DecisionSignal) -> bool:
        return (
            about(signal)
            and (kinds is None or signal.kind in kinds)
            and (not forms or signal.form in forms)
            and (levels is None or signal.level in levels)
            and (polarities is None or signal.polarity in polarities)
            and (states is None or signal.state in states)
            and (not before or signal.raised_at < before)
            and (signal.cleared_at == OPEN or signal.cleared_at >= since)
        )

    return test
