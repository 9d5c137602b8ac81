"""R1 COMPETITOR_RATE: competitors come up in a session more often than usual.

    E    minutes of observed talk of the customer (and of speakers nobody mapped) in the window
    N    actions among it that mention a competitor
    rate r = 10·N / E                                  per 10 customer minutes
    n*   smallest n ≥ minimum with P(Poisson(λ₀·E) ≥ n) < α,  λ₀ the usual rate
    h(E) = min(team limit, 10·n* / E)                  the rate that raises, given this much talk

    on:  N ≥ minimum, E ≥ minimum, r ≥ h        off: r ≤ h/2        then silent for the cool-down

Source: signals.md R1 (Poisson tail p < 0.01 or above the team's limit). The rep's own mentions do not
count: the hint is about what moves the customer. An early mention goes with deals that are won (Gong
Labs: +49 %), so before a proposal it is no risk: INFO, polarity NEUTRAL; late and at twice the
threshold it is CRITICAL. At an unknown stage it is a WARNING. A rate is judged only when a competitor is
mentioned, and falls with any talk of the customer.
"""

from collections.abc import Iterable, Sequence
from math import ceil, exp, sqrt
from statistics import NormalDist
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import Polarity, Severity, Side, SignalKind, Stage, Topic, topic_set
from dealgraph.stream.signals.course import MINUTE, Course, Form, Reading, count_of, newest_ids
from dealgraph.stream.signals.detector import (
    NEVER,
    NOTHING,
    Detector,
    Episode,
    Observed,
    Scope,
)
from dealgraph.stream.signals.teams import HintState, by_team
from dealgraph.stream.signals.thresholds import Count, Positive, Share, Thresholds, version_of
from dealgraph.stream.stages import stage_set

_COMPETITOR: Final = topic_set(Topic.COMPETITOR)
_MAX_ACTIONS: Final = 512
"""Actions kept of a window; beyond that the oldest are forgotten early."""

_LARGE_MEAN: Final = 500.0
"""From here on exp(-mean) nears zero, and the normal distribution is close enough."""


class CompetitorRateThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of R1. Stages by the names of `graph.model.Stage`."""

    window_minutes: Positive
    minimum_mentions: Count
    minimum_minutes: Positive
    usual_per_10_minutes: Positive
    tail_probability: Share
    limit_per_10_minutes: Positive
    cool_down_minutes: Positive
    early_stages: tuple[str, ...]
    late_stages: tuple[str, ...]


class RateState(HintState):
    """The talk of the window as (at, exposure), and the mentions in it as (at, id)."""

    talk: list[tuple[int, int]] = field(default_factory=list)
    exposure_ms: int = 0
    mentions: list[tuple[int, str]] = field(default_factory=list)
    course: Course = field(default_factory=Course)


class CompetitorRate:
    """Watches how often competitors come up in a session."""

    rule = "R1"
    scope = Scope.SESSION
    topics = 0

    def __init__(self, thresholds: CompetitorRateThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(3, thresholds)
        self.window_ms = round(thresholds.window_minutes * MINUTE)
        cool_down_ms = round(thresholds.cool_down_minutes * MINUTE)
        kind = SignalKind.COMPETITOR_RATE
        self.early_form = Form(kind, cool_down_ms, polarity=Polarity.NEUTRAL)
        self.late_form = Form(kind, cool_down_ms, polarity=Polarity.NEGATIVE)
        self.early = stage_set(thresholds.early_stages)
        self.late = stage_set(thresholds.late_stages)

    def begin(self) -> RateState:
        """Start watching a session."""
        return RateState()

    def raising_rate(self, minutes: float) -> float:
        """Return h(E): the rate per 10 minutes that raises, given `minutes` of talk."""
        limits = self.thresholds
        usual = limits.usual_per_10_minutes / 10.0 * minutes
        critical = max(critical_count(usual, limits.tail_probability), limits.minimum_mentions)
        return min(limits.limit_per_10_minutes, 10.0 * critical / minutes)

    def severity(self, stage: Stage, rate: float, threshold: float) -> Severity:
        """Return how much a rate matters at a stage; an unknown stage is neutral."""
        if stage in self.early:
            return Severity.INFO
        if stage in self.late and rate >= 2.0 * threshold:
            return Severity.CRITICAL
        return Severity.WARNING

    def observe(self, state: RateState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the session."""
        side = action.side
        if side is Side.REP or side is Side.SYSTEM:
            return NOTHING
        at, exposure = action.at, action.exposure_ms
        talk = state.talk
        talk.append((at, exposure))
        state.exposure_ms += exposure
        oldest = at - self.window_ms
        while talk[0][0] <= oldest or len(talk) > _MAX_ACTIONS:
            state.exposure_ms -= talk.pop(0)[1]
        if action.topics & _COMPETITOR:
            state.mentions.append((at, action.id))
            del state.mentions[:-_MAX_ACTIONS]
            return self._judge(state, action, mentioned=True)
        return self._judge(state, action, mentioned=False) if state.course.open else NOTHING

    def wake(self, state: RateState, at: int) -> Sequence[Episode]:
        """Nothing happens with time alone."""
        state.due = NEVER
        return NOTHING

    def _judge(self, state: RateState, action: Observed, *, mentioned: bool) -> Sequence[Episode]:
        at, mentions, course = action.at, state.mentions, state.course
        form = self.early_form if action.stage in self.early else self.late_form
        while mentions and mentions[0][0] <= at - self.window_ms:
            mentions.pop(0)
        minutes = state.exposure_ms / MINUTE
        rate, threshold = 0.0, self.thresholds.limit_per_10_minutes
        if minutes > 0.0:
            rate = 10.0 * len(mentions) / minutes
            threshold = self.raising_rate(minutes)
        if course.open and rate <= threshold / 2.0:
            return (course.end(form, at, self._reading(mentions, rate, threshold, minutes)),)
        if not mentioned:
            return NOTHING
        severity = self.severity(action.stage, rate, threshold)
        if course.open:
            reading = self._reading(mentions, rate, threshold, minutes)
            return (course.go_on(form, at, severity, reading),)
        limits = self.thresholds
        enough = len(mentions) >= limits.minimum_mentions and minutes >= limits.minimum_minutes
        if enough and rate >= threshold and course.may_begin(form, at):
            reading = self._reading(mentions, rate, threshold, minutes)
            return (course.begin(form, at, severity, reading),)
        return NOTHING

    def _reading(
        self, mentions: Sequence[tuple[int, str]], rate: float, threshold: float, minutes: float
    ) -> Reading:
        usual = self.thresholds.usual_per_10_minutes
        times = count_of(len(mentions), "time", "times")
        return Reading(
            statistic=rate,
            threshold=threshold,
            baseline=usual,
            exposure_minutes=minutes,
            window_ms=self.window_ms,
            evidence=newest_ids(name for _, name in reversed(mentions)),
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


def moments(actions: Iterable[Observed]) -> tuple[int, float]:
    """Return what a history adds to the usual rate: mentions that count, minutes of talk in sessions."""
    mentions, talk_ms = 0, 0
    for action in actions:
        if action.session and action.side in (Side.CUSTOMER, Side.UNKNOWN):
            talk_ms += action.exposure_ms
            mentions += action.topics & _COMPETITOR != 0
    return mentions, talk_ms / MINUTE


def detectors(thresholds: Thresholds) -> tuple[Detector[RateState], ...]:
    """Return the detector of this module."""
    return (by_team(thresholds, "competitor_rate", CompetitorRateThresholds, CompetitorRate),)
