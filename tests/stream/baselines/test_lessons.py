"""What is usual: shrinkage by the formula, bounded steps, and no deal that counts for more than others."""

import numpy as np
import pytest
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, Role, Stage
from dealgraph.stream.baselines.bounds import Bound, held, limits
from dealgraph.stream.baselines.lessons import LESSONS, learn
from dealgraph.stream.baselines.sums import Sums, shrunk
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.tech_question_surge import TechQuestionSurgeThresholds
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.observed import MINUTE, START, observed

SHIPPED = load_thresholds()
PRIOR = 0.27


def deal(
    questions: int, minutes: int, segment: str = "", stage: Stage = Stage.DEMO
) -> list[Observed]:
    """A minute of talk each, with a question of a technical lead in the first of them."""
    return [
        replace(
            observed(
                number,
                START + number * MINUTE,
                kind=ActionKind.QUESTION if number < questions else ActionKind.STATEMENT,
                role=Role.TECH_LEAD,
                talk_ms=MINUTE,
                stage=stage,
            ),
            segment=segment,
        )
        for number in range(minutes)
    ]


def rates(histories: list[list[Observed]]) -> TechQuestionSurgeThresholds:
    return learn(histories, SHIPPED).section("tech_question_surge", TechQuestionSurgeThresholds)


def test_rates_of_segments_are_drawn_towards_that_of_all_by_the_number_of_deals() -> None:
    draws = np.random.default_rng(5)
    asked = {"large": draws.binomial(20, 0.5, 30), "small": draws.binomial(20, 0.2, 10)}
    found = rates([deal(int(n), 20, name) for name, counts in asked.items() for n in counts])

    def drawn(wider: float, counts: np.ndarray) -> float:
        n = len(counts)
        return float(wider + n / (n + 20) * (counts.sum() / (20 * n) - wider))

    of_all = drawn(PRIOR, np.concatenate(list(asked.values())))
    assert found.prior_rate_per_minute == pytest.approx(of_all, rel=1e-3)
    for name, counts in asked.items():
        assert found.rate(name) == pytest.approx(drawn(of_all, counts), rel=1e-3)


def test_a_stage_of_a_segment_is_drawn_towards_what_both_are_among_all() -> None:
    histories = [
        deal(asked * times, 20, segment, stage)
        for segment, times in (("large", 2), ("small", 1))
        for stage, asked in ((Stage.DEMO, 6), (Stage.LEGAL, 2))
        for _ in range(200)
    ]
    found = rates(histories)
    assert found.rate("large", "LEGAL") == pytest.approx(0.2, rel=0.15)
    assert found.rate("small", "DEMO") == pytest.approx(0.3, rel=0.15)
    assert found.rate("unheard of", "DEMO") == pytest.approx(0.45, rel=0.15)
    assert found.weights("large")[Stage.DEMO] > 1.0 > found.weights("large")[Stage.LEGAL]


def test_a_deal_filled_with_questions_moves_little_beside_others() -> None:
    calm = [deal(5, 20) for _ in range(40)]
    flooded = rates([*calm, deal(5000, 5000)]).prior_rate_per_minute
    assert flooded < 1.6 * rates(calm).prior_rate_per_minute


def test_what_was_seen_fades() -> None:
    sums = Sums()
    sums.add({("", ""): (4.0, 20.0)})
    sums.fade(0.5)
    assert (sums.deals(("", "")), sums.numbers(("", ""))) == (0.5, [2.0, 10.0])
    assert Sums(sums.cells()).cells() == sums.cells()


def test_the_segments_with_the_most_deals_are_told_apart() -> None:
    sums = Sums()
    for segment in ["large", "large", "small", "odd", "small", "large"]:
        sums.add({(name, stage): (1.0,) for name in ("", segment) for stage in ("", "DEMO")})
    sums.keep(2)
    assert {segment for segment, _ in sums} == {"", "large", "small"}
    assert sums.deals(("", "")) == 6


def test_sums_of_another_shape_begin_anew() -> None:
    sums = Sums()
    sums.add({("", ""): (4.0, 20.0)})
    sums.add({("", ""): (1.0, 2.0, 3.0)})
    assert (sums.deals(("", "")), sums.numbers(("", ""))) == (1.0, [1.0, 2.0, 3.0])


def test_a_step_goes_no_further_than_its_bound() -> None:
    bounds = {"usual": Bound(0.1, 2.0, times=1.25), "mood": Bound(-0.5, 0.5, by=0.05)}
    before = {"usual": {"large": {"": 1.0, "DEMO": 1.9}}, "mood": 0.0, "free": 1.0}
    found = {"usual": {"large": {"": 3.0, "DEMO": 3.0}}, "mood": -0.4, "free": 9.0}
    assert held(bounds, before, found) == {
        "usual": {"large": {"": 1.25, "DEMO": 2.0}},
        "mood": -0.05,
        "free": 9.0,
    }
    assert shrunk(0.25, 1.0, 20) == 0.625


def test_every_value_that_is_learnt_has_a_bound_that_holds_the_shipped_one() -> None:
    for lesson in LESSONS:
        bounds = limits().bounds[lesson.section]
        for name in lesson.names & SHIPPED.sections[lesson.section].keys():
            value = SHIPPED.sections[lesson.section][name]
            if isinstance(value, float):
                assert bounds[name].least <= value < bounds[name].most
