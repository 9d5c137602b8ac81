"""The course of a deal: its way in time, its plant, its outcome. Drawn before anybody speaks.

    P(won) = 1 / (1 + exp(−z)),   z = b + Σ w_s · (x_s + shift_s(plant)) + odds(way)

with hidden states x_s ~ N(0, 1) and b such that the scenario's share is lost on average in clean deals.
"""

from math import asinh, exp, log, sinh
from typing import Final

from msgspec import Struct

from dealgraph.stream.calendar import DAY_MS, MINUTE_MS, BusinessTime
from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.paths import STANDARD, Episode, Way, first_start, lay_out, warp, ways
from dealgraph.stream.world.people import SEGMENT_FACTOR
from dealgraph.stream.world.planted import (
    ENDS_BADLY,
    STATE_SHIFTS,
    STATES,
    WIN_WEIGHTS,
    Planted,
    choose_plant,
    choose_way,
)
from dealgraph.stream.world.scenario import Plant, Scenario

WON: Final = "won"
LOST: Final = "lost"

_FITTED: Final = 3
"""So many stages at most are pressed into the delay; a way with more is late by itself."""
_NULL_REACH: Final = 1.7
"""Clean legal delays stay within this many spreads: beyond 2 they would be the signal itself."""
_LEGAL_PLANTS: Final = (
    Plant.LEGAL_EARLY, Plant.LEGAL_LATE, Plant.LEGAL_OVERDUE, Plant.LEGAL_WITHDRAWN
)  # fmt: skip
_NEVER: Final = 1 << 62


class Course(Struct):
    """Where a deal goes. Times are ms since 1970 UTC, those of `episodes` too.

    `legal` is when legal, procurement or infosec first take part (never: beyond all times), `close` when
    it is won or lost, `last` when the last is heard of it.
    """

    way: str
    labels: tuple[str, ...]
    episodes: list[Episode]
    states: dict[str, float]
    outcome: str
    slipped: bool
    opened: int
    proposal: int
    legal: int
    close: int
    last: int
    planted: list[Planted]

    def plant(self, *plants: Plant) -> Planted | None:
        """Return the plant of the deal if it is one of these."""
        return next((one for one in self.planted if one.plant in plants), None)


def draw_course(
    scenario: Scenario, draws: Draws, opened: int, segment: str, time: BusinessTime
) -> Course:
    """Draw the course of a deal that opens at `opened`, in the business time of its rep."""
    chosen = choose_plant(scenario, draws)
    # A deal with a plant takes the standard way, so that each truth stands alone.
    name = choose_way(scenario, draws) if chosen is None else STANDARD
    way = ways().ways[name]
    plant = chosen[0] if chosen else None
    strength = draws.between(*chosen[1].strength) if chosen else 0.0
    fraction = draws.between(*chosen[1].start) if chosen else 0.0
    states = {state: draws.normal() for state in STATES}
    slipped = draws.chance(scenario.slip_share)
    won = _is_won(scenario, draws, states, plant, way)
    days = {**ways().stage_days, **scenario.pace.stage_days}
    spread = scenario.pace.stage_spread
    episodes = lay_out(way, draws, days, SEGMENT_FACTOR[segment], spread, time.day_ms)
    if plant in (Plant.BUYER_ENTERED, Plant.NO_POWER):
        episodes = [episode for episode in episodes if episode.code != "E"]
    base = time.worked(opened)
    _fit_legal(scenario, draws, episodes, plant, strength, base, time)
    episodes = _end(draws, way, episodes, plant, won=won, slipped=slipped, day_ms=time.day_ms)
    for episode in episodes:
        episode.start = time.moment(base + episode.start)
        episode.end = time.moment(base + episode.end)
    proposal = first_start(episodes, "P")
    legal = first_start(episodes, "LG")
    closed = first_start(episodes, "WX") or episodes[-1].end
    course = Course(
        name, way.labels, episodes, states, WON if won else LOST, slipped, opened,
        _NEVER if proposal is None else proposal, _NEVER if legal is None else legal,
        closed, episodes[-1].end, [],
    )  # fmt: skip
    if plant is not None:
        start = _start(course, plant, fraction, strength, scenario, time)
        course.planted.append(Planted(plant, strength, start, course.close))
        if plant is Plant.LEGAL_EARLY:
            course.legal = start
        if plant is Plant.GHOST:
            _ghost(course, start, time)
    _note_implied(course, scenario)
    return course


def _is_won(
    scenario: Scenario, draws: Draws, states: dict[str, float], plant: Plant | None, way: Way
) -> bool:
    shifts = STATE_SHIFTS[plant] if plant is not None else {}
    odds = log((1.0 - scenario.lost_share) / max(scenario.lost_share, 1e-9)) + way.odds
    for state, weight in WIN_WEIGHTS.items():
        odds += weight * (states[state] + shifts.get(state, 0.0))
    won = draws.unit() < 1.0 / (1.0 + exp(-odds))
    return won and plant not in ENDS_BADLY


