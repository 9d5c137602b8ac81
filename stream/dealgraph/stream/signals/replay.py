"""Runs a detector over the whole history of one scope: what the keyed state does step by step, at once."""

from collections.abc import Iterable, Iterator

from dealgraph.graph.model import ActionKind
from dealgraph.stream.signals.detector import Detector, Episode, Observed, S, Scope


def shows(detector: Detector[S], action: Observed) -> bool:
    """Say whether a detector is shown an action."""
    if action.kind is ActionKind.STAGE_CHANGE:
        return detector.scope is Scope.OPPORTUNITY
    needs = detector.topics
    return not needs or needs & action.topics != 0


def replay(detector: Detector[S], actions: Iterable[Observed], until: int) -> Iterator[Episode]:
    """Yield what a detector finds in the actions of a scope, in order, with time going on to `until`.

    `actions` are all of the scope in the order (at, id); those that the detector does not ask for are
    left out here. A waking comes before an action of the same moment.
    """
    state = detector.begin()
    for action in actions:
        if shows(detector, action):
            yield from wake_until(detector, state, action.at)
            yield from detector.observe(state, action)
    yield from wake_until(detector, state, until)


def wake_until(detector: Detector[S], state: S, until: int) -> Iterator[Episode]:
    """Wake a detector at each moment it asked for, up to `until` inclusive.

    Raises ValueError when it asks for a moment that has passed.
    """
    while state.due <= until:
        at = state.due
        yield from detector.wake(state, at)
        if state.due <= at:
            raise ValueError(f"{detector.rule} was woken at {at} and asks for {state.due}")
