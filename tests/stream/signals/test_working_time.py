"""Working time of a deal: learnt from when its customer is heard, one business time for all years."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.signals.detector import NEVER
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.thresholds import ThresholdError, load_thresholds
from dealgraph.stream.signals.working_time import Habit, WorkingTimes, due_after, working_times
from tests.support.observed import DAY, HOUR, MINUTE, observed

TIMES = working_times(load_thresholds())
CHINA, BRITAIN, CENTRAL_EUROPE = TIMES.times
CHANGES = load_thresholds().sections["working_time"]


def utc(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def habit_of(moments: list[int], times: WorkingTimes = TIMES, side: Side = Side.CUSTOMER) -> Habit:
    habit = Habit()
    for number, at in enumerate(moments):
        times.note(habit, observed(number, at, side=side))
    return habit


MONDAY = utc("2026-03-02")


def test_a_deal_in_which_nobody_was_heard_has_the_usual_working_time() -> None:
    assert TIMES.of(Habit()) is CHINA


@pytest.mark.parametrize(("hour", "time"), [(2, CHINA), (14, BRITAIN), (11.7, BRITAIN)])
def test_a_deal_has_the_working_time_in_which_its_customer_is_heard(
    hour: float, time: object
) -> None:
    moments = [MONDAY + day * DAY + round(hour * HOUR) for day in range(5)]
    assert TIMES.of(habit_of(moments)) is time


def test_working_times_an_hour_apart_are_told_apart_by_their_edges() -> None:
    early = [MONDAY + day * DAY + round(hour * HOUR) for day in range(3) for hour in (8.2, 14.5)]
    assert TIMES.of(habit_of(early)) is CENTRAL_EUROPE
    late = [MONDAY + day * DAY + round(hour * HOUR) for day in range(3) for hour in (10.5, 17.2)]
    assert TIMES.of(habit_of(late)) is BRITAIN


def test_one_call_does_not_outweigh_the_usual_working_time() -> None:
    late_call = [MONDAY + 11 * HOUR + minute * MINUTE for minute in range(50)]
    mornings = [MONDAY + day * DAY + 2 * HOUR for day in range(2, 5)]
    assert TIMES.of(habit_of(late_call + mornings)) is CHINA
    assert habit_of(late_call).hours == 1


def test_only_what_the_customer_says_tells_when_the_customer_works() -> None:
    evenings = [MONDAY + day * DAY + 15 * HOUR for day in range(20)]
    assert habit_of(evenings, side=Side.REP) == Habit()
    habit = Habit()
    TIMES.note(habit, replace(observed(1, MONDAY), channel=Channel.CRM))
    assert habit == Habit()


def test_long_opening_hours_do_not_win_by_their_length() -> None:
    always = {"calendar": "weekends", "hours": [[0, 24]], "offset_hours": 0}
    candidates = {**CHANGES["candidates"], "always": always}  # type: ignore[dict-item]
    times = working_times(load_thresholds({"working_time": {"candidates": candidates}}))
    moments = [MONDAY + day * DAY + 14 * HOUR for day in range(5)]
    assert times.of(habit_of(moments, times)) is times.times[times.names.index("britain")]


@given(st.lists(st.integers(0, 60 * 24 * 30), max_size=60), st.booleans())
def test_equals_the_batch_likelihood(minutes: list[int], stored: bool) -> None:
    from math import log

    moments = sorted(MONDAY + minute * MINUTE for minute in minutes)
    heard: list[int] = []
    for at in moments:
        if not heard or at - heard[-1] >= HOUR:
            heard.append(at)
    fits = []
    for number, time in enumerate(TIMES.times):
        part = time.day_ms / DAY * 5 / 7
        inside = sum(time.is_open(at) for at in heard)
        fit = inside * log(0.95 / part) + (len(heard) - inside) * log(0.05 / (1 - part))
        fits.append(fit + (2.0 if number == 0 else 0.0))
    habit = habit_of(moments)
    assert fits[habit.chosen] == max(fits)


def test_the_calendar_reaches_from_the_first_valid_time_to_a_far_one() -> None:
    for time in TIMES.times:
        assert time.between(utc("1990-01-01"), utc("1990-02-01")) > 0
        assert time.between(utc("2079-01-01"), utc("2079-02-01")) > 0


def test_a_moment_to_be_woken_at_is_always_later() -> None:
    assert due_after(CHINA, utc("2026-03-06T03:00"), 0) == utc("2026-03-06T03:00") + 1
    friday_evening = utc("2026-03-06T12:00")
    assert due_after(CHINA, friday_evening, HOUR) == utc("2026-03-09T02:00")
    assert due_after(CHINA, utc("2081-01-01"), HOUR) == NEVER


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"usual": "mars"}, "usual is 'mars'; the candidates are china"),
        ({"candidates": {"china": {"calendar": "lunar", "hours": [[9, 12]], "offset_hours": 8}}},
         "calendar is 'lunar'; there are china, weekends"),
        ({"candidates": {"china": {"calendar": "china", "hours": [[12, 9]], "offset_hours": 8}}},
         "hours are spans"),
        ({"candidates": {"china": {"calendar": "china", "hours": [], "offset_hours": 8}}},
         "hours are spans"),
    ],
)  # fmt: skip
def test_working_times_that_cannot_be_used_are_refused(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ThresholdError, match=words):
        detectors(load_thresholds({"working_time": changes}))
