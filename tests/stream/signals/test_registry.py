import pytest

from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.thresholds import ThresholdError, Thresholds, load_thresholds


def test_finds_the_detectors_of_all_modules_in_order_of_their_names() -> None:
    rules = [detector.rule for detector in detectors(load_thresholds())]
    known = ["R1", "S5-COMMITMENT", "S5", "R2"]
    assert [rule for rule in rules if rule in known] == known


def test_a_changed_threshold_changes_the_version_of_its_detector_alone() -> None:
    changes = {"competitor_rate": {"limit_per_10_minutes": 4.0}}
    shipped = {d.rule: d.version for d in detectors(load_thresholds())}
    changed = {d.rule: d.version for d in detectors(load_thresholds(changes))}
    assert {rule for rule in shipped if shipped[rule] != changed[rule]} == {"R1"}


def test_a_misspelt_threshold_is_refused_and_the_names_are_told() -> None:
    changes = {"competitor_rate": {"limit": 4.0}}
    with pytest.raises(ThresholdError, match=r"competitor_rate.*`limit`.*limit_per_10_minutes"):
        detectors(load_thresholds(changes))


def test_a_misspelt_section_is_refused_and_the_names_are_told() -> None:
    with pytest.raises(ThresholdError, match=r"competitor_rat; there are .*competitor_rate"):
        detectors(load_thresholds({"competitor_rat": {}}))


@pytest.mark.parametrize("value", [0, -1, "many", None, True])
def test_a_threshold_of_a_wrong_type_or_out_of_range_is_refused(value: object) -> None:
    with pytest.raises(ThresholdError, match=r"competitor_rate.*minimum_mentions"):
        detectors(load_thresholds({"competitor_rate": {"minimum_mentions": value}}))


def test_a_missing_threshold_is_refused() -> None:
    with pytest.raises(ThresholdError, match="missing required field"):
        detectors(Thresholds({}))
