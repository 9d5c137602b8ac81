"""A statistic over time with its threshold: as a few lines of characters, and as a picture in PNG.

plotext draws in the terminal and Pillow the picture: both are small. matplotlib would draw both, and bring
ten packages for one chart.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

import plotext
from PIL import Image, ImageDraw, ImageFont

from dealgraph.api.v1 import signal_service_pb2 as pb

_TICKS: Final = 4
_SIZE: Final = (1200, 500)
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 30, 60, 60
_PATTERNS: Final = ((4 * 86_400, "%d %b %Y"), (3_600, "%d %b %H:%M"), (0, "%H:%M:%S"))
"""How moments are written, by the least number of seconds that is shown."""
_INK: Final = "#333333"
_LINE: Final = "#1f5fa8"
_LIMIT: Final = "#c0392b"
_ON: Final = "#fbe3df"

Points = Sequence[pb.SignalPoint]


def terminal_chart(points: Points, width: int, height: int = 14) -> str:
    """Return the chart in characters: the statistic, its threshold, and where a signal was raised."""
    at = [point.at_ms / 1000 for point in points]
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(width, height)
    plotext.plot(at, [point.statistic for point in points], marker="braille", label="statistic")
    limits = [point for point in points if point.HasField("threshold")]
    if limits:
        times = [point.at_ms / 1000 for point in limits]
        plotext.plot(times, [point.threshold for point in limits], marker="-", label="threshold")
    raised = _raised(points)
    if raised:
        times = [point.at_ms / 1000 for point in raised]
        plotext.scatter(times, [point.statistic for point in raised], marker="^", label="raised")
    plotext.xticks(*_ticks(at))
    return str(plotext.uncolorize(plotext.build())).rstrip()


def write_png(points: Points, title: str, file: Path) -> None:
    """Write the chart as a PNG; times at which a signal was on are shaded. Raises OSError."""
    image = Image.new("RGB", _SIZE, "white")
    draw = ImageDraw.Draw(image)
    font, small = ImageFont.load_default(22), ImageFont.load_default(16)
    frame = _Frame(points)
    for begin, end in _spans(points):
        draw.rectangle((frame.x(begin), _TOP, frame.x(end), _SIZE[1] - _BOTTOM), fill=_ON)
    draw.rectangle((_LEFT, _TOP, _SIZE[0] - _RIGHT, _SIZE[1] - _BOTTOM), outline=_INK)
    for value in frame.values():
        draw.text((_LEFT - 8, frame.y(value)), f"{value:.3g}", _INK, small, anchor="rm")
    times, words = _ticks([point.at_ms / 1000 for point in points])
    for time, word in zip(times, words, strict=True):
        spot = (frame.x(round(time * 1000)), _SIZE[1] - _BOTTOM + 8)
        draw.text(spot, word, _INK, small, anchor="ma")
    limits = [point for point in points if point.HasField("threshold")]
    draw.line([(frame.x(p.at_ms), frame.y(p.threshold)) for p in limits], _LIMIT, 2)
    draw.line([(frame.x(p.at_ms), frame.y(p.statistic)) for p in points], _LINE, 3)
    for point in points:
        x, y = frame.x(point.at_ms), frame.y(point.statistic)
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=_LINE)
    draw.text((_LEFT, 18), title, _INK, font)
    draw.text((_SIZE[0] - _RIGHT - 110, 20), "statistic", _LINE, small, anchor="ra")
    draw.text((_SIZE[0] - _RIGHT, 20), "threshold", _LIMIT, small, anchor="ra")
    image.save(file, "PNG")


class _Frame:
    """Where moments and values lie on the picture."""

    def __init__(self, points: Points) -> None:
        shown = [point.statistic for point in points]
        shown += [point.threshold for point in points if point.HasField("threshold")]
        low, high = min(0.0, *shown), max(shown)
        self._low, self._high = low, high + 0.05 * (high - low) if high > low else low + 1.0
        self._begin = points[0].at_ms
        self._length = max(1, points[-1].at_ms - self._begin)

    def x(self, at_ms: int) -> float:
        """Return where a moment lies."""
        return _LEFT + (at_ms - self._begin) / self._length * (_SIZE[0] - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Return where a value lies."""
        part = (value - self._low) / (self._high - self._low)
        return _SIZE[1] - _BOTTOM - part * (_SIZE[1] - _TOP - _BOTTOM)

    def values(self) -> list[float]:
        """Return the values that are written beside the picture."""
        step = (self._high - self._low) / _TICKS
        return [self._low + step * number for number in range(_TICKS + 1)]


def _raised(points: Points) -> list[pb.SignalPoint]:
    """Return the points at which a signal began."""
    before = [False, *(point.on for point in points)]
    return [point for was_on, point in zip(before, points, strict=False) if point.on and not was_on]


def _spans(points: Points) -> list[tuple[int, int]]:
    """Return from when to when a signal was on, in ms."""
    return [(point.at_ms, following.at_ms) for point, following in pairwise(points) if point.on]


def _ticks(at: Sequence[float]) -> tuple[list[float], list[str]]:
    """Return times in seconds and the words for them."""
    first, last = at[0], at[-1]
    times = [first + (last - first) * number / (_TICKS - 1) for number in range(_TICKS)]
    pattern = next(words for seconds, words in _PATTERNS if last - first >= seconds)
    return times, [datetime.fromtimestamp(time, UTC).strftime(pattern) for time in times]
