"""Random draws that depend on a key alone: the same key gives the same draws, whatever else is drawn.

Every deal, conversation and rep has a source of its own, made from the seed and its name. So a part of
the world can be drawn without the rest, in any order, and adding a deal changes no other.

Only `random.Random.random` is used: its sequence is promised to stay the same from version to version,
and a call costs 0.04 µs, which is why numpy is not needed here.
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import cos, exp, log, pi, sqrt
from random import Random
from typing import Final, TypeVar

_T = TypeVar("_T")
_LARGE_MEAN: Final = 30.0


class Draws:
    """Draws from the usual distributions. `unit` draws from [0, 1)."""

    __slots__ = ("unit",)

    def __init__(self, seed: int, *names: str | int) -> None:
        key = "\x1f".join(map(str, (seed, *names))).encode()
        self.unit = Random(int.from_bytes(blake2b(key, digest_size=16).digest())).random

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return self.unit() < probability

    def between(self, low: float, high: float) -> float:
        """Draw evenly from [low, high)."""
        return low + (high - low) * self.unit()

    def whole(self, low: int, high: int) -> int:
        """Draw one of the whole numbers from `low` to `high`, both included."""
        return low + int(self.unit() * (high - low + 1))

    def one(self, things: Sequence[_T]) -> _T:
        """Draw one of the things."""
        return things[int(self.unit() * len(things))]

    def weighted(self, things: Sequence[_T], weights: Sequence[float]) -> _T:
        """Draw one of the things in proportion to the weights (≥ 0, not all 0)."""
        left = self.unit() * sum(weights)
        for thing, weight in zip(things, weights, strict=True):
            left -= weight
            if left < 0.0:
                return thing
        return next(t for t, w in zip(reversed(things), reversed(weights), strict=True) if w > 0.0)

    def some(self, things: Sequence[_T], number: int) -> list[_T]:
        """Draw that many different things, at most all, in a random order."""
        left = list(things)
        return [left.pop(int(self.unit() * len(left))) for _ in range(min(number, len(left)))]

    def normal(self, mean: float = 0.0, deviation: float = 1.0) -> float:
        """Draw from the normal distribution (Box and Muller)."""
        return mean + deviation * sqrt(-2.0 * log(1.0 - self.unit())) * cos(2.0 * pi * self.unit())

    def exponential(self, mean: float) -> float:
        """Draw from the exponential distribution."""
        return -mean * log(1.0 - self.unit())

    def lognormal(self, median: float, spread: float) -> float:
        """Draw median · exp(spread · N(0, 1))."""
        return median * exp(self.normal(0.0, spread))

    def poisson(self, mean: float) -> int:
        """Draw from the Poisson distribution, exactly: a large mean is the sum of smaller ones."""
        number = 0
        while mean > _LARGE_MEAN:
            number += self.poisson(_LARGE_MEAN)
            mean -= _LARGE_MEAN
        limit, product = exp(-mean), self.unit()
        while product > limit:
            number += 1
            product *= self.unit()
        return number
