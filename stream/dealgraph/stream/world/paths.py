"""The way a deal takes through its stages: the standard one and seventeen others (`paths.yaml`).

A way is laid out on the business time of the rep. A stage s lasts

    d_s = mean_s · segment · exp(spread · N(0, 1))                                   working days

and the next one begins when it ends, unless the way says that it runs beside. The legal window is laid
out first: asinh(t_legal − t_P) ~ N(asinh(usual delay), usual spread), t in days, and the stages between
the first proposal and the legal work are stretched or pressed to fit it.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec
import yaml
from msgspec import Struct

from dealgraph.stream.world.draws import Draws

SIDE_ACTIVITIES: Final = frozenset("EBFKGH")
"""Codes that are no stages of the CRM."""

ACTIVITIES: Final[Mapping[str, str]] = {
    "C": "contact",
    "D": "discovery",
    "Q": "qualification",
    "M": "demo",
    "T": "validation",
    "P": "proposal",
    "N": "negotiation",
    "L": "legal",
    "W": "won",
    "X": "lost",
    "O": "onboarding",
    "E": "economic_buyer_meeting",
    "B": "pilot",
    "F": "financial_model",
    "K": "bake_off",
    "G": "gate",
    "H": "champion_change",
}
"""What an activity is called in the attribute `activity` of meetings and logged activities."""

STANDARD: Final = "STANDARD"


class Way(Struct, frozen=True, forbid_unknown_fields=True):
    """A way as it is written in `paths.yaml`."""

    steps: str
    labels: tuple[str, ...]
    fulfilled: int
    odds: float


class Ways(Struct, frozen=True, forbid_unknown_fields=True):
    """The file of ways."""

    stage_days: dict[str, float]
    ways: dict[str, Way]


class Episode(Struct, gc=False):
    """A stage, or a side activity, from `start` to `end` in working ms of the deal's rep.

    `quiet` says that nobody talks at all in it (code "~"); `audience` is 1 where other people than
    before take part.
    """

    code: str
    start: int
    end: int
    quiet: bool = False
    audience: int = 0


@cache
def ways() -> Ways:
    """Return the ways that are shipped."""
    text = resources.files(__package__).joinpath("paths.yaml").read_text(encoding="utf-8")
    plain: Any = yaml.safe_load(text)
    return msgspec.convert(plain, Ways)


def lay_out(
    way: Way, draws: Draws, days: Mapping[str, float], factor: float, spread: float, day_ms: int
) -> list[Episode]:
    """Return the episodes of a way from business time 0 on, in order of their beginning.

    `days` are mean lengths, `factor` stretches them, `day_ms` is the length of a working day. Won and
    lost take no time.
    """
    episodes: list[Episode] = []
    at = 0
    for step in way.steps.split():
        if step.startswith("~"):
            # Given in calendar days: five of seven are worked, holidays make a gap only longer.
            length = round(float(step.lstrip("~")) * 5 / 7 * day_ms)
            episodes.append(Episode("~", at, at + length, quiet=step.startswith("~~")))
            at += length
            continue
        first, _, beside = step.partition("+")
        code = first[0]
        length = _length(code, draws, days, factor, spread, day_ms)
        if beside:
            length = max(length, 4 * day_ms)
            # Beside means well within: three working days at least run together.
            episodes.append(Episode(code, at, at + length, audience=int("'" in first)))
            episodes.append(Episode(beside, at + length // 5, at + length))
        else:
            episodes.append(Episode(code, at, at + length, audience=int("'" in first)))
        at += length
    return episodes


def _length(
    code: str, draws: Draws, days: Mapping[str, float], factor: float, spread: float, day_ms: int
) -> int:
    if code in "WX":
        return 0
    return round(draws.lognormal(days[code] * factor, spread) * day_ms)


def warp(episodes: list[Episode], since: int, until: int, wanted: int) -> None:
    """Stretch what lies between `since` and `until` to the length `wanted`, and move what follows."""
    scale, shift = wanted / (until - since), wanted - (until - since)

    def moved(at: int) -> int:
        if at <= since:
            return at
        return since + round((at - since) * scale) if at < until else at + shift

    for episode in episodes:
        episode.start, episode.end = moved(episode.start), moved(episode.end)


def first_start(episodes: list[Episode], codes: str) -> int | None:
    """Return when the first episode of any of the codes begins, None when there is none."""
    return next((episode.start for episode in episodes if episode.code in codes), None)
