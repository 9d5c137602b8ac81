"""False alarms to be expected: a table that is read whole or refused, and never guessed."""

import pytest

from dealgraph.stream.signals.false_alarms import expectations, load_measured
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.thresholds import ThresholdError, load_thresholds


def test_the_shipped_table_names_rules_that_exist() -> None:
    measured = load_measured()
    assert set(measured) <= {detector.rule for detector in detectors(load_thresholds())}
    assert all(one.source for one in measured.values())


def test_at_other_thresholds_nothing_is_expected() -> None:
    changed = detectors(load_thresholds({"delivery_concern": {"asks": 9}}))
    assert "S5" not in {one.rule for one in expectations(load_measured(), changed)}


@pytest.mark.parametrize(
    "table",
    [
        b"S5: {kind: NOTHING, version: v, source: s, forms: {}}",
        b"S5: {kind: DELIVERY_COMMITMENT, version: v, source: s, forms: {'': {loud: 0.1}}}",
        b"S5: {kind: DELIVERY_COMMITMENT, version: v, source: s, forms: {'': {pushed: -1}}}",
        b"S5: {kind: DELIVERY_COMMITMENT, version: v, source: s, forms: {}, more: 1}",
    ],
)
def test_a_table_that_does_not_fit_is_refused(table: bytes) -> None:
    with pytest.raises(ThresholdError, match="false_alarms"):
        load_measured(table)
