"""Business time: Chinese holidays and make-up days, and moments that follow from work alone."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealgraph.stream.calendar import WEEKENDS_ONLY, BusinessTime, WorkingHours, china

HOUR = 3_600_000
FIRST, LAST = date(2026, 1, 5), date(2026, 6, 30)
TIME = BusinessTime(china(), WorkingHours(), FIRST, LAST)
START = round(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)


def local(text: str) -> int:
    return round(datetime.fromisoformat(f"{text}+08:00").timestamp() * 1000)


@pytest.mark.parametrize(
    "day", ["2025-01-28", "2025-10-08", "2026-02-16", "2026-05-04", "2026-10-07"]
)
def test_on_public_holidays_nobody_works(day: str) -> None:
    assert not china().is_workday(date.fromisoformat(day))


@pytest.mark.parametrize(
    "day", ["2025-02-08", "2025-09-28", "2026-02-14", "2026-05-09", "2026-10-10"]
)
def test_make_up_days_are_worked_although_they_are_weekends(day: str) -> None:
    assert date.fromisoformat(day).isoweekday() >= 6
    assert china().is_workday(date.fromisoformat(day))


def test_every_make_up_day_is_a_weekend_and_no_holiday() -> None:
    for year in china().years.values():
        for day in year.work:
            assert day.isoweekday() in china().weekend
            assert not any(first <= day <= last for first, last in year.off)


def test_a_year_that_was_not_announced_says_so() -> None:
    assert china().is_announced(2026)
    assert not china().is_announced(2027)
    assert not china().is_announced(2031)
    assert not WEEKENDS_ONLY.is_workday(date(2031, 3, 1))


def test_waiting_over_the_spring_festival_takes_little_business_time() -> None:
    before, after = local("2026-02-14T17:00"), local("2026-02-24T10:00")
    assert TIME.between(before, after) == 2 * HOUR


def test_the_midday_break_does_not_count() -> None:
    assert TIME.after(local("2026-03-02T11:30"), HOUR) == local("2026-03-02T14:00")


@given(st.integers(0, 150 * 24 * HOUR), st.integers(0, 40 * HOUR))
def test_so_much_work_later_so_much_was_worked(offset: int, worked: int) -> None:
    at = START + offset
    later = TIME.after(at, worked)
    assert later >= at
    assert TIME.between(at, later) == worked
    assert TIME.is_open(later)


def test_a_calendar_without_a_working_day_is_refused() -> None:
    saturday = date(2026, 3, 7)
    with pytest.raises(ValueError, match="nobody works"):
        BusinessTime(WEEKENDS_ONLY, WorkingHours(), saturday, saturday + timedelta(days=1))
