"""How good predictions are: accuracy, F1, calibration, and how far chance moves them."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

Truth = NDArray[np.bool_]
Doubles = NDArray[np.float64]

_BINS: Final = 15


class Measure(StrEnum):
    """By what a head is judged."""

    ACCURACY = "accuracy"
    WEIGHTED_F1 = "weighted_f1"
    MACRO_F1 = "macro_f1"


def measure_of(measure: Measure, truth: Truth, guess: Truth) -> float:
    """Return a measure of `guess` against `truth`, both shaped (texts, classes)."""
    counts = np.stack([(truth & guess).sum(0), guess.sum(0), truth.sum(0)]).astype(float)
    return _from_counts(measure, counts, len(truth))


def _from_counts(measure: Measure, counts: Doubles, texts: int) -> float:
    hits, guessed, true = counts
    if measure is Measure.ACCURACY:
        return float(hits.sum() / max(texts, 1))
    f1 = 2 * hits / np.maximum(guessed + true, 1e-12)
    present = true > 0
    if measure is Measure.MACRO_F1:
        return float(f1[present].mean()) if present.any() else 0.0
    return float((f1 * true).sum() / max(true.sum(), 1e-12))


def interval(
    measure: Measure, truth: Truth, guess: Truth, dialogues: NDArray[np.int64], seed: int = 7
) -> tuple[float, float]:
    """Return the 95 % interval of a measure: 1,000 bootstrap samples of whole dialogues."""
    groups = int(dialogues.max()) + 1
    by_group = np.stack(
        [_per_group(part, dialogues, groups) for part in (truth & guess, guess, truth)]
    )
    sizes = np.bincount(dialogues, minlength=groups)
    random = np.random.default_rng(seed)
    found = []
    for _ in range(1000):
        weight = np.bincount(random.integers(0, groups, groups), minlength=groups).astype(float)
        counts = np.einsum("kgc,g->kc", by_group, weight)
        found.append(_from_counts(measure, counts, int((sizes * weight).sum())))
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def _per_group(part: Truth, dialogues: NDArray[np.int64], groups: int) -> Doubles:
    return np.stack([np.bincount(dialogues, column, groups) for column in part.T], axis=1)


def calibration_error(truth: Truth, guess: Truth, likely: Doubles, *, several: bool) -> float:
    """Return the expected calibration error: 15 bins of equal width, weighted by their size.

    For heads of one label it compares the probability of the class decided for with how often it is right;
    for heads of several labels it is the mean, over the classes, of the same for "the label holds".
    """
    if several:
        errors = [_error(likely[:, at], truth[:, at]) for at in range(truth.shape[1])]
        return float(np.mean(errors))
    return _error((likely * guess).sum(1), np.any(truth & guess, axis=1, keepdims=True)[:, 0])


def _error(sure: Doubles, right: NDArray[np.bool_]) -> float:
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, sure - right, _BINS)
    return float(np.abs(gaps).sum() / max(len(sure), 1))


def lean_for(
    measure: Measure, truth: Truth, decide: Callable[[Doubles], Truth], start: Doubles
) -> Doubles:
    """Return the lean per class that makes `measure` best, by going up one class at a time."""
    lean, best = start.copy(), measure_of(measure, truth, decide(start))
    for step in (1.0, 0.5, 0.25, 0.1):
        for _ in range(3):
            moved = False
            for at in range(len(lean)):
                for change in (step, -step):
                    tried = lean.copy()
                    tried[at] += change
                    reached = measure_of(measure, truth, decide(tried))
                    if reached > best + 1e-9:
                        lean, best, moved = tried, reached, True
            if not moved:
                break
    return lean
