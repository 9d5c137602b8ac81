"""Alerts: which changes of a decision signal people are told of, and under which id."""

import hashlib

from msgspec import Struct

from dealgraph.graph.model import DecisionSignal, Level, SignalState
from dealgraph.stream.signals.detector import Episode


class Alert(Struct, frozen=True):
    """A message to the people who can still act: one version of a decision signal, under an id."""

    id: str
    signal: DecisionSignal


def alert_for(signal: DecisionSignal, previous: Episode | None, cause: str) -> Alert | None:
    """Return the alert that a new version of a signal calls for, or None.

    People hear of a signal that crosses the threshold for that: when it does, when it becomes more severe
    than `previous`, and when late data changes how severe it is or takes it away. `cause` is the id of
    what brought the change: with it the id is the same whenever the same change is made again, and
    different for any other change.
    """
    was_told = previous is not None and previous.level is Level.PUSHED
    if signal.state is SignalState.RETRACTED:
        worth_telling = was_told
    elif signal.level is not Level.PUSHED:
        worth_telling = was_told and signal.state is SignalState.REVISED
    elif previous is None or not was_told:
        worth_telling = signal.state is not SignalState.CLEARED
    elif signal.state is SignalState.REVISED:
        worth_telling = signal.severity is not previous.severity
    else:
        worth_telling = signal.severity > previous.severity
    if not worth_telling:
        return None
    raw = "\x1f".join((signal.rule, signal.id, signal.state.name, cause, *signal.evidence))
    return Alert(hashlib.sha256(raw.encode()).hexdigest()[:32], signal)
