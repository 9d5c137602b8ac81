"""Thresholds as data: levels found for an asked rate of false alarms, what is usual learnt, changes noted."""

import random
from pathlib import Path

import pytest

from dealgraph.graph.model import ActionKind, Level, Role, Topic
from dealgraph.stream.baselines.lessons import learn
from dealgraph.stream.baselines.sums import shrunk
from dealgraph.stream.evaluation.calibration import (
    Watched,
    alarms_of,
    calibrate,
    compare,
    false_alarms_of,
    levers,
    value_at,
    with_value,
)
from dealgraph.stream.evaluation.plants import RAISES
from dealgraph.stream.log import EventLog
from dealgraph.stream.rule_audit import RuleChange, note_rules, rule_changes
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.false_alarms import expectations
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.threshold_file import (
    ThresholdFile,
    read_thresholds,
    write_thresholds,
)
from dealgraph.stream.signals.thresholds import ThresholdError, load_thresholds
from tests.support.logs import open_log
from tests.support.observed import DAY, MINUTE, START, observed

SHIPPED = load_thresholds()
SURGE = RAISES[next(plant for plant in RAISES if plant.value == "TECH_QUESTION_SURGE")]
WEEKS = 12


def curious(seed: int) -> Watched:
    """Twelve weeks of two calls each in which a technical lead asks more and more, or does not."""
    chance = random.Random(seed)
    actions = list[Observed]()
    for call in range(2 * WEEKS):
        at = START + call * 3 * DAY
        for minute in range(8):
            asks = chance.random() < 0.25 + 0.02 * (seed % 4) * call / WEEKS
            actions.append(
                observed(
                    len(actions),
                    at + minute * MINUTE,
                    kind=ActionKind.QUESTION if asks else ActionKind.STATEMENT,
                    role=Role.TECH_LEAD,
                    session=f"call-{call}",
                    talk_ms=MINUTE,
                )
            )
    return Watched(f"deal-{seed}", actions, actions[-1].at + DAY, float(WEEKS))


DEALS = [curious(seed) for seed in range(12)]


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return open_log(tmp_path)


def test_every_lever_moves_two_numbers_of_a_rule_there_is() -> None:
    rules = {rule.rule for rule in detectors(SHIPPED)}
    for lever in levers():
        assert lever.rule in rules
        assert lever.names() <= set(RAISES.values())
        for level in Level:
            assert value_at(SHIPPED, lever.section, lever.path(level)) > 0


def test_a_value_inside_another_is_replaced_alone() -> None:
    changed = with_value(SHIPPED, "economic_buyer_shift", "fell.level", 9.0)
    assert value_at(changed, "economic_buyer_shift", "fell.level") == 9.0
    path = "fell.pushed_level"
    assert value_at(changed, "economic_buyer_shift", path) == value_at(
        SHIPPED, "economic_buyer_shift", path
    )
    with pytest.raises(ThresholdError, match=r"fell\.nothing is not a number"):
        value_at(SHIPPED, "economic_buyer_shift", "fell.nothing")


def test_the_levels_found_alarm_as_seldom_as_asked_and_hardly_less() -> None:
    asked = {Level.RECORDED: 20.0, Level.PUSHED: 60.0}
    loose = with_value(SHIPPED, "tech_question_surge", "recorded_level", 1.0)
    assert alarms_of(detectors(loose), DEALS)[SURGE, Level.RECORDED] > len(DEALS) * WEEKS / 20
    found, _ = calibrate(loose, DEALS, asked)
    counted = alarms_of(detectors(found), DEALS)
    for level, weeks in asked.items():
        assert counted[SURGE, level] * weeks <= len(DEALS) * WEEKS
    milder = value_at(found, "tech_question_surge", "recorded_level") / 1.08
    again = with_value(found, "tech_question_surge", "recorded_level", milder)
    assert alarms_of(detectors(again), DEALS)[SURGE, Level.RECORDED] * 20 > len(DEALS) * WEEKS


