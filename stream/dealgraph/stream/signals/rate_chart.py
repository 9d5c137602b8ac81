"""A chart of how often something happens in observed talk: a Poisson CUSUM with a usual rate that is learnt.

In a sitting with talk of E minutes n things are counted. The chart adds the log-likelihood ratio of a rate
ρ·λ₀ against λ₀ and never goes below 0. A λ₀ that is known would make it

    C ← max(0, C + n·ln ρ − λ₀·E·(ρ − 1))                                                  (Poisson CUSUM)

Here λ₀ is Gamma(a, b): a = κ + n_b and b = κ/λ_p + E_b hold the prior rate λ_p, worth κ counts, and what was
seen in the 28 days that end `memory_days` before C left 0. With λ₀ integrated out, n and E summed since then:

    C = n·ln ρ − (a + n)·L(E),   L(E) = ln((b + ρE) / (b + E))               the form above for b → ∞

Where people usually say more at some stage than at others, E is talk times how much more: `weight`.

a and b stay until C is back at 0, so a change does not become its own baseline. C goes no higher than a
ceiling, so that the end of a change is seen. Source: signals.md S1, B0 and B4.
"""

from math import log
from typing import Final

from msgspec import Struct, field

from dealgraph.stream.signals.course import DAY, MINUTE
from dealgraph.stream.signals.detector import NEVER

_BASELINE_DAYS: Final = 28
_LOOK_AHEAD_DAYS: Final = 28


class Sitting(Struct):
    """Talk without a long break that still goes on: `ends` is when it is over if nothing more is said."""

    since: int = 0
    ends: int = NEVER
    count: int = 0
    talk_ms: int = 0
    weighed_ms: float = 0.0

    def add(self, at: int, talk_ms: int, break_ms: int, weight: float = 1.0) -> None:
        """Take in talk; `weight` is how much more than usual is counted at its stage."""
        if self.ends == NEVER:
            self.since = at
            self.count = self.talk_ms = 0
            self.weighed_ms = 0.0
        self.talk_ms += talk_ms
        self.weighed_ms += talk_ms * weight
        self.ends = at + break_ms


class Day(Struct, array_like=True):
    """What a UTC day had: `number` counts days since 1970."""

    number: int
    count: int = 0
    weighed_ms: float = 0.0


class RateLimits(Struct, frozen=True):
    """Settings of a chart: ρ, prior rate per minute, its weight κ in counts, guard in days, ceiling of C."""

    ratio: float
    prior_rate: float
    prior_weight: float
    memory_days: int
    ceiling: float


class RateChart(Struct):
    """C as `level`; counts and talk since it left 0 (`since`, ms); a and b; the days of the baseline.

    E is the weighed talk.
    """

    level: float = 0.0
    since: int = 0
    count: int = 0
    talk_ms: int = 0
    weighed_ms: float = 0.0
    usual_count: float = 0.0
    usual_minutes: float = 0.0
    days: list[Day] = field(default_factory=list)

    @property
    def minutes(self) -> float:
        """Minutes of talk since C left 0."""
        return self.talk_ms / MINUTE

    @property
    def expected(self) -> float:
        """How many are usual in the talk since C left 0."""
        return self.usual_rate * self.weighed_ms / MINUTE

    @property
    def usual_rate(self) -> float:
        """The mean of λ₀, per minute."""
        return self.usual_count / self.usual_minutes

    def move(self, sitting: Sitting, limits: RateLimits) -> None:
        """Add a sitting that is over; where C was 0 a new run begins with it."""
        if self.level <= 0.0:
            self._learn_usual(sitting.since // DAY - limits.memory_days, limits)
            self.since = sitting.since
            self.count = self.talk_ms = 0
            self.weighed_ms = 0.0
        before = self._log_ratio(limits)
        self.count += sitting.count
        self.talk_ms += sitting.talk_ms
        self.weighed_ms += sitting.weighed_ms
        level = self.level + self._log_ratio(limits) - before
        self.level = min(max(0.0, level), limits.ceiling)
        self._add_day(sitting, limits.memory_days + _BASELINE_DAYS)

    def least_ratio(self, level: float, limits: RateLimits, at: int) -> float:
        """Return the least ratio of rates at which the expected C is `level` within four weeks of talk.

        r·(a/b)·E = (level + a·L) / (ln ρ − L) with E the talk of the last four weeks, or of the run.
        """
        oldest = at // DAY - _LOOK_AHEAD_DAYS
        weighed_ms = sum(day.weighed_ms for day in self.days if day.number > oldest)
        minutes = max(weighed_ms, self.weighed_ms, 1.0) / MINUTE
        wider = self._widening(minutes, limits.ratio)
        needed = (level + self.usual_count * wider) / (log(limits.ratio) - wider)
        return needed / (self.usual_rate * minutes)

    def _learn_usual(self, before: int, limits: RateLimits) -> None:
        known = [day for day in self.days if before - _BASELINE_DAYS <= day.number < before]
        minutes = sum(day.weighed_ms for day in known) / MINUTE
        self.usual_count = limits.prior_weight + sum(day.count for day in known)
        self.usual_minutes = limits.prior_weight / limits.prior_rate + minutes

    def _log_ratio(self, limits: RateLimits) -> float:
        wider = self._widening(self.weighed_ms / MINUTE, limits.ratio)
        return self.count * log(limits.ratio) - (self.usual_count + self.count) * wider

    def _widening(self, minutes: float, ratio: float) -> float:
        return log((self.usual_minutes + ratio * minutes) / (self.usual_minutes + minutes))

    def _add_day(self, sitting: Sitting, keep_days: int) -> None:
        number = sitting.since // DAY
        if not self.days or self.days[-1].number != number:
            self.days = [day for day in self.days if day.number >= number - keep_days]
            self.days.append(Day(number))
        self.days[-1].count += sitting.count
        self.days[-1].weighed_ms += sitting.weighed_ms
