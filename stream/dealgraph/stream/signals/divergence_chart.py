"""A chart of how far price talk and mood drift apart: an EWMA with limits for a baseline that is estimated.

A look has talk of T minutes with a share p about price and a mean valence v weighted by confidence:

    z      (p − μ_p)/σ_p and (v − μ_v)/σ_v;   σ of a look with less than T₀ minutes is √(T₀/T) times as wide
    D      (z_price − z_valence)/√2,   Z ← λD + (1−λ)Z,   level = Z / σ_Z
    σ_Z²   λ/(2−λ)·(1 − (1−λ)^2t) + (1 − (1−λ)^t)² / (κ + n)   after t looks

μ and σ start from a prior worth κ looks and learn from this opportunity's n looks that are older than the
guard and were not suspicious when they came (Normal–inverse-Gamma, `chart.py`): a change does not become its
own baseline. The second term of σ_Z² is what is not known of μ: a deal that always talks of price must not
look like one that began to. Source: signals.md S6; charts with estimated parameters: Jones, Champ and Rigdon
2001.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final

from msgspec import Struct, field

from dealgraph.stream.signals.chart import Baseline, Prior
from dealgraph.stream.signals.course import DAY, MINUTE

RECENT_LOOKS: Final = 5
"""The memory of the chart: 1/λ looks."""
_LOOK_AHEAD_MS: Final = 28 * DAY
_MOST_LOOKS: Final = 64


class Talk(Struct):
    """The talk of a look that is not over: times in ms, sums of confidence and of confidence × valence."""

    talk_ms: int = 0
    price_ms: int = 0
    sure: float = 0.0
    felt: float = 0.0

    @property
    def share(self) -> float:
        """The share of price."""
        return self.price_ms / self.talk_ms

    @property
    def valence(self) -> float:
        """The mean valence."""
        return self.felt / self.sure


class Look(Struct, frozen=True, array_like=True, gc=False):
    """A look that is over: when, what was measured, and how long the talk was."""

    at: int
    share: float
    valence: float
    price_z: float
    minutes: float


class ChartLimits(Struct, frozen=True):
    """Settings of a chart: λ, the priors of share and valence, T₀ and the guard."""

    smoothing: float
    share: Prior
    valence: Prior
    usual_minutes: float
    guard_ms: int


class DivergenceChart(Struct):
    """Baselines, Z as `ewma` after `looked` looks, the newest looks, and those to be learnt later."""

    share: Baseline | None = None
    valence: Baseline | None = None
    ewma: float = 0.0
    looked: int = 0
    recent: list[Look] = field(default_factory=list)
    usual: list[Look] = field(default_factory=list)

    def baselines(self, limits: ChartLimits) -> tuple[Baseline, Baseline]:
        """Return what is usual: the share of price and the valence."""
        return self.share or Baseline.of(limits.share), self.valence or Baseline.of(limits.valence)

    def look(self, at: int, talk: Talk, limits: ChartLimits) -> None:
        """Move the chart on by the talk of a look."""
        self._learn(at - limits.guard_ms, limits)
        look = self._measured(at, talk, limits)
        while len(self.recent) >= RECENT_LOOKS and self.recent[0].at <= at - _LOOK_AHEAD_MS:
            self.recent.pop(0)
        self.recent = [*self.recent[1 - _MOST_LOOKS :], look]

    def keep(self) -> None:
        """Let the newest look be learnt from, for it was not suspicious."""
        self.usual = [*self.usual[1 - _MOST_LOOKS :], self.recent[-1]]

    def level(self, limits: ChartLimits) -> float:
        """Return how many σ_Z the chart is at."""
        return self.ewma / self._spread(limits) if self.looked else 0.0

    def least_effect(self, level: float, limits: ChartLimits) -> float:
        """Return the lasting D that brings the expected Z to `level` in as many looks as four weeks had."""
        oldest = self.recent[-1].at - _LOOK_AHEAD_MS
        looks = sum(1 for look in self.recent if look.at > oldest)
        reached = 1.0 - (1.0 - limits.smoothing) ** looks
        return level * self._spread(limits) / reached

    def _learn(self, before: int, limits: ChartLimits) -> None:
        share, valence = self.baselines(limits)
        while self.usual and self.usual[0].at <= before:
            look = self.usual.pop(0)
            share = share.with_value(look.share, limits.share)
            valence = valence.with_value(look.valence, limits.valence)
        self.share, self.valence = share, valence

    def _measured(self, at: int, talk: Talk, limits: ChartLimits) -> Look:
        usual_share, usual_valence = self.baselines(limits)
        minutes = talk.talk_ms / MINUTE
        wider = sqrt(max(1.0, limits.usual_minutes / minutes))
        price_z = (talk.share - usual_share.mean) / (usual_share.spread * wider)
        mood_z = (talk.valence - usual_valence.mean) / (usual_valence.spread * wider)
        apart = (price_z - mood_z) / sqrt(2.0)
        self.ewma = limits.smoothing * apart + (1.0 - limits.smoothing) * self.ewma
        self.looked += 1
        return Look(at, talk.share, talk.valence, price_z, minutes)

    def _spread(self, limits: ChartLimits) -> float:
        smoothing, kept = limits.smoothing, (1.0 - limits.smoothing) ** self.looked
        known = limits.share.weight + self.baselines(limits)[0].count
        return sqrt(smoothing / (2.0 - smoothing) * (1.0 - kept**2) + (1.0 - kept) ** 2 / known)


def falls(looks: Sequence[Look]) -> bool:
    """Say whether the least-squares line of valence over time falls."""
    middle = sum(look.at for look in looks) / len(looks)
    mean = sum(look.valence for look in looks) / len(looks)
    return sum((look.at - middle) * (look.valence - mean) for look in looks) < 0.0
