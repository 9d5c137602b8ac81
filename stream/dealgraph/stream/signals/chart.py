"""Statistics of control charts: a baseline that starts from a prior, and the spread of an EWMA."""

from math import sqrt

from msgspec import Struct


class Prior(Struct, frozen=True):
    """What is believed before the first observation; `weight` is worth that many observations.

    The spread (standard deviation) never falls below `least_spread`: a session in which
    nothing happens for an hour must not make the first remark an outlier.
    """

    mean: float
    spread: float
    least_spread: float
    weight: float


class Baseline(Struct, frozen=True):
    """Mean and spread of a normal quantity, shrunk towards a prior (Normal–inverse-Gamma).

    mean = (κ·m₀ + Σx) / (κ + n);  spread² = (κ·s₀² + Σ(x − x̄)² + κn/(κ+n)·(x̄ − m₀)²) / (κ + n)
    """

    mean: float
    spread: float
    count: int = 0
    average: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, prior: Prior) -> "Baseline":
        """Return what is believed before the first observation."""
        return cls(prior.mean, max(prior.spread, prior.least_spread))

    def with_value(self, value: float, prior: Prior) -> "Baseline":
        """Return the baseline after one more observation (Welford)."""
        count = self.count + 1
        change = value - self.average
        average = self.average + change / count
        squares = self.squares + change * (value - average)
        total = prior.weight + count
        apart = average - prior.mean
        between = prior.weight * count / total * apart * apart
        variance = (prior.weight * prior.spread**2 + squares + between) / total
        spread = max(sqrt(variance), prior.least_spread)
        return Baseline(prior.mean + apart * count / total, spread, count, average, squares)


def ewma_spreads(smoothing: float, overlap_steps: float, length: int) -> tuple[float, ...]:
    """Return the standard deviation of an EWMA after 1, 2, … `length` observations of variance 1.

    Observations of windows that overlap are correlated: ρ_k = max(0, 1 − k/`overlap_steps`). The textbook
    limit √(λ/(2−λ)) holds without overlap (`overlap_steps` ≤ 1) only and would alarm far too often here.
    With Z_t = λD_t + (1−λ)Z_{t−1}:  Var Z_t = λ² + (1−λ)²Var Z_{t−1} + 2λ(1−λ)Cov(Z_{t−1}, D_t).
    """
    keep = 1.0 - smoothing
    variance = covariance = 0.0
    spreads = []
    for step in range(1, length + 1):
        variance = smoothing**2 + keep**2 * variance + 2.0 * smoothing * keep * covariance
        spreads.append(sqrt(variance))
        correlation = max(0.0, 1.0 - step / overlap_steps)
        covariance += smoothing * keep ** (step - 1) * correlation
    return tuple(spreads)
