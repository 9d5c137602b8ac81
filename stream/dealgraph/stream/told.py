"""What was told of an opportunity's signals, and what changes when that is no longer what holds."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from dealgraph.graph.model import DecisionSignal, SignalKind, SignalState
from dealgraph.stream.signals.detector import Detector, Episode, Scope, State
from dealgraph.stream.versions import episode_of

Name = tuple[str, str, SignalKind, str, int]
"""Names an episode within a state: rule, session ("" for the whole opportunity), kind, form, number."""


class Bound(Struct, frozen=True):
    """A detector with its answers read once: they are asked for with every action."""

    detector: Detector[Any]
    rule: str
    needs: int
    by_session: bool
    decode: Callable[[bytes], State]


class InForce(Struct, frozen=True):
    """Detectors as they judge a deal; `baselines` is the version of what they take as usual, 0: shipped."""

    bounds: tuple[Bound, ...]
    baselines: int = 0


InForceAt = Callable[[int], InForce]
"""Returns what judges a deal (or a session without one) whose first action is at an event time."""


class Told(Struct, frozen=True):
    """An episode that was told of, and the rep of the action that brought it."""

    episode: Episode
    rep: str


class Change(Struct, frozen=True):
    """An episode changed. `before` is what was told of it until now, None when it is new."""

    detector: Detector[Any]
    session: str
    state: SignalState
    episode: Episode
    before: Episode | None
    rep: str


def bind(detectors: Iterable[Detector[Any]]) -> tuple[Bound, ...]:
    """Return detectors as an `OpportunityState` takes them."""
    return tuple(
        Bound(
            detector,
            detector.rule,
            detector.topics,
            detector.scope is Scope.SESSION,
            msgspec.msgpack.Decoder(type(detector.begin())).decode,
        )
        for detector in detectors
    )


def news(bound: Bound, session: str, episode: Episode, before: Told | None, rep: str) -> Change:
    """Return the change that an episode is, seen in order."""
    if episode.cleared_at is not None:
        state = SignalState.CLEARED
    else:
        state = SignalState.RAISED if before is None else SignalState.UPDATED
    told = None if before is None else before.episode
    return Change(bound.detector, session, state, episode, told, rep)


def differences(
    bounds: Mapping[str, Bound], before: Mapping[Name, Told], after: Mapping[Name, Told]
) -> list[Change]:
    """Return the changes that lead from what was told to what holds, in order of their names.

    What was told by a rule that is no longer there is left as it is.
    """
    changes: list[Change] = []
    for name in sorted(before.keys() | after.keys(), key=_order):
        bound = bounds.get(name[0])
        if bound is not None and before.get(name) != after.get(name):
            changes += _difference(bound, name[1], before.get(name), after.get(name))
    return changes


def _order(name: Name) -> tuple[str, str, int, str, int]:
    rule, session, kind, form, number = name
    return rule, session, int(kind), form, number


def _difference(
    bound: Bound, session: str, before: Told | None, after: Told | None
) -> list[Change]:
    detector = bound.detector
    if after is None:
        if before is None:
            return []
        gone = before.episode
        return [Change(detector, session, SignalState.RETRACTED, gone, gone, before.rep)]
    episode, rep = after.episode, after.rep
    if before is not None and before.episode == episode:
        return []  # another rep brings the same episode now: nothing to tell
    told = None if before is None else before.episode
    cleared = episode.cleared_at is not None
    changes: list[Change] = []
    if before is None:
        changes.append(Change(detector, session, SignalState.RAISED, episode, None, rep))
    elif not cleared:
        changes.append(Change(detector, session, SignalState.REVISED, episode, told, rep))
    if cleared:
        changes.append(
            Change(detector, session, SignalState.CLEARED, episode, told or episode, rep)
        )
    return changes


def told_by(bounds: Mapping[str, Bound], signals: Iterable[DecisionSignal]) -> dict[Name, Told]:
    """Return what stored signals told; retracted ones are told no more."""
    told: dict[Name, Told] = {}
    for signal in signals:
        if signal.state is SignalState.RETRACTED:
            continue
        bound = bounds.get(signal.rule)
        session = signal.session if bound is not None and bound.by_session else ""
        name = (signal.rule, session, signal.kind, signal.form, signal.episode)
        told[name] = Told(episode_of(signal), signal.rep)
    return told
