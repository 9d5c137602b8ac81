"""Thresholds per team: each talk is judged by the limits of its rep's team."""

import pytest
from msgspec.structs import replace

from dealgraph.graph.model import Topic
from dealgraph.stream.signals.competitor_rate import detectors
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.registry import detectors as all_detectors
from dealgraph.stream.signals.thresholds import Team, ThresholdError, load_thresholds
from tests.support.conformance import run
from tests.support.observed import SECOND, START, observed

PATIENT = Team(reps=("wang",), thresholds={"competitor_rate": {"minimum_mentions": 6}})
TEAMS = {"patient": PATIENT, "others": Team(reps=("anna@sell.example",))}
(DETECTOR,) = detectors(load_thresholds(teams=TEAMS))


def burst(rep: str, count: int = 8) -> list[Observed]:
    return [
        replace(observed(n, START + n * 20 * SECOND, Topic.COMPETITOR, talk_ms=20_000), rep=rep)
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("rep", "raised_by"),
    [
        ("chat:wang", "000005"),
        ("wang", "000005"),
        ("mail:anna@sell.example", "000002"),
        ("chat:li", "000002"),
        ("", "000002"),
    ],
)
def test_the_team_of_the_rep_decides_when_a_hint_is_raised(rep: str, raised_by: str) -> None:
    assert run(DETECTOR, burst(rep))[0][0].id == raised_by


def test_what_was_said_before_counts_on_when_a_rep_of_another_team_takes_over() -> None:
    stream = [*burst("chat:wang", 4), *burst("chat:li", 8)[4:]]
    assert run(DETECTOR, stream)[0][0].id == "000004"


def test_the_version_changes_with_a_teams_thresholds_and_members_alone() -> None:
    def version(**teams: Team) -> str:
        return detectors(load_thresholds(teams=teams))[0].version

    usual = version()
    assert version(others=TEAMS["others"]) == usual
    changed = {
        version(patient=PATIENT),
        version(patient=replace(PATIENT, reps=("li",))),
        version(patient=replace(PATIENT, thresholds={"competitor_rate": {"minimum_mentions": 7}})),
    }
    assert len(changed) == 3 and usual not in changed


def test_other_detectors_keep_their_version() -> None:
    usual = {d.rule: d.version for d in all_detectors(load_thresholds())}
    changed = {d.rule: d.version for d in all_detectors(load_thresholds(teams=TEAMS))}
    assert {rule for rule in usual if usual[rule] != changed[rule]} == {"R1"}


def test_a_rep_in_two_teams_is_refused() -> None:
    teams = {"a": Team(reps=("wang",)), "b": Team(reps=("wang",))}
    with pytest.raises(ThresholdError, match="a rep is in two teams, a and b"):
        load_thresholds(teams=teams)


def test_a_section_that_is_not_of_a_hint_is_refused_and_the_others_are_named() -> None:
    teams = {"a": Team(reps=("wang",), thresholds={"delivery_concern": {"asks": 2}})}
    with pytest.raises(ThresholdError, match="cannot change delivery_concern, but competitor_rate"):
        load_thresholds(teams=teams)


def test_a_misspelt_threshold_of_a_team_is_refused_and_the_names_are_told() -> None:
    teams = {"a": Team(reps=("wang",), thresholds={"competitor_rate": {"limit": 2}})}
    with pytest.raises(ThresholdError, match=r"team a: .*limit_per_10_minutes"):
        detectors(load_thresholds(teams=teams))
