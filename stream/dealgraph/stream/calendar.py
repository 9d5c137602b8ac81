"""Business time: which days people work, and how many working hours lie between two moments.

The days are data (`calendar.yaml`): Chinese public holidays and make-up workdays. A year that the file
does not hold, or holds as not announced, has its weekends and statutory days only.

A working day has the opening hours of `WorkingHours` in a fixed offset from UTC (no daylight saving:
China has none, and an hour more or less moves no wait by a business day).
"""

from bisect import bisect_right
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec
import yaml
from msgspec import Struct, field

DAY_MS: Final = 86_400_000
WEEK_MS: Final = 7 * DAY_MS
MINUTE_MS: Final = 60_000

_EPOCH: Final = date(1970, 1, 1)
_ISO_WEEK: Final = 7


class CalendarYear(Struct, frozen=True, forbid_unknown_fields=True):
    """The special days of a year: spans of rest, first and last day included, and make-up workdays."""

    announced: bool
    off: tuple[tuple[date, date], ...]
    work: tuple[date, ...]


class HolidayCalendar(Struct, frozen=True, forbid_unknown_fields=True):
    """Weekends as ISO weekdays (1 Monday … 7 Sunday) and the special days of some years."""

    name: str
    weekend: tuple[int, ...]
    years: dict[int, CalendarYear] = field(default_factory=dict)

    def is_workday(self, day: date) -> bool:
        """Say whether offices work on a day."""
        year = self.years.get(day.year)
        if year is not None:
            if day in year.work:
                return True
            if any(first <= day <= last for first, last in year.off):
                return False
        return day.isoweekday() not in self.weekend

    def is_announced(self, year: int) -> bool:
        """Say whether the arrangement of a year was published: else make-up workdays are missing."""
        return year in self.years and self.years[year].announced


WEEKENDS_ONLY: Final = HolidayCalendar("weekends", (_ISO_WEEK - 1, _ISO_WEEK))
"""Saturday and Sunday are free, and nothing else."""


@cache
def china() -> HolidayCalendar:
    """Return the calendar of mainland China that is shipped."""
    text = resources.files(__package__).joinpath("calendar.yaml").read_text(encoding="utf-8")
    plain: Any = yaml.load(text, yaml.BaseLoader)
    return msgspec.convert(plain, HolidayCalendar, strict=False)


class WorkingHours(Struct, frozen=True):
    """Opening hours of a working day in minutes since local midnight, and the offset from UTC."""

    spans: tuple[tuple[int, int], ...] = ((540, 720), (810, 1080))
    offset_minutes: int = 480


class BusinessTime:
    """Maps time to business time and back, for the days from `first` to `last`.

    Business time is the number of working milliseconds since `first`; outside working hours it stands
    still. Beyond the days it was made for, time goes on as if nobody worked.
    """

    def __init__(
        self, calendar: HolidayCalendar, hours: WorkingHours, first: date, last: date
    ) -> None:
        self._opens: list[int] = []
        self._worked: list[int] = []
        self._lengths: list[int] = []
        worked, day = 0, first
        while day <= last:
            if calendar.is_workday(day):
                midnight = (day - _EPOCH).days * DAY_MS - hours.offset_minutes * MINUTE_MS
                for start, end in hours.spans:
                    self._opens.append(midnight + start * MINUTE_MS)
                    self._worked.append(worked)
                    self._lengths.append((end - start) * MINUTE_MS)
                    worked += self._lengths[-1]
            day += timedelta(days=1)
        if not self._opens:
            raise ValueError("nobody works on any of these days")
        self.day_ms = sum(end - start for start, end in hours.spans) * MINUTE_MS
        """Working milliseconds of a day."""

    def worked(self, at: int) -> int:
        """Return the business time at a moment (ms since 1970 UTC)."""
        place = bisect_right(self._opens, at) - 1
        if place < 0:
            return 0
        return self._worked[place] + min(at - self._opens[place], self._lengths[place])

    def between(self, since: int, before: int) -> int:
        """Return the working milliseconds between two moments."""
        return self.worked(before) - self.worked(since)

    def moment(self, worked: int) -> int:
        """Return the first moment at which that much was worked."""
        place = max(0, bisect_right(self._worked, worked) - 1)
        return self._opens[place] + min(worked - self._worked[place], self._lengths[place])

    def after(self, at: int, worked_ms: int) -> int:
        """Return the moment `worked_ms` working milliseconds after `at`; at least the next opening."""
        return self.moment(self.worked(at) + worked_ms)

    def is_open(self, at: int) -> bool:
        """Say whether a moment lies within working hours."""
        place = bisect_right(self._opens, at) - 1
        return place >= 0 and at - self._opens[place] <= self._lengths[place]

    def next_opening(self, at: int) -> int:
        """Return the first moment after `at` at which work begins."""
        return self._opens[bisect_right(self._opens, at)]
