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

from collections.abc import Sequence
from math import sqrt
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import Polarity, Severity, Side, SignalKind, Topic, topic_set
from dealgraph.stream.signals.chart import Baseline, Prior, ewma_spreads
from dealgraph.stream.signals.course import MINUTE, Course, Form, Reading, newest_ids
from dealgraph.stream.signals.detector import (
    NEVER,
    NOTHING,
    Detector,
    Episode,
    Observed,
    Scope,
)
from dealgraph.stream.signals.talk_window import Segment, TalkWindow, valence_slope
from dealgraph.stream.signals.teams import HintState, by_team
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


class Point(Struct, frozen=True, gc=False):
    """One look at the window."""

    share: float
    valence: float
    price_z: float
    level: float


class MoodState(HintState):
    """The window, what is usual, and the chart. `past` holds looks (at, share, valence) not yet usual."""

    share: Baseline | None = None
    valence: Baseline | None = None
    window: TalkWindow = field(default_factory=TalkWindow)
    past: list[tuple[int, float, float | None]] = field(default_factory=list)
    ewma: float = 0.0
    looks: int = 0
    looked_at: int | None = None
    calm_since: int | None = None
    seen: tuple[int, str] = (-1, "")
    course: Course = field(default_factory=Course)


class PriceSensitivity:
    """Watches price talk and mood of a session."""

    rule = "R2"
    scope = Scope.SESSION
    topics = 0

    def __init__(self, thresholds: PriceSensitivityThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(2, thresholds)
        self.window_ms = round(thresholds.window_seconds * 1000)
        self.step_ms = round(thresholds.step_seconds * 1000)
        overlap = thresholds.window_seconds / thresholds.step_seconds
        self.spreads = ewma_spreads(thresholds.smoothing, overlap, _CHART_MEMORY)
        cool_down_ms = round(thresholds.cool_down_minutes * MINUTE)
        self.form = Form(SignalKind.PRICE_SENSITIVITY, cool_down_ms, polarity=Polarity.NEGATIVE)
        self.share_prior = thresholds.share_prior()
        self.valence_prior = thresholds.valence_prior()
        self.usual_share = Baseline.of(self.share_prior)
        self.usual_valence = Baseline.of(self.valence_prior)

    def begin(self) -> MoodState:
        """Start watching a session."""
        return MoodState()

    def observe(self, state: MoodState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the session."""
        if action.side is not Side.CUSTOMER or action.exposure_ms <= 0:
            return NOTHING
        at, talk = action.at, action.exposure_ms
        price = talk if action.topics & _PRICE else 0
        state.window.add(
            Segment(at, action.id, talk, price, action.valence, action.emotion_confidence)
        )
        looked_at = state.looked_at
        if looked_at is not None and at - looked_at < self.step_ms:
            return NOTHING
        return self._look(state, at, looked_at)

    def wake(self, state: MoodState, at: int) -> Sequence[Episode]:
        """Nothing happens with time alone."""
        state.due = NEVER
        return NOTHING

    def _look(self, state: MoodState, at: int, looked_at: int | None) -> Sequence[Episode]:
        oldest = at - self.window_ms
        state.window.forget(oldest)
        while state.past and state.past[0][0] <= oldest:
            _, share, valence = state.past.pop(0)
            state.share = self._share(state).with_value(share, self.share_prior)
            if valence is not None:
                state.valence = self._valence(state).with_value(valence, self.valence_prior)
        state.looked_at = at
        silent = looked_at is not None and looked_at <= oldest
        if silent:  # the chart remembers talk that is over
            state.ewma, state.looks = 0.0, 0
        point, raw = self._measure(state)
        if silent and state.course.open:
            return (self._end(state, at, point),)
        if not state.course.open and point.level < self.thresholds.mild_level:
            state.past.append((at, *raw))
        return self._judge(state, at, point)

    def _share(self, state: MoodState) -> Baseline:
        return state.share or self.usual_share

    def _valence(self, state: MoodState) -> Baseline:
        return state.valence or self.usual_valence

    def _measure(self, state: MoodState) -> tuple[Point, tuple[float, float | None]]:
        """Move the chart on by one look; return it with the raw share and valence of the window."""
        limits, share, valence = self.thresholds, self._share(state), self._valence(state)
        talk, price = state.window.talk_ms, state.window.price_ms
        sure, felt = state.window.mood()
        pseudo_talk = limits.pseudo_talk_seconds * 1000.0
        part = (price + pseudo_talk * share.mean) / (talk + pseudo_talk)
        mood = (felt + limits.pseudo_confidence * valence.mean) / (sure + limits.pseudo_confidence)
        price_z = (part - share.mean) / share.spread
        apart = (price_z - (mood - valence.mean) / valence.spread) / sqrt(2.0)
        state.ewma = limits.smoothing * apart + (1.0 - limits.smoothing) * state.ewma
        state.looks += 1
        spread = self.spreads[min(state.looks, _CHART_MEMORY) - 1]
        raw = (price / talk, felt / sure if sure > 0.0 else None)
        return Point(price / talk, mood, price_z, state.ewma / spread), raw

    def _judge(self, state: MoodState, at: int, point: Point) -> Sequence[Episode]:
        limits, course = self.thresholds, state.course
        severity = Severity.WARNING if point.level >= limits.high_level else Severity.INFO
        if course.open:
            return self._go_on(state, at, point, severity)
        if point.level < limits.mild_level or point.price_z < limits.minimum_price_z:
            return NOTHING
        if not (
            course.may_begin(self.form, at)
            and self._enough(state.window)
            and valence_slope(state.window.segments) < 0.0
        ):
            return NOTHING
        state.calm_since = None
        return (course.begin(self.form, at, severity, self._reading(state, point, severity)),)

    def _go_on(
        self, state: MoodState, at: int, point: Point, severity: Severity
    ) -> Sequence[Episode]:
        course = state.course
        if point.level < self._limit(course.severity) / 2.0:
            if state.calm_since is None:
                state.calm_since = at
            calm = at - state.calm_since >= self.window_ms
            return (self._end(state, at, point),) if calm else NOTHING
        state.calm_since = None
        seen = state.seen
        newer = any(part.price_ms and (part.at, part.id) > seen for part in state.window.segments)
        if not newer and severity <= course.severity:
            return NOTHING
        reading = self._reading(state, point, max(severity, course.severity))
        return (course.go_on(self.form, at, severity, reading),)

    def _end(self, state: MoodState, at: int, point: Point) -> Episode:
        reading = self._reading(state, point, state.course.severity)
        return state.course.end(self.form, at, reading)

    def _enough(self, window: TalkWindow) -> bool:
        limits = self.thresholds
        prices = sum(1 for segment in window.segments if segment.price_ms)
        long = window.talk_ms >= limits.minimum_talk_seconds * 1000.0
        return long and prices >= limits.minimum_price_segments

    def _limit(self, severity: Severity) -> float:
        limits = self.thresholds
        return limits.mild_level if severity is Severity.INFO else limits.high_level

    def _reading(self, state: MoodState, point: Point, severity: Severity) -> Reading:
        window, share, valence = state.window, self._share(state).mean, self._valence(state).mean
        prices = [segment for segment in reversed(window.segments) if segment.price_ms]
        if prices:
            state.seen = prices[0].at, prices[0].id
        minutes = self.window_ms / MINUTE
        return Reading(
            statistic=point.level,
            threshold=self._limit(severity),
            baseline=share,
            exposure_minutes=window.talk_ms / MINUTE,
            window_ms=self.window_ms,
            evidence=newest_ids(segment.id for segment in prices),
            explanation=(
                f"Price took {point.share:.0%} of the customer's talk in the last {minutes:g} minutes "
                f"({share:.0%} is usual here); the mood was {point.valence:+.2f} "
                f"({valence:+.2f} is usual, from -1 to 1)."
            ),
        )


def detectors(thresholds: Thresholds) -> tuple[Detector[MoodState], ...]:
    """Return the detector of this module."""
    return (by_team(thresholds, "price_sensitivity", PriceSensitivityThresholds, PriceSensitivity),)
