"""Every registered detector keeps the contract of detectors."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.model import Topic
from dealgraph.stream.signals.detector import Detector, Observed
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.conformance import busy_stream, check_episodes, run, size_of
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
    detector: Detector, stream: list[Observed]
) -> None:
    check_episodes(stream, run(detector, stream))


@every_detector
@settings(max_examples=30, deadline=None)
@given(stream=any_stream, data=st.data())
def test_a_replay_finds_what_was_found_live(
    detector: Detector, stream: list[Observed], data: st.DataObject
) -> None:
    live = run(detector, stream)
    assert run(detector, stream) == live
    cut = data.draw(st.integers(0, len(stream)))
    seen = {action.id for action in stream[:cut]}
    assert run(detector, stream[:cut]) == [item for item in live if item[0].id in seen]


@every_detector
def test_an_empty_stream_raises_nothing(detector: Detector) -> None:
    assert run(detector, []) == []


@every_detector
def test_talk_about_other_things_raises_nothing(detector: Detector) -> None:
    stream = [observed(n, START + n * 10 * SECOND, Topic.TECHNICAL) for n in range(500)]
    watch = detector.watch()
    assert [watch.observe(action) for action in stream] == [None] * 500


@every_detector
def test_memory_is_bounded_however_much_happens(detector: Detector) -> None:
    watch = detector.watch()
    for action in busy_stream(100_000):
        watch.observe(action)
    assert size_of(watch) < 2_000_000


@every_detector
def test_two_watches_share_no_state(detector: Detector) -> None:
    stream = list(busy_stream(200))
    alone = run(detector, stream)
    first, second = detector.watch(), detector.watch()
    both = [(first.observe(action), second.observe(action)) for action in stream]
    assert [one for one, _ in both] == [other for _, other in both]
    assert [one for one, _ in both if one is not None] == [episode for _, episode in alone]
