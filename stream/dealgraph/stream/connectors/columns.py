"""What the columns of a sample hold: how their times are written, how often and how long their values are."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from dealgraph.stream.connectors.times import clock_ms, epoch_ms, iso_ms, pattern_ms

_PATTERNS: Final = (
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y",
    "%Y年%m月%d日 %H:%M:%S", "%Y年%m月%d日 %H:%M", "%Y年%m月%d日", "%d %b %Y %H:%M:%S", "%d-%b-%Y",
)  # fmt: skip
_ENOUGH: Final = 0.9
_EARLIEST_MS: Final = 631_152_000_000
_LATEST_MS: Final = 4_102_444_800_000


class Column(Struct, frozen=True):
    """A column of a sample. `filled` of `records` values are not empty, `distinct` of these differ.

    `time_format` is how its times are written, "" when it holds none; `length` is the mean length.
    """

    name: str
    records: int
    filled: int
    distinct: int
    length: float
    time_format: str
    numeric: bool
    examples: tuple[str, ...]

    @property
    def is_unique(self) -> bool:
        """Whether every record has a value of its own."""
        return self.filled == self.records == self.distinct and self.records > 0


def columns_of(records: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return the columns of records in the order in which they appear."""
    names = dict.fromkeys(name for record in records for name in record)
    return [_column(name, [_text(record.get(name)) for record in records]) for name in names]


def _column(name: str, values: list[str]) -> Column:
    filled = [value for value in values if value]
    distinct = dict.fromkeys(filled)
    return Column(
        name=name,
        records=len(values),
        filled=len(filled),
        distinct=len(distinct),
        length=sum(map(len, filled)) / len(filled) if filled else 0.0,
        time_format=_time_format(filled),
        numeric=bool(filled) and all(_is_number(value) for value in filled),
        examples=tuple(distinct)[:3],
    )


def _text(value: Any) -> str:
    if value is None or isinstance(value, list | dict):
        return ""
    return value.strip() if isinstance(value, str) else str(value)


def _time_format(values: list[str]) -> str:
    """Return how most of the values are written as times, "" when they are none."""
    for form in ("epoch_ms", "epoch_s", "iso", "offset", *_PATTERNS):
        fitting = sum(_fits(value, form) for value in values)
        if values and fitting >= _ENOUGH * len(values):
            return form
    return ""


def _fits(value: str, form: str) -> bool:
    try:
        if form in ("epoch_ms", "epoch_s"):
            ms = epoch_ms(value, 1 if form == "epoch_ms" else 1_000)
            return _EARLIEST_MS <= ms < _LATEST_MS
        if form == "offset":
            clock_ms(value)
        elif form == "iso":
            return len(value) >= len("2026-01-01") and iso_ms(value) > 0
        else:
            pattern_ms(value, form)
    except (ValueError, OverflowError):
        return False
    return True


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
