"""The contract of detectors, checked on streams: every registered detector is held to it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from dealgraph.graph.model import ActionKind, Severity, Side, Topic
from dealgraph.stream.signals.detector import Detector, Episode, Observed, State
from dealgraph.stream.signals.replay import shows, wake_until
from tests.support.observed import MINUTE, START, observed


def run(detector: Detector[Any], stream: Iterable[Observed]) -> list[tuple[Observed, Episode]]:
    """Feed a new state with what the detector asks for, and return what it found and at which action.

    What it finds when it is woken is noted with the action before which that happened.
    """
    state = detector.begin()
    found: list[tuple[Observed, Episode]] = []
    for action in stream:
        if not shows(detector, action):
            continue
        found += [(action, episode) for episode in wake_until(detector, state, action.at)]
        found += [(action, episode) for episode in detector.observe(state, action)]
    return found


def store(state: State) -> bytes:
    """Return a state as it is stored."""
    return msgspec.msgpack.encode(state)


def restored(detector: Detector[Any], stored: bytes) -> Any:
    """Return a state that was stored."""
    return msgspec.msgpack.decode(stored, type=type(detector.begin()))


def check_episodes(stream: Sequence[Observed], found: Sequence[tuple[Observed, Episode]]) -> None:
    """Assert that what was found over `stream` keeps the contract of episodes."""
    order = {action.id: place for place, action in enumerate(stream)}
    newest: dict[object, Episode] = {}
    for action, episode in found:
        before = newest.get((episode.kind, episode.form))
        _check_values(action, episode)
        _check_evidence(order, action, episode)
        if before is None or before.number != episode.number:
            assert episode.number == (0 if before is None else before.number + 1)
            assert episode.cleared_at is None
            assert episode.raised_at == episode.at
            assert before is None or before.cleared_at is not None
        else:
            assert episode.raised_at == before.raised_at
            assert before.cleared_at is None
            assert episode.severity >= before.severity
            assert episode.level >= before.level
        newest[(episode.kind, episode.form)] = episode


def _check_values(action: Observed, episode: Episode) -> None:
    assert episode.at <= action.at
    assert episode.cleared_at in (None, episode.at)
    assert episode.explanation.endswith(".") and len(episode.explanation) > 20
    assert episode.severity in Severity
    assert episode.exposure_minutes >= 0.0 and episode.window_ms >= 0
    raised = episode.cleared_at is None and episode.raised_at == episode.at
    assert not raised or abs(episode.statistic) >= abs(episode.threshold) - 1e-9
    assert episode.minimum_effect >= 0.0


def _check_evidence(order: dict[str, int], action: Observed, episode: Episode) -> None:
    places = [order[name] for name in episode.evidence]
    assert len(places) <= 10
    assert places == sorted(set(places))
    assert not places or places[-1] <= order[action.id]
    assert places or episode.cleared_at is not None


def busy_stream(length: int) -> Iterator[Observed]:
    """A long stream on all topics at one moment after another, ten a second."""
    for number in range(length):
        yield observed(
            number,
            START + number * 100,
            Topic.PRICE,
            Topic.COMPETITOR,
            Topic.DELIVERY,
            Topic.OWNERSHIP,
            side=Side.REP if number % 50 == 49 else Side.CUSTOMER,
            kind=ActionKind.QUESTION,
            session=f"s{number % 7}",
            person=f"mail:p{number}@x.example",
            talk_ms=MINUTE,
            valence=-0.5 if number % 3 else 0.5,
        )
