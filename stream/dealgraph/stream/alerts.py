"""Alerts: which changes of a decision signal people are told of, and under which id."""

import hashlib

from msgspec import Struct

from dealgraph.graph.model import DecisionSignal, Severity, SignalState


class Alert(Struct, frozen=True):
    """A message to the people who can still act: one version of a decision signal, under an id."""

    id: str
    signal: DecisionSignal


def alert_for(signal: DecisionSignal, previous: Severity | None, cause: str) -> Alert | None:
    """Return the alert that a new version of a signal calls for, or None.

    People hear of a signal when it begins, when it becomes more severe than `previous`, and when late
    data revises or retracts it. `cause` is the id of the action that brought the change: with it the
    id is the same whenever the same change is made again, and different for any other change.
    """
    grown = (
        signal.state is SignalState.UPDATED and previous is not None and signal.severity > previous
    )
    told = {SignalState.RAISED, SignalState.REVISED, SignalState.RETRACTED}
    if signal.state not in told and not grown:
        return None
    raw = "\x1f".join((signal.rule, signal.id, signal.state.name, cause, *signal.evidence))
    return Alert(hashlib.sha256(raw.encode()).hexdigest()[:32], signal)
