"""The watermark, when silence is looked at again, and the timers of a shard."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.model import Channel
from dealgraph.graph.store import EventTime, Timer
from dealgraph.stream.event_time import sweep_at, watermark
from dealgraph.stream.interaction import InteractionKind
from dealgraph.stream.signals.detector import NEVER
from dealgraph.stream.steps import Place
from dealgraph.stream.timers import Timers
from tests.support.interactions import message

HOUR = 3_600_000
NOW = 100 * HOUR


def said(at: int, channel: Channel = Channel.VOICE) -> int:
    """The watermark after something was said at `at` and taken in at NOW."""
    return watermark(0, replace(message("words"), occurred_at=at, channel=channel), NOW)


def test_the_watermark_waits_for_what_may_still_come_on_the_channel() -> None:
    at = 50 * HOUR
    assert [at - said(at, c) for c in (Channel.VOICE, Channel.CHAT, Channel.MAIL)] == [
        2000,
        300_000,
        24 * HOUR,
    ]


def test_a_clock_that_runs_ahead_moves_nothing_beyond_the_present() -> None:
    assert said(NOW + 9 * HOUR) == NOW


def test_the_watermark_never_goes_back() -> None:
    assert watermark(NOW, replace(message("words"), occurred_at=5), NOW) == NOW


def test_a_statement_about_people_moves_no_time() -> None:
    consent = replace(message("words"), kind=InteractionKind.CONSENT, occurred_at=NOW)
    assert watermark(7, consent, NOW) == 7


def place(reached: int, offset: int, ingested_at: int) -> Place:
    return Place(0, offset, ingested_at, ingested_at, 1, reached)


def test_a_sweep_comes_when_a_full_hour_has_passed() -> None:
    last = EventTime(0, 10 * HOUR, 0, 0)
    assert sweep_at(place(11 * HOUR - 1, 900, NOW), last) is None
    assert sweep_at(place(11 * HOUR + 7, 900, NOW), last) == EventTime(
        11 * HOUR + 7, 11 * HOUR, 900, NOW
    )


def test_history_that_comes_in_fast_is_swept_every_few_hundred_records() -> None:
    last = EventTime(0, 10 * HOUR, 500, NOW)
    assert sweep_at(place(99 * HOUR, 755, NOW + 1000), last) is None
    assert sweep_at(place(99 * HOUR, 756, NOW + 1000), last) is not None
    assert sweep_at(place(99 * HOUR, 501, NOW + 60_000), last) is not None


def test_only_an_earlier_timer_is_stored_anew() -> None:
    timers = Timers()
    assert timers.ask("o:a", 50) == (Timer("o:a", 50),)
    assert timers.ask("o:a", 60) == ()
    assert timers.ask("o:a", 40) == (Timer("o:a", 40),)
    assert timers.set("o:a", NEVER) == (Timer("o:a", 0),)
    assert timers.set("o:a", NEVER) == ()


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 30)), max_size=40),
    st.integers(0, 30),
)
def test_due_timers_come_once_and_in_order(asked: list[tuple[str, int]], until: int) -> None:
    timers, due = Timers(), dict[str, int]()
    for key, at in asked:
        timers.ask(key, at)
        due[key] = min(at, due.get(key, NEVER))
    expected = sorted((at, key) for key, at in due.items() if at <= until)
    assert [(timers.due(key), key) for key in timers.until(until)] == expected
