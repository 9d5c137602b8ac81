"""What the judge counts, on a world small enough to count by hand, and its intervals."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from dealgraph.graph.model import Level, Severity, Side, SignalKind
from dealgraph.stream.evaluation.histories import Histories
from dealgraph.stream.evaluation.judging import (
    Judge,
    Verdict,
    count_interval,
    rises,
    share_interval,
)
from dealgraph.stream.evaluation.plants import RAISES, Minimum, may_raise, minimums
from dealgraph.stream.signals.detector import NOTHING, Detector, Episode, Observed, Scope, State
from dealgraph.stream.world.planted import Planted
from dealgraph.stream.world.scenario import Plant
from dealgraph.stream.world.truth import DealTruth
from tests.support.deals import said
from tests.support.observed import DAY, START, observed

SURGE = RAISES[Plant.TECH_QUESTION_SURGE]
END = START + 100 * DAY


class AtDay(Struct, frozen=True):
    """A detector for tests: raised at the first action, pushed at the second, at most once."""

    rule: str = "T"
    version: str = "1"
    scope: Scope = Scope.OPPORTUNITY
    topics: int = 0

    def begin(self) -> State:
        return State()

    def observe(self, state: State, action: Observed) -> Sequence[Episode]:
        if action.role.name != "TECH_LEAD" and action.session == "quiet":
            return NOTHING
        level = Level.RECORDED if action.session == "first" else Level.PUSHED
        return (
            Episode(
                SignalKind.TECH_QUESTION_SURGE, 0, Severity.INFO, action.at, action.at, None,
                1.0, 1.0, 0.0, 1.0, 0, (action.id,), "", level=level,
            ),
        )  # fmt: skip

    def wake(self, state: State, at: int) -> Sequence[Episode]:
        return NOTHING


DETECTORS: Sequence[Detector[Any]] = (AtDay(),)


def deal(name: str, *planted: Planted) -> DealTruth:
    """A deal of fifty days, on the standard way."""
    return DealTruth(
        name, "acct", "rep", "small", "en", not planted, False, "STANDARD", (), "won", False,
        START, START, START, START, START, START + 50 * DAY, START + 50 * DAY, list(planted),
        (), (), (),
    )  # fmt: skip


def surge(start: int) -> Planted:
    """A surge that is above the least effect."""
    hour = 3_600_000
    return Planted(
        Plant.TECH_QUESTION_SURGE, 2.5, start, START + 50 * DAY,
        observed_before_ms=hour, observed_after_ms=hour, observed_hits_after=20,
    )  # fmt: skip


def judged(*pairs: tuple[DealTruth, list[Observed]]) -> dict[Level, Verdict]:
    """The verdicts on the surge, by level."""
    world = Histories(
        {truth.id: actions for truth, actions in pairs}, {t.id: t for t, _ in pairs}, [], END, 0
    )
    judge = Judge(DETECTORS)
    judge.add(world)
    return {level: judge.verdicts[(SURGE, level)] for level in Level}


def at_days(*days: int) -> list[Observed]:
    """The first action is recorded, the others are pushed."""
    sessions = ["first", *["later"] * (len(days) - 1)]
    return [
        observed(n, START + day * DAY, session=session)
        for n, (day, session) in enumerate(zip(days, sessions, strict=True))
    ]


def test_an_episode_reaches_each_level_once() -> None:
    found = [(rise.level, rise.at) for rise in rises(DETECTORS, at_days(1, 3, 5), END)]
    assert found == [(Level.RECORDED, START + DAY), (Level.PUSHED, START + 3 * DAY)]


def test_a_plant_is_found_when_its_signal_begins_while_it_works() -> None:
    verdicts = judged((deal("a", surge(START + 10 * DAY)), at_days(12, 20)))
    assert [(v.planted, v.found) for v in verdicts.values()] == [(1, 1), (1, 1)]
    assert [v.delays[0].days for v in verdicts.values()] == [2.0, 10.0]
    assert [v.true_episodes for v in verdicts.values()] == [1, 1]


def test_a_signal_before_its_plant_is_false_and_the_plant_is_missed() -> None:
    verdicts = judged((deal("a", surge(START + 15 * DAY)), at_days(5)))
    assert (verdicts[Level.RECORDED].found, verdicts[Level.RECORDED].false_episodes) == (0, 1)


def test_a_signal_recorded_before_its_plant_and_pushed_after_it_is_found_but_has_no_delay() -> None:
    verdict = judged((deal("a", surge(START + 15 * DAY)), at_days(5, 20)))[Level.PUSHED]
    assert (verdict.found, verdict.delays) == (1, [])


def test_a_delay_is_counted_in_the_unit_of_its_detector() -> None:
    plant = replace(surge(START + 10 * DAY), strength=3.0)
    delay = judged((deal("a", plant), at_days(5, 12, 20)))[Level.PUSHED].delays
    assert delay == []
    recorded = judged((deal("a", plant), at_days(12, 13, 20)))[Level.RECORDED].delays
    assert [(one.unit, one.expected, one.measured) for one in recorded] == [("questions", 14.4, 0)]


def test_a_plant_below_the_least_effect_counts_neither_way() -> None:
    small = replace(surge(START + 10 * DAY), strength=1.5)
    verdict = judged((deal("a", small), at_days(12)))[Level.RECORDED]
    assert (verdict.planted, verdict.found, verdict.true_episodes) == (0, 0, 1)


def test_every_episode_in_a_clean_deal_is_false() -> None:
    verdicts = judged(
        (deal("a"), at_days(12, 20)), (deal("b"), [observed(1, START, session="quiet")])
    )
    recorded = verdicts[Level.RECORDED]
    assert (recorded.false, recorded.false_deals, recorded.clean_deals) == (1, 1, 2)
    assert recorded.weeks_per_false() == pytest.approx(100 / 7)


def test_precision_at_even_odds_does_not_depend_on_how_much_is_planted() -> None:
    verdict = Verdict(planted=10, found=9, clean_deals=1000, false_deals=100)
    assert verdict.even_precision() == pytest.approx(0.9)


def test_an_opted_out_or_unobserved_deal_is_left_out() -> None:
    hidden = replace(deal("a"), opted_out=True)
    verdict = judged((hidden, at_days(1)), (deal("b"), []))[Level.RECORDED]
    assert verdict.clean_deals == 0


def test_a_change_of_pace_asks_for_observed_letters_before_and_after_it() -> None:
    least = Minimum(letters_before=2, letters_after=1)
    slowing = Planted(Plant.SLOWING, 3.0, START + 10 * DAY, START + 50 * DAY)
    letters = [said(n, START + day * DAY) for n, day in enumerate((1, 2, 20))]
    assert least.reached(slowing, END, letters, 0)
    assert not least.reached(slowing, END, letters[1:], 0)
    assert not least.reached(slowing, END, letters[:2], 0)


def test_a_ghost_asks_for_days_on_which_the_rep_wrote() -> None:
    least = Minimum(written_days_after=2)
    ghost = Planted(Plant.GHOST, 0.0, START, START + 50 * DAY)
    written = [said(n, START + day * DAY, Side.REP) for n, day in enumerate((1, 2))]
    assert least.reached(ghost, END, written, 0)
    assert not least.reached(ghost, END, [written[0], replace(written[0], id="b")], 0)


def test_legal_that_was_never_observed_in_time_is_not_asked_for() -> None:
    least = Minimum(legal=(-1.0, 3.0))
    early = Planted(Plant.LEGAL_EARLY, 3.0, START + 10 * DAY, START + 50 * DAY)
    seen = {day: least.reached(early, END, [], START + day * DAY) for day in (8, 9, 12, 13)}
    assert seen == {8: False, 9: True, 12: True, 13: False}
    assert not least.reached(early, END, [], 0)


def test_every_plant_has_a_least_effect_and_no_signal_is_beside_itself() -> None:
    assert set(minimums()) == set(RAISES)
    assert all(RAISES[plant] not in may_raise(plant) for plant in RAISES)


def test_intervals_equal_those_of_the_tables() -> None:
    assert share_interval(8, 10) == pytest.approx((0.490, 0.943), abs=0.001)
    assert count_interval(0) == pytest.approx((0.0, 3.69), abs=0.1)
    assert count_interval(10) == pytest.approx((4.79, 18.39), abs=0.05)
