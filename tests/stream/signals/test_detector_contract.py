"""Every registered detector keeps the contract of detectors."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.model import Topic
from dealgraph.stream.signals.detector import Detector, Observed
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.replay import shows, wake_until
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.conformance import busy_stream, check_episodes, restored, run, store
from tests.support.observed import DAY, HOUR, MINUTE, SECOND, START, observed, streams

ALL = detectors(load_thresholds())
GAPS = [0, 5 * SECOND, 20 * SECOND, 3 * MINUTE, 2 * HOUR, 2 * DAY, 16 * DAY]
CALL_GAPS = [0, 5 * SECOND, 15 * SECOND, 30 * SECOND]

every_detector = pytest.mark.parametrize("detector", ALL, ids=lambda detector: detector.rule)
any_stream = st.one_of(streams(GAPS), streams(CALL_GAPS))


@every_detector
@settings(max_examples=60, deadline=None)
@given(stream=any_stream)
def test_episodes_are_well_formed_and_their_evidence_was_seen(
    detector: Detector[Any], stream: list[Observed]
) -> None:
    check_episodes(stream, run(detector, stream))


@every_detector
@settings(max_examples=30, deadline=None)
@given(stream=any_stream, data=st.data())
def test_a_replay_finds_what_was_found_live(
    detector: Detector[Any], stream: list[Observed], data: st.DataObject
) -> None:
    live = run(detector, stream)
    assert run(detector, stream) == live
    cut = data.draw(st.integers(0, len(stream)))
    seen = {action.id for action in stream[:cut]}
    assert run(detector, stream[:cut]) == [item for item in live if item[0].id in seen]


@every_detector
def test_an_empty_stream_raises_nothing(detector: Detector[Any]) -> None:
    assert run(detector, []) == []


@every_detector
def test_talk_about_other_things_raises_nothing(detector: Detector[Any]) -> None:
    stream = [observed(n, START + n * 10 * SECOND, Topic.TIMELINE) for n in range(500)]
    assert run(detector, stream) == []


@every_detector
@settings(max_examples=30, deadline=None)
@given(stream=any_stream, data=st.data())
def test_a_stored_state_goes_on_as_if_it_had_never_been_stored(
    detector: Detector[Any], stream: list[Observed], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(stream)))
    whole, stored = detector.begin(), detector.begin()
    for number, action in enumerate(stream):
        if number == cut:
            stored = restored(detector, store(stored))
        if not shows(detector, action):
            continue
        expected = [*wake_until(detector, whole, action.at), *detector.observe(whole, action)]
        assert [
            *wake_until(detector, stored, action.at),
            *detector.observe(stored, action),
        ] == expected
    assert store(stored) == store(whole)


@every_detector
def test_state_is_bounded_however_much_happens(detector: Detector[Any]) -> None:
    state = detector.begin()
    for action in busy_stream(20_000):
        list(wake_until(detector, state, action.at))
        detector.observe(state, action)
    assert len(store(state)) < 50_000


@every_detector
def test_two_scopes_share_no_state(detector: Detector[Any]) -> None:
    stream = list(busy_stream(200))
    first, second = detector.begin(), detector.begin()
    for action in stream:
        list(wake_until(detector, first, action.at))
        list(wake_until(detector, second, action.at))
        assert detector.observe(first, action) == detector.observe(second, action)
