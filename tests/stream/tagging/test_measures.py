import numpy as np
import pytest

from dealgraph.stream.tagging.measures import (
    Measure,
    calibration_error,
    interval,
    lean_for,
    measure_of,
)

# Three texts are of class 0, one of class 1; the second is taken for class 1.
TRUTH = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], bool)
GUESS = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], bool)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Measure.ACCURACY, 3 / 4),
        (Measure.MACRO_F1, (4 / 5 + 2 / 3) / 2),
        (Measure.WEIGHTED_F1, (3 * 4 / 5 + 2 / 3) / 4),
    ],
)
def test_measures_are_those_of_the_textbook(measure: Measure, expected: float) -> None:
    assert measure_of(measure, TRUTH, GUESS) == pytest.approx(expected)


def test_the_interval_holds_the_measure_and_is_the_same_each_time() -> None:
    truth, guess = np.tile(TRUTH, (50, 1)), np.tile(GUESS, (50, 1))
    dialogues = np.arange(200) // 5
    low, high = interval(Measure.ACCURACY, truth, guess, dialogues)
    assert low < 0.75 < high
    assert (low, high) == interval(Measure.ACCURACY, truth, guess, dialogues)


def test_calibration_error_is_the_gap_between_sureness_and_success() -> None:
    sure = np.where(GUESS, 0.9, 0.1)
    assert calibration_error(TRUTH, GUESS, sure, several=False) == pytest.approx(0.15)
    assert calibration_error(TRUTH, GUESS, TRUTH * 1.0, several=True) == pytest.approx(0.0)


def test_the_lean_makes_the_measure_better() -> None:
    scores = np.array([[0.6, 0.4], [0.55, 0.45], [0.9, 0.1], [0.52, 0.48]])

    def decide(lean: np.ndarray) -> np.ndarray:
        return np.asarray(np.eye(2, dtype=bool)[(np.log(scores) + lean).argmax(1)])

    lean = lean_for(Measure.MACRO_F1, TRUTH, decide, np.zeros(2))
    assert measure_of(Measure.MACRO_F1, TRUTH, decide(lean)) > measure_of(
        Measure.MACRO_F1, TRUTH, decide(np.zeros(2))
    )