def test_a_trial_names_the_deals_in_which_other_thresholds_differ() -> None:
    strict = with_value(SHIPPED, "tech_question_surge", "recorded_level", 50.0)
    strict = with_value(strict, "tech_question_surge", "pushed_level", 60.0)
    trials = compare(detectors(SHIPPED), detectors(strict), DEALS)
    surge = next(t for t in trials if (t.signal, t.level) == ("TECH_QUESTION_SURGE", "RECORDED"))
    assert surge.now > 0 and surge.then == 0
    assert len(surge.only_now) == len(set(surge.only_now)) > 0 and surge.only_then == ()


def test_what_is_usual_moves_with_the_number_of_deals_that_show_it() -> None:
    assert [shrunk(0.25, 1.0, count) for count in (0, 20, 10_000)] == [0.25, 0.625, 0.9985]
    busy = [deal.actions for seed, deal in enumerate(DEALS) if seed % 4 == 3]
    few, many = learn(busy[:1], SHIPPED), learn(busy, SHIPPED)
    path = ("tech_question_surge", "prior_rate_per_minute")
    assert value_at(SHIPPED, *path) < value_at(few, *path) < value_at(many, *path)
    assert detectors(many)  # what was learnt is accepted


def test_no_history_teaches_nothing() -> None:
    assert learn([], SHIPPED).sections == SHIPPED.sections


def test_a_file_of_thresholds_comes_back_as_it_was_written(tmp_path: Path) -> None:
    values = {"tech_question_surge": {"recorded_level": 3.5}}
    rules = detectors(load_thresholds(values))
    expected = false_alarms_of(rules, DEALS, "own history")
    assert expected["S1"].forms[""]["recorded"] > 0.0
    file = ThresholdFile(values, "own history", "2026-03-03", 12, 144.0, expected)
    write_thresholds(tmp_path / "signals.yaml", file)
    assert read_thresholds(tmp_path / "signals.yaml") == file
    assert {one.rule for one in expectations(file.false_alarms, rules)} == set(expected)
    assert "S1" not in {one.rule for one in expectations(file.false_alarms, detectors(SHIPPED))}
    assert file.version == ThresholdFile(values).version != ThresholdFile().version


def test_a_wrong_file_of_thresholds_says_where(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("threshold: {}", encoding="utf-8")
    with pytest.raises(ThresholdError, match=r"wrong\.yaml.*threshold"):
        read_thresholds(tmp_path / "wrong.yaml")
    with pytest.raises(ThresholdError, match="cannot be read"):
        read_thresholds(tmp_path / "nowhere.yaml")


def test_rules_are_noted_when_they_change_and_only_then(log: EventLog) -> None:
    change = RuleChange(5, {}, {}, "", "")
    assert note_rules(log, detectors(SHIPPED), change)
    assert not note_rules(log, detectors(SHIPPED), change)
    stricter = with_value(SHIPPED, "tech_question_surge", "recorded_level", 4.0)
    assert note_rules(
        log, detectors(stricter), RuleChange(9, {}, {}, "signals.yaml", "own history")
    )
    first, second = rule_changes(log)
    differ = {rule for rule in first.versions if first.versions[rule] != second.versions[rule]}
    assert (differ, second.file, second.at) == ({"S1"}, "signals.yaml", 9)


def test_price_and_mood_are_learnt_from_the_talk_of_deals() -> None:
    dear = [
        observed(n, START + n * 15_000, Topic.PRICE, talk_ms=15_000, valence=-0.4)
        for n in range(40)
    ]
    found = learn([dear] * 20, SHIPPED)
    section = "price_emotion_divergence"
    share, mood = (value_at(found, section, f"prior_{name}") for name in ("price_share", "valence"))
    before = value_at(SHIPPED, section, "prior_price_share")
    assert share == pytest.approx((before + 1.0) / 2, abs=1e-3)
    assert -0.4 < mood < 0.0
    assert detectors(found)