def _fit_legal(
    scenario: Scenario,
    draws: Draws,
    episodes: list[Episode],
    plant: Plant | None,
    strength: float,
    base: int,
    time: BusinessTime,
) -> None:
    """Bring the legal work to its delay after the first proposal, where it comes after one."""
    usual = scenario.usual
    z = draws.normal()
    while abs(z) > _NULL_REACH:
        z = draws.normal()
    if plant is Plant.LEGAL_LATE:
        z = strength
    proposal, legal = first_start(episodes, "P"), first_start(episodes, "LG")
    if proposal is None or legal is None or legal <= proposal:
        return
    delay = sinh(asinh(usual.legal_delay_days) + usual.legal_spread * z)
    due = time.after(time.moment(base + proposal) + round(delay * DAY_MS), 0)
    wanted = time.worked(due) - base - proposal
    between = sum(proposal <= episode.start < legal for episode in episodes)
    if between <= _FITTED or wanted > (legal - proposal) / 2:
        warp(episodes, proposal, legal, wanted)


def _end(
    draws: Draws,
    way: Way,
    episodes: list[Episode],
    plant: Plant | None,
    *,
    won: bool,
    slipped: bool,
    day_ms: int,
) -> list[Episode]:
    """Let the way end: won with onboarding after it, or lost at some step; slipped ones wait."""
    if plant in (Plant.LEGAL_OVERDUE, Plant.LEGAL_WITHDRAWN):
        code = "L" if plant is Plant.LEGAL_OVERDUE else "WO"
        kept = [episode for episode in episodes if episode.code not in code + "WO"]
        kept[-1].end += 30 * day_ms
        return [*kept, Episode("X", kept[-1].end, kept[-1].end)]
    signing = next(place for place, episode in enumerate(episodes) if episode.code == "W")
    if won:
        if slipped:
            wait = draws.whole(6, 15) * day_ms
            for episode in episodes[signing:]:
                episode.start += wait
                episode.end += wait
        return episodes
    # A planted signal must have time to show: only clean deals are lost early.
    least = signing if plant is not None else min(max(way.fulfilled, 3), signing)
    kept = episodes[: draws.whole(least, signing)]
    end = max(episode.end for episode in kept)
    return [*kept, Episode("X", end, end)]


def _start(
    course: Course,
    plant: Plant,
    fraction: float,
    strength: float,
    scenario: Scenario,
    time: BusinessTime,
) -> int:
    """Return when the plant begins to work."""
    if plant is Plant.NO_POWER:
        return course.proposal
    if plant is Plant.SINGLE_THREADED:
        return time.next_opening(course.proposal)
    usual = scenario.usual
    if plant is Plant.LEGAL_EARLY:
        delay = sinh(asinh(usual.legal_delay_days) - usual.legal_spread * strength)
        due = time.worked(course.proposal + round(delay * DAY_MS))
        return max(course.proposal, time.moment(due - MINUTE_MS))  # rather before a holiday
    if plant in (Plant.LEGAL_LATE, Plant.LEGAL_OVERDUE):
        late = sinh(asinh(usual.legal_delay_days) + usual.legal_spread * 2.0)
        return course.proposal + round(late * DAY_MS)
    if plant is Plant.LEGAL_WITHDRAWN:
        return time.next_opening(time.after(course.legal, 4 * time.day_ms))
    before = course.close
    if plant is Plant.BUYER_ENTERED:
        before = course.proposal
    worked = round(fraction * time.between(course.opened, before))
    return time.next_opening(time.after(course.opened, worked))  # never in the middle of a talk


def _ghost(course: Course, start: int, time: BusinessTime) -> None:
    """Let the deal end a month after the customer fell silent, wherever it was."""
    kept = [e for e in course.episodes if e.start < start and e.code not in "WXO"]
    kept[-1].end = end = time.after(start, 22 * time.day_ms)
    course.episodes = [*kept, Episode("X", end, end)]
    course.close = course.last = course.planted[0].end = end
    if first_start(kept, "LG") is None:
        course.legal = _NEVER
    if first_start(kept, "P") is None:
        course.proposal = _NEVER


def _note_implied(course: Course, scenario: Scenario) -> None:
    """Note the signals that follow from the way itself, such as legal work before any proposal."""
    usual = scenario.usual
    end = course.close
    if course.way == "P4":
        course.planted.append(Planted(Plant.NO_POWER, 1.0, course.proposal, end, implied=True))
    for episode in course.episodes:
        if episode.quiet:
            silent = (Plant.GHOST, Plant.CHAMPION_SILENT)
            course.planted += [
                Planted(plant, 1.0, episode.start, episode.end, implied=True) for plant in silent
            ]
        elif episode.code == "H":
            course.planted.append(
                Planted(Plant.CHAMPION_SILENT, 1.0, episode.start, end, implied=True)
            )
    if _NEVER in (course.legal, course.proposal) or course.plant(*_LEGAL_PLANTS) is not None:
        return
    delay = (course.legal - course.proposal) / DAY_MS
    z = (asinh(delay) - asinh(usual.legal_delay_days)) / usual.legal_spread
    if abs(z) >= 2.0:
        plant = Plant.LEGAL_EARLY if z < 0 else Plant.LEGAL_LATE
        course.planted.append(Planted(plant, abs(z), course.legal, end, implied=True))
