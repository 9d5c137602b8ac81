"""Times as sources write them, to milliseconds since 1970 UTC. All functions raise ValueError."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_CLOCK: Final = re.compile(r"(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?")
_ZONE: Final = re.compile(r"([+-])(\d{2}):?(\d{2})")
MAX_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""


def iso_ms(text: str, zone: timezone = UTC) -> int:
    """Return an ISO 8601 date and time; `zone` holds where the text names none."""
    return datetime_ms(datetime.fromisoformat(text.strip()), zone)


def pattern_ms(text: str, pattern: str, zone: timezone = UTC) -> int:
    """Return a date and time written as the `strptime` pattern says."""
    return datetime_ms(datetime.strptime(text.strip(), pattern), zone)


def datetime_ms(moment: datetime, zone: timezone = UTC) -> int:
    """Return a datetime; `zone` holds for a naive one."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment - _EPOCH) // _MS


def iso_text(ms: int) -> str:
    """Return a time as `iso_ms` reads it."""
    return (_EPOCH + ms * _MS).isoformat()


def clock_ms(text: str) -> int:
    """Return `hh:mm:ss.mmm` as a length in ms; hours and fraction may be missing, `,` is a point."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text.strip()[:40]!r} is not hh:mm:ss.mmm")
    hours, minutes, seconds, fraction = found.groups()
    if int(seconds) > 59 or (hours is not None and int(minutes) > 59):
        raise ValueError(f"{text.strip()[:40]!r} has more than 59 minutes or seconds")
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int((fraction or "0").ljust(3, "0")[:3])


def epoch_ms(text: str, unit_ms: int) -> int:
    """Return a number of units of `unit_ms` ms since 1970; a fraction counts for units of seconds."""
    number = text.strip()
    try:
        value = int(number) * unit_ms
    except ValueError:
        value = round(float(number) * unit_ms)  # also refuses what is no number
    except OverflowError as error:
        raise ValueError(str(error)) from error
    if abs(value) > MAX_MS:
        raise ValueError(f"{number[:40]!r} lies beyond the year 9999")
    return value


def parse_zone(text: str) -> timezone:
    """Return "UTC" or an offset such as "+08:00"."""
    if text in ("", "UTC", "Z"):
        return UTC
    found = _ZONE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time zone; write UTC or an offset such as +08:00")
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-offset if found[1] == "-" else offset)
