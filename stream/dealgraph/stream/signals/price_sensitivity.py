"""R2 PRICE_SENSITIVITY: price takes over what the customer says while the mood falls.

Over a sliding window of the customer's talk in a session, looked at every `step`:

    p   share of talk about price: (price time + a·μ_p) / (time + a), a some pseudo-talk
    v   mean valence weighted by confidence, with pseudo-confidence at μ_v
    z   (p − μ_p)/σ_p and (v − μ_v)/σ_v against the session's own past (what has left the window and
        was not suspicious), shrunk towards prior moments with weight κ: at the start only these
    D   (z_price − z_valence)/√2,   Z = λD + (1−λ)Z,   level = Z / σ_Z

    on:  level ≥ L, z_price ≥ 2 and a falling slope of valence; L = 2 is MILD (INFO), L = 3 WARNING
    off: level < L/2 during a whole window, or no talk for one; then silent for the cool-down

σ_Z allows for the overlap of windows (`chart.ewma_spreads`). Source: signals.md S6 and R2. Customers
only; where emotion may not be inferred the slope is unknown and the rule stays silent.
"""

from collections import deque
from math import sqrt
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Severity, Side, SignalKind, Topic, topic_set
from dealgraph.stream.signals.chart import Baseline, Prior, ewma_spreads
from dealgraph.stream.signals.course import MINUTE, Course, Reading, newest_ids
from dealgraph.stream.signals.detector import Detector, Episode, Observed, Scope
from dealgraph.stream.signals.talk_window import Segment, TalkWindow, valence_slope
from dealgraph.stream.signals.thresholds import Count, Positive, Share, Thresholds, version_of

_PRICE: Final = topic_set(Topic.PRICE)
_CHART_MEMORY: Final = 64
"""Observations after which the spread of the chart no longer changes."""


class PriceSensitivityThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of R2. Levels are in standard deviations of the chart, valence is in [-1, 1]."""

    window_seconds: Positive
    step_seconds: Positive
    smoothing: Share
    mild_level: Positive
    high_level: Positive
    minimum_price_z: Positive
    minimum_price_segments: Count
    minimum_talk_seconds: Positive
    prior_price_share: Share
    prior_price_share_spread: Positive
    least_price_share_spread: Positive
    prior_valence: float
    prior_valence_spread: Positive
    least_valence_spread: Positive
    prior_weight: Positive
    pseudo_talk_seconds: Positive
    pseudo_confidence: Positive
    cool_down_minutes: Positive

    def share_prior(self) -> Prior:
        """Return the prior of the share of price talk."""
        return Prior(
            self.prior_price_share,
            self.prior_price_share_spread,
            self.least_price_share_spread,
            self.prior_weight,
        )

    def valence_prior(self) -> Prior:
        """Return the prior of the valence."""
        return Prior(
            self.prior_valence,
            self.prior_valence_spread,
            self.least_valence_spread,
            self.prior_weight,
        )


class PriceSensitivity:
    """Watches price talk and mood of a session."""

    rule = "R2"
    scope = Scope.SESSION
    topics = 0

    def __init__(self, thresholds: PriceSensitivityThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(1, thresholds)
        self.window_ms = round(thresholds.window_seconds * 1000)
        self.step_ms = round(thresholds.step_seconds * 1000)
        overlap = thresholds.window_seconds / thresholds.step_seconds
        self.spreads = ewma_spreads(thresholds.smoothing, overlap, _CHART_MEMORY)

    def watch(self) -> "PriceSensitivityWatch":
        """Start watching a session."""
        return PriceSensitivityWatch(self)


class Point(Struct, frozen=True, gc=False):
    """One look at the window."""

    share: float
    valence: float
    price_z: float
    level: float


class PriceSensitivityWatch:
    """The state of one session: the window, the baseline and the chart."""

    __slots__ = (
        "_calm_since",
        "_course",
        "_definition",
        "_ewma",
        "_looked_at",
        "_looks",
        "_past",
        "_seen",
        "_share",
        "_valence",
        "_window",
    )

    def __init__(self, definition: PriceSensitivity) -> None:
        self._definition = definition
        limits = definition.thresholds
        cool_down_ms = round(limits.cool_down_minutes * MINUTE)
        self._course = Course(SignalKind.PRICE_SENSITIVITY, cool_down_ms)
        self._window = TalkWindow()
        self._share = Baseline(limits.share_prior())
        self._valence = Baseline(limits.valence_prior())
        self._past: deque[tuple[int, float, float | None]] = deque()
        self._ewma = 0.0
        self._looks = 0
        self._looked_at: int | None = None
        self._calm_since: int | None = None
        self._seen = (-1, "")

    def observe(self, action: Observed) -> Episode | None:
        """Take the next action of the session."""
        if action.side is not Side.CUSTOMER or action.exposure_ms <= 0:
            return None
        at, talk = action.at, action.exposure_ms
        price = talk if action.topics & _PRICE else 0
        self._window.add(
            Segment(at, action.id, talk, price, action.valence, action.emotion_confidence)
        )
        looked_at = self._looked_at
        if looked_at is not None and at - looked_at < self._definition.step_ms:
            return None
        return self._look(at, looked_at)

    def _look(self, at: int, looked_at: int | None) -> Episode | None:
        window, definition = self._window, self._definition
        oldest = at - definition.window_ms
        window.forget(oldest)
        while self._past and self._past[0][0] <= oldest:
            _, share, valence = self._past.popleft()
            self._share.add(share)
            if valence is not None:
                self._valence.add(valence)
        self._looked_at = at
        silent = looked_at is not None and looked_at <= oldest
        if silent:  # the chart remembers talk that is over
            self._ewma, self._looks = 0.0, 0
        point, raw = self._measure()
        if silent and self._course.open:
            return self._end(at, point)
        if not self._course.open and point.level < definition.thresholds.mild_level:
            self._past.append((at, *raw))
        return self._judge(at, point)

    def _measure(self) -> tuple[Point, tuple[float, float | None]]:
        """Move the chart on by one look; return it with the raw share and valence of the window."""
        limits, share, valence = self._definition.thresholds, self._share, self._valence
        talk, price = self._window.talk_ms, self._window.price_ms
        sure, felt = self._window.mood()
        pseudo_talk = limits.pseudo_talk_seconds * 1000.0
        part = (price + pseudo_talk * share.mean) / (talk + pseudo_talk)
        mood = (felt + limits.pseudo_confidence * valence.mean) / (sure + limits.pseudo_confidence)
        price_z = (part - share.mean) / share.spread
        apart = (price_z - (mood - valence.mean) / valence.spread) / sqrt(2.0)
        self._ewma = limits.smoothing * apart + (1.0 - limits.smoothing) * self._ewma
        self._looks += 1
        spread = self._definition.spreads[min(self._looks, _CHART_MEMORY) - 1]
        raw = (price / talk, felt / sure if sure > 0.0 else None)
        return Point(price / talk, mood, price_z, self._ewma / spread), raw

    def _judge(self, at: int, point: Point) -> Episode | None:
        limits, course = self._definition.thresholds, self._course
        severity = Severity.WARNING if point.level >= limits.high_level else Severity.INFO
        if course.open:
            return self._go_on(at, point, severity)
        if point.level < limits.mild_level or point.price_z < limits.minimum_price_z:
            return None
        if not (
            course.may_begin(at) and self._enough() and valence_slope(self._window.segments) < 0.0
        ):
            return None
        self._calm_since = None
        reading = self._reading(point, severity)
        return course.begin(at, severity, reading)

    def _go_on(self, at: int, point: Point, severity: Severity) -> Episode | None:
        course = self._course
        if point.level < self._limit(course.severity) / 2.0:
            if self._calm_since is None:
                self._calm_since = at
            calm = at - self._calm_since >= self._definition.window_ms
            return self._end(at, point) if calm else None
        self._calm_since = None
        seen = self._seen
        newer = any(part.price_ms and (part.at, part.id) > seen for part in self._window.segments)
        if not newer and severity <= course.severity:
            return None
        return course.go_on(at, severity, self._reading(point, max(severity, course.severity)))

    def _end(self, at: int, point: Point) -> Episode:
        return self._course.end(at, self._reading(point, self._course.severity))

    def _enough(self) -> bool:
        limits = self._definition.thresholds
        prices = sum(1 for segment in self._window.segments if segment.price_ms)
        long = self._window.talk_ms >= limits.minimum_talk_seconds * 1000.0
        return long and prices >= limits.minimum_price_segments

    def _limit(self, severity: Severity) -> float:
        limits = self._definition.thresholds
        return limits.mild_level if severity is Severity.INFO else limits.high_level

    def _reading(self, point: Point, severity: Severity) -> Reading:
        window, share, valence = self._window, self._share.mean, self._valence.mean
        prices = [segment for segment in reversed(window.segments) if segment.price_ms]
        if prices:
            self._seen = prices[0].at, prices[0].id
        minutes = self._definition.window_ms / MINUTE
        return Reading(
            statistic=point.level,
            threshold=self._limit(severity),
            baseline=share,
            exposure_minutes=window.talk_ms / MINUTE,
            window_ms=self._definition.window_ms,
            evidence=newest_ids(segment.id for segment in prices),
            explanation=(
                f"Price took {point.share:.0%} of the customer's talk in the last {minutes:g} minutes "
                f"({share:.0%} is usual here); the mood was {point.valence:+.2f} "
                f"({valence:+.2f} is usual, from -1 to 1)."
            ),
        )


def detectors(thresholds: Thresholds) -> tuple[Detector, ...]:
    """Return the detector of this module."""
    return (PriceSensitivity(thresholds.section("price_sensitivity", PriceSensitivityThresholds)),)
