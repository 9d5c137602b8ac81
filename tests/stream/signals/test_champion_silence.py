"""CHAMPION_SILENT against its formula computed anew, and as people would meet it."""

import random
from itertools import pairwise
from math import ceil, exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dealgraph.graph.model import ActionKind, Level, Role, Side, Stage
from dealgraph.stream.signals.champion_silence import ChampionSilence, detectors, moments
from dealgraph.stream.signals.detector import Episode, Observed
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.observed import DAY, HOUR, START, observed

(_DETECTOR,) = detectors(load_thresholds())
assert isinstance(_DETECTOR, ChampionSilence)
DETECTOR = _DETECTOR
TIME = DETECTOR.times.times[0]
MORNING = START - START % DAY + 2 * HOUR
"""10:00 in China, on a Tuesday: all that is said here is said in the usual working time."""


def said(number: int, at: int, role: Role, session: str = "") -> Observed:
    return observed(number, at, session=session or f"s{number}", role=role, person=role.name)


def move(number: int, at: int, stage: Stage) -> Observed:
    return observed(number, at, kind=ActionKind.STAGE_CHANGE, stage=stage, side=Side.REP)


def workdays(count: int) -> list[int]:
    """The mornings of so many working days."""
    days = (MORNING + n * DAY for n in range(3 * count + 20))
    return [at for at in days if TIME.is_open(at)][:count]


def usual(count: int = 30) -> list[Observed]:
    """The champion and a user talk every other working day."""
    return [
        said(n * 10 + i, at + i * HOUR // 2, role, f"s{n}")
        for n, at in enumerate(workdays(count)[::2])
        for i, role in enumerate((Role.CHAMPION, Role.USER))
    ]


def others(count: int, after: int, number: int = 5000) -> list[Observed]:
    days = [at for at in workdays(200) if at > after][:count]
    return [said(number + n, at, Role.USER) for n, at in enumerate(days)]


def found(stream: list[Observed], until: int) -> list[Episode]:
    return list(replay(DETECTOR, sorted(stream, key=lambda a: (a.at, a.id)), until))


# The formula, in batch -------------------------------------------------------------------------------


def limit(waits: list[float], survival: float) -> float:
    """The wait of that survival, by Student's t itself."""
    logs = np.log(np.maximum(waits, 0.05))
    count = 20 + len(waits)
    mean = (20 * -0.31 + logs.sum()) / count
    variance = (20 * (0.97**2 + 0.31**2) + (logs**2).sum()) / count - mean**2
    t = stats.t.isf(survival, count)
    return max(5.0, exp(mean + t * sqrt(variance * (1 + 1 / count))))


def silent(past: list[Observed], at: int) -> tuple[bool, float]:
    """Whether the champion is silent at `at`, by all that was said until then; and ln(wait/limit)."""
    heard = [a.at for a in past if a.role is Role.CHAMPION]
    waits = [TIME.between(a, b) / TIME.day_ms for a, b in pairwise(heard) if b - a >= HOUR]
    if len(waits) < 5:
        return False, -1.0
    begun: list[tuple[int, bool]] = []
    newest: dict[str, tuple[int, int]] = {}
    for action in past:
        last_at, place = newest.get(action.session, (-DAY * 99, 0))
        if action.at - last_at >= 6 * HOUR:
            place = len(begun)
            begun.append((action.at, False))
        newest[action.session] = (action.at, place)
        if action.role is Role.CHAMPION:
            begun[place] = (begun[place][0], True)
    missed = sum(1 for began, _ in begun if began > heard[-1])
    attended = sum(there for _, there in begun)
    share = (20 * 0.71 + attended) / (20 + max(len(begun) - missed, attended))
    needed = ceil(log(0.01) / log(1 - share))
    over = TIME.between(heard[-1], at) / TIME.day_ms / limit(waits, 0.014)
    return missed >= needed and over >= 1.0, log(max(over, 1e-9))


def random_deal(seed: int) -> list[Observed]:
    chance, stream = random.Random(seed), list[Observed]()
    days, absent = workdays(80), chance.randrange(20, 70)
    for n, at in enumerate(days):
        if chance.random() < 0.3:
            continue
        there = chance.random() < 0.7 and not absent <= n < absent + chance.choice([5, 15, 30])
        stream.append(
            said(n * 10, at + chance.randrange(HOUR), Role.CHAMPION if there else Role.USER)
        )
    return stream


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_it_is_on_exactly_when_the_formula_says(seed: int) -> None:
    stream = random_deal(seed)
    for at in range(START + 20 * DAY, START + 110 * DAY, 5 * DAY):
        past = [a for a in stream if a.at < at]
        episodes = found(past, at)
        expected, over = silent(past, at)
        if abs(over) > 0.02:  # the detector approximates the quantile of t
            assert (bool(episodes) and episodes[-1].cleared_at is None) == expected


@pytest.mark.parametrize("survival", [0.014, 0.003])
def test_the_corrected_quantile_is_that_of_student(survival: float) -> None:
    state = DETECTOR.begin()
    quantile = {0.014: DETECTOR.quantile, 0.003: DETECTOR.pushed_quantile}[survival]
    state.waits, state.log_total, state.log_squares = 10, 10 * log(3.0), 10 * (log(3.0) ** 2 + 0.5)
    waits = [3.0 * exp(sign * sqrt(0.5)) for sign in (1, -1)] * 5
    assert DETECTOR._limit(state, quantile) == pytest.approx(limit(waits, survival), rel=0.03)


# As people would meet it ----------------------------------------------------------------------------


def test_a_champion_who_is_silent_while_others_talk_is_recorded_then_pushed() -> None:
    stream = usual()
    last = stream[-1].at
    levels = [e.level for e in found([*stream, *others(20, last)], last + 60 * DAY)]
    assert levels == [Level.RECORDED, Level.PUSHED]


def test_the_timer_raises_without_a_further_action() -> None:
    stream = usual()
    talk = others(4, stream[-1].at)
    (first, *_) = found([*stream, *talk], stream[-1].at + 60 * DAY)
    assert first.at > talk[-1].at
    assert first.statistic == pytest.approx(first.threshold, abs=0.01)
    assert first.evidence[0] == stream[-2].id
    assert first.explanation.startswith("The champion was last heard on 13 April 2026")
    assert first.explanation.endswith("4 conversations went on without them.")


def test_silence_of_all_says_nothing_about_the_champion() -> None:
    stream = usual()
    assert found([*stream, *others(2, stream[-1].at)], stream[-1].at + 200 * DAY) == []


def test_it_ends_when_the_champion_is_heard_again() -> None:
    stream = usual()
    talk = others(20, stream[-1].at)
    again = said(9000, talk[-1].at + DAY, Role.CHAMPION)
    last = found([*stream, *talk, again], again.at)[-1]
    assert last.cleared_at == again.at
    assert last.explanation.startswith("The champion was heard again on")


def test_it_ends_with_the_deal() -> None:
    stream = usual()
    talk = others(20, stream[-1].at)
    lost = move(9000, talk[-1].at + DAY, Stage.LOST)
    assert found([*stream, *talk, lost], lost.at + 99 * DAY)[-1].cleared_at == lost.at


def test_a_champion_of_whom_little_is_known_is_not_missed() -> None:
    few = usual(8)
    assert found([*few, *others(30, few[-1].at)], few[-1].at + 99 * DAY) == []


def test_moments_are_of_the_logarithms_of_the_waits() -> None:
    count, total, squares = moments(usual(), DETECTOR)
    assert count == 14
    assert squares >= total * total / count
