"""R1 COMPETITOR_RATE: competitors come up in a session more often than usual.

    E    minutes of observed talk of the customer (and of speakers nobody mapped) in the window
    N    actions among it that mention a competitor
    rate r = 10·N / E                                  per 10 customer minutes
    n*   smallest n ≥ minimum with P(Poisson(λ₀·E) ≥ n) < α,  λ₀ the usual rate
    h(E) = min(team limit, 10·n* / E)                  the rate that raises, given this much talk

    on:  N ≥ minimum, E ≥ minimum, r ≥ h        off: r ≤ h/2        then silent for the cool-down

Source: signals.md R1 (Poisson tail p < 0.01 or above the team's limit). The rep's own mentions do not
count: the hint is about what moves the customer. An early mention goes with deals that are won (Gong
Labs: +49 %), so before a proposal the severity is INFO; late and at twice the threshold it is CRITICAL.
An unknown stage is neutral: WARNING. A rate is judged only when a competitor is mentioned, and falls
with any talk of the customer.
"""

from collections import deque
from math import ceil, exp, sqrt
from statistics import NormalDist
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Severity, Side, SignalKind, Topic, topic_set
from dealgraph.stream.signals.course import MINUTE, Course, Reading, count_of, newest_ids
from dealgraph.stream.signals.detector import Detector, Episode, Observed, Scope
from dealgraph.stream.signals.thresholds import Count, Positive, Share, Thresholds, version_of

_COMPETITOR: Final = topic_set(Topic.COMPETITOR)
_MAX_ACTIONS: Final = 4096
"""Actions kept of a window; beyond that the oldest are forgotten early."""

_LARGE_MEAN: Final = 500.0
"""From here on exp(-mean) nears zero, and the normal distribution is close enough."""


class CompetitorRateThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of R1. Stages are compared without regard to capitals."""

    window_minutes: Positive
    minimum_mentions: Count
    minimum_minutes: Positive
    usual_per_10_minutes: Positive
    tail_probability: Share
    limit_per_10_minutes: Positive
    cool_down_minutes: Positive
    early_stages: tuple[str, ...]
    late_stages: tuple[str, ...]


class CompetitorRate:
    """Watches how often competitors come up in a session."""

    rule = "R1"
    scope = Scope.SESSION
    topics = 0

    def __init__(self, thresholds: CompetitorRateThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(1, thresholds)
        self.window_ms = round(thresholds.window_minutes * MINUTE)
        self.early = frozenset(stage.casefold() for stage in thresholds.early_stages)
        self.late = frozenset(stage.casefold() for stage in thresholds.late_stages)

    def watch(self) -> "CompetitorRateWatch":
        """Start watching a session."""
        return CompetitorRateWatch(self)

    def raising_rate(self, minutes: float) -> float:
        """Return h(E): the rate per 10 minutes that raises, given `minutes` of talk."""
        limits = self.thresholds
        usual = limits.usual_per_10_minutes / 10.0 * minutes
        critical = max(critical_count(usual, limits.tail_probability), limits.minimum_mentions)
        return min(limits.limit_per_10_minutes, 10.0 * critical / minutes)

    def severity(self, stage: str, rate: float, threshold: float) -> Severity:
        """Return how much a rate matters at a stage; an unknown stage is neutral."""
        name = stage.strip().casefold()
        if name in self.early:
            return Severity.INFO
        if name in self.late and rate >= 2.0 * threshold:
            return Severity.CRITICAL
        return Severity.WARNING


class CompetitorRateWatch:
    """The state of one session: the talk of the window and the mentions in it."""

    __slots__ = ("_course", "_definition", "_exposure_ms", "_mentions", "_talk", "_window_ms")

    def __init__(self, definition: CompetitorRate) -> None:
        self._definition = definition
        self._window_ms = definition.window_ms
        cool_down_ms = round(definition.thresholds.cool_down_minutes * MINUTE)
        self._course = Course(SignalKind.COMPETITOR_RATE, cool_down_ms)
        self._talk: deque[tuple[int, int]] = deque()
        self._exposure_ms = 0
        self._mentions: deque[tuple[int, str]] = deque(maxlen=_MAX_ACTIONS)

    def observe(self, action: Observed) -> Episode | None:
        """Take the next action of the session."""
        side = action.side
        if side is Side.REP or side is Side.SYSTEM:
            return None
        at, exposure = action.at, action.exposure_ms
        talk = self._talk
        talk.append((at, exposure))
        self._exposure_ms += exposure
        oldest = at - self._window_ms
        while talk[0][0] <= oldest or len(talk) > _MAX_ACTIONS:
            self._exposure_ms -= talk.popleft()[1]
        if action.topics & _COMPETITOR:
            self._mentions.append((at, action.id))
            return self._judge(action, mentioned=True)
        return self._judge(action, mentioned=False) if self._course.open else None

    def _judge(self, action: Observed, *, mentioned: bool) -> Episode | None:
        at, mentions, course = action.at, self._mentions, self._course
        while mentions and mentions[0][0] <= at - self._window_ms:
            mentions.popleft()
        minutes = self._exposure_ms / MINUTE
        rate, threshold = 0.0, self._definition.thresholds.limit_per_10_minutes
        if minutes > 0.0:
            rate = 10.0 * len(mentions) / minutes
            threshold = self._definition.raising_rate(minutes)
        if course.open and rate <= threshold / 2.0:
            return course.end(at, self._reading(rate, threshold, minutes))
        if not mentioned:
            return None
        severity = self._definition.severity(action.stage, rate, threshold)
        if course.open:
            return course.go_on(at, severity, self._reading(rate, threshold, minutes))
        limits = self._definition.thresholds
        enough = len(mentions) >= limits.minimum_mentions and minutes >= limits.minimum_minutes
        if enough and rate >= threshold and course.may_begin(at):
            return course.begin(at, severity, self._reading(rate, threshold, minutes))
        return None

    def _reading(self, rate: float, threshold: float, minutes: float) -> Reading:
        usual = self._definition.thresholds.usual_per_10_minutes
        times = count_of(len(self._mentions), "time", "times")
        return Reading(
            statistic=rate,
            threshold=threshold,
            baseline=usual,
            exposure_minutes=minutes,
            window_ms=self._window_ms,
            evidence=newest_ids(name for _, name in reversed(self._mentions)),
            explanation=(
                f"Competitors came up {times} in {minutes:.1f} minutes of customer talk: "
                f"{rate:.1f} per 10 minutes, where {usual:g} is usual and {threshold:.1f} is the limit."
            ),
        )


def critical_count(mean: float, tail: float) -> int:
    """Return the smallest n ≥ 1 with P(N ≥ n) < `tail` for N ~ Poisson(`mean`)."""
    if mean > _LARGE_MEAN:
        return ceil(mean + NormalDist().inv_cdf(1.0 - tail) * sqrt(mean))
    count, term = 1, exp(-mean)
    below = term
    while 1.0 - below >= tail and term > 0.0:
        term *= mean / count
        below += term
        count += 1
    return count


def detectors(thresholds: Thresholds) -> tuple[Detector, ...]:
    """Return the detector of this module."""
    return (CompetitorRate(thresholds.section("competitor_rate", CompetitorRateThresholds)),)
