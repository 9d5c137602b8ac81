"""R4 and R5: one slip is enough, more are worse, calm talk ends it; against a batch count."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.model import ActionKind, Severity, Side, SignalKind, Topic
from dealgraph.stream.signals import over_promise, sensitive_term
from dealgraph.stream.signals.detector import Detector, Observed
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.observed import DAY, MINUTE, SECOND, START, observed

(R4,) = over_promise.detectors(load_thresholds())
(R5,) = sensitive_term.detectors(load_thresholds())
CALM = 10 * MINUTE
GAP = MINUTE

both = pytest.mark.parametrize(
    ("detector", "topic"), [(R4, Topic.OVER_PROMISE), (R5, Topic.SENSITIVE)], ids=["R4", "R5"]
)


def found(detector: Detector[Any], stream: list[Observed]) -> list[tuple[int, int | None, int]]:
    """(at, cleared, count) of all versions, with a day for the end to come."""
    until = stream[-1].at + DAY if stream else START
    episodes = replay(detector, stream, until)
    return [(e.raised_at, e.cleared_at, int(e.statistic)) for e in episodes]


def batch(times: list[int]) -> list[tuple[int, int | None, int]]:
    """The same from the times of all slips: groups whose gaps are shorter than the calm."""
    versions: list[tuple[int, int | None, int]] = []
    group: list[int] = []
    for at, following in zip(times, [*times, 1 << 61][1:], strict=True):
        group.append(at)
        versions.append((group[0], None, min(len(group), 64)))
        if following >= at + CALM:
            versions.append((group[0], at + CALM, min(len(group), 64)))
            group = []
    return versions


@both
@settings(max_examples=80, deadline=None)
@given(gaps=st.lists(st.sampled_from([0, SECOND, 9 * MINUTE, 12 * MINUTE, DAY]), max_size=90))
def test_episodes_are_the_slips_between_calm_stretches(
    detector: Detector[Any], topic: Topic, gaps: list[int]
) -> None:
    at, stream = START, []
    for number, gap in enumerate(gaps):
        at += gap
        stream.append(observed(number, at, topic, side=Side.REP))
    assert found(detector, stream) == batch([turn.at for turn in stream])


@both
def test_one_slip_of_the_rep_is_told_at_once_and_the_second_is_critical(
    detector: Detector[Any], topic: Topic
) -> None:
    stream = [observed(n, START + n * MINUTE, topic, side=Side.REP) for n in range(2)]
    first, second = list(replay(detector, stream, stream[-1].at))
    assert (first.severity, first.evidence) == (Severity.WARNING, ("000000",))
    assert (second.severity, second.evidence) == (Severity.CRITICAL, ("000000", "000001"))


@both
def test_a_question_is_no_slip(detector: Detector[Any], topic: Topic) -> None:
    asked = observed(0, START, topic, side=Side.REP, kind=ActionKind.QUESTION)
    assert found(detector, [asked]) == []


def test_only_the_rep_can_promise_too_much() -> None:
    assert R4.topics == 1 << Topic.OVER_PROMISE
    assert found(R4, [observed(0, START, Topic.OVER_PROMISE)]) == []


@pytest.mark.parametrize(
    ("sides", "words"),
    [
        ((Side.REP,), "1 time, from the rep"),
        ((Side.CUSTOMER, Side.UNKNOWN), "2 times, from the other side"),
        ((Side.CUSTOMER, Side.REP), "2 times, from both sides"),
    ],
)
def test_sensitive_words_count_whoever_says_them(sides: tuple[Side, ...], words: str) -> None:
    stream = [observed(n, START + n, Topic.SENSITIVE, side=side) for n, side in enumerate(sides)]
    last = list(replay(R5, stream, stream[-1].at))[-1]
    assert last.kind is SignalKind.SENSITIVE_TERM
    assert last.explanation == f"Words that nobody should say came up {words}."
