"""S6 PRICE_EMOTION_DIVERGENCE: over several conversations price takes over while the mood falls.

A look is the customer's talk whose mood may be inferred, sitting by sitting (talk with no break of
`break_minutes`), joined until there are two minutes of it. Each look moves an EWMA chart of the divergence
D = (z_price − z_valence)/√2 (`divergence_chart.py` has the formulas); its level is in spreads of the chart.

    on:  level ≥ L, z_price ≥ 2 in this look and in another of the last five, and valence falls over them;
         L = 2 is MILD (recorded), L = 3 is pushed
    off: level < L/2 for the whole calm time; then silent for the gap

One conversation alone raises nothing: R2 tells of that. The least effect is the lasting D that brings the
expected level to L = 2 within as many looks as the last four weeks had. Source: signals.md S6.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import (
    ActionKind,
    Level,
    Polarity,
    Severity,
    SignalKind,
    Topic,
    topic_set,
)
from dealgraph.stream.signals.calm import Calm
from dealgraph.stream.signals.chart import Prior
from dealgraph.stream.signals.course import DAY, HOUR, MAX_EVIDENCE, MINUTE, Course, Form, Reading
from dealgraph.stream.signals.detector import (
    NEVER,
    NOTHING,
    Detector,
    Episode,
    Observed,
    Scope,
    State,
)
from dealgraph.stream.signals.divergence_chart import (
    RECENT_LOOKS,
    ChartLimits,
    DivergenceChart,
    Talk,
    falls,
)
from dealgraph.stream.signals.gauge import Gauge
from dealgraph.stream.signals.talk import is_customer_talk
from dealgraph.stream.signals.thresholds import Count, Positive, Share, Thresholds, version_of
from dealgraph.stream.stages import CLOSED

_PRICE: Final = topic_set(Topic.PRICE)


class PriceEmotionDivergenceThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of S6. Levels are in spreads of the chart, valence is in [-1, 1], weights in looks."""

    smoothing: Share
    mild_level: Positive
    high_level: Positive
    critical_level: Positive
    minimum_price_z: Positive
    minimum_price_looks: Count
    minimum_talk_minutes: Positive
    usual_talk_minutes: Positive
    break_minutes: Positive
    guard_days: Positive
    calm_days: Positive
    gap_hours: Positive
    prior_price_share: Share
    prior_price_share_spread: Positive
    least_price_share_spread: Positive
    prior_valence: float
    prior_valence_spread: Positive
    least_valence_spread: Positive
    prior_weight: Positive

    def limits(self) -> ChartLimits:
        """Return the settings of the chart."""
        share = Prior(
            self.prior_price_share,
            self.prior_price_share_spread,
            self.least_price_share_spread,
            self.prior_weight,
        )
        valence = Prior(
            self.prior_valence,
            self.prior_valence_spread,
            self.least_valence_spread,
            self.prior_weight,
        )
        guard_ms = round(self.guard_days * DAY)
        return ChartLimits(self.smoothing, share, valence, self.usual_talk_minutes, guard_ms)


class DivergenceState(State):
    """The chart, the talk of the next look, when its sitting ends, and the newest words about price."""

    chart: DivergenceChart = field(default_factory=DivergenceChart)
    talk: Talk = field(default_factory=Talk)
    sitting_ends: int = NEVER
    prices: list[str] = field(default_factory=list)
    calm: Calm = field(default_factory=Calm)
    course: Course = field(default_factory=Course)


class PriceEmotionDivergence:
    """Watches price talk and mood of an opportunity from conversation to conversation."""

    rule = "S6"
    scope = Scope.OPPORTUNITY
    topics = 0

    def __init__(self, thresholds: PriceEmotionDivergenceThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(1, thresholds)
        self.limits = thresholds.limits()
        self.least_ms = round(thresholds.minimum_talk_minutes * MINUTE)
        self.break_ms = round(thresholds.break_minutes * MINUTE)
        self.calm_ms = round(thresholds.calm_days * DAY)
        gap_ms = round(thresholds.gap_hours * HOUR)
        kind = SignalKind.PRICE_EMOTION_DIVERGENCE
        self.form = Form(kind, gap_ms, polarity=Polarity.NEGATIVE)

    def begin(self) -> DivergenceState:
        """Start watching an opportunity."""
        return DivergenceState()

    def observe(self, state: DivergenceState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the opportunity."""
        if action.kind is ActionKind.STAGE_CHANGE:
            return self._close(state, action.at) if action.stage in CLOSED else NOTHING
        if not _is_felt(action):
            return NOTHING
        _add(state.talk, action)
        if action.topics & _PRICE:
            state.prices = [*state.prices[1 - MAX_EVIDENCE :], action.id]
        state.sitting_ends = action.at + self.break_ms
        state.due = min(state.sitting_ends, state.calm.ends(self.calm_ms))
        return NOTHING

    def wake(self, state: DivergenceState, at: int) -> Sequence[Episode]:
        """Look at the sitting that is over, and end the episode when it has been calm for long."""
        found: list[Episode] = []
        if state.sitting_ends <= at:
            state.sitting_ends = NEVER
            if state.talk.talk_ms >= self.least_ms:
                found += self._look(state, at)
        if state.calm.ends(self.calm_ms) <= at:
            found.append(self._end(state, at))
        state.due = min(state.sitting_ends, state.calm.ends(self.calm_ms))
        return found

    def gauge(self, state: DivergenceState, form: str, at: int) -> Gauge | None:
        """Return the level of the chart as the last look left it, None before the first."""
        if not state.chart.recent:
            return None
        return Gauge(state.chart.level(self.limits), self.thresholds.mild_level)

    def _look(self, state: DivergenceState, at: int) -> Sequence[Episode]:
        """Move the chart on by a look; say what that changes."""
        chart, course, limits = state.chart, state.course, self.thresholds
        chart.look(at, state.talk, self.limits)
        state.talk = Talk()
        level = chart.level(self.limits)
        if not course.open and level < limits.mild_level:
            chart.keep()
            return NOTHING
        pushed = level >= limits.high_level
        reached = Level.PUSHED if pushed else Level.RECORDED
        severity = Severity.WARNING if pushed else Severity.INFO
        if level >= limits.critical_level:
            severity = Severity.CRITICAL
        if course.open:
            state.calm.note(at, low=level < self._limit(course.level) / 2.0)
            grown = reached > course.level or severity > course.severity
            if not (grown or chart.recent[-1].share > 0.0):
                return NOTHING
            reading = self._reading(state, max(reached, course.level))
            return (course.go_on(self.form, at, severity, reading, reached),)
        if not self._diverges(chart) or not course.may_begin(self.form, at):
            return NOTHING
        return (course.begin(self.form, at, severity, self._reading(state, reached), reached),)

    def _diverges(self, chart: DivergenceChart) -> bool:
        looks, limits = chart.recent[-RECENT_LOOKS:], self.thresholds
        dear = sum(look.price_z >= limits.minimum_price_z for look in looks)
        if looks[-1].price_z < limits.minimum_price_z or dear < limits.minimum_price_looks:
            return False
        return falls(looks)

    def _limit(self, level: Level) -> float:
        limits = self.thresholds
        return limits.high_level if level is Level.PUSHED else limits.mild_level

    def _end(self, state: DivergenceState, at: int) -> Episode:
        state.calm.since = None
        course = state.course
        return course.end(self.form, at, self._reading(state, course.level))

    def _close(self, state: DivergenceState, at: int) -> Sequence[Episode]:
        """Forget the talk that goes on: the deal is closed."""
        ended = (self._end(state, at),) if state.course.open else NOTHING
        state.talk, state.prices = Talk(), []
        state.sitting_ends = state.due = NEVER
        return ended

    def _reading(self, state: DivergenceState, level: Level) -> Reading:
        chart = state.chart
        looks, (share, valence) = chart.recent[-RECENT_LOOKS:], chart.baselines(self.limits)
        last = looks[-1]
        return Reading(
            statistic=chart.level(self.limits),
            threshold=self._limit(level),
            baseline=share.mean,
            exposure_minutes=sum(look.minutes for look in looks),
            window_ms=last.at - looks[0].at,
            evidence=tuple(state.prices),
            explanation=(
                f"Price took {last.share:.0%} of the customer's talk last time ({share.mean:.0%} is usual "
                f"in this deal), and the mood was {last.valence:+.2f} ({valence.mean:+.2f} is usual, from "
                f"-1 to 1)."
            ),
            minimum_effect=chart.least_effect(self.thresholds.mild_level, self.limits),
        )


def moments(
    actions: Iterable[Observed], thresholds: PriceEmotionDivergenceThresholds
) -> list[tuple[float, float]]:
    """Return what a history adds to the priors: share of price and mean valence of each look."""
    least_ms = thresholds.minimum_talk_minutes * MINUTE
    break_ms = thresholds.break_minutes * MINUTE
    looks, talk, last = [], Talk(), 0
    for action in filter(_is_felt, actions):
        if action.at - last >= break_ms and talk.talk_ms >= least_ms:
            looks.append((talk.share, talk.valence))
            talk = Talk()
        _add(talk, action)
        last = action.at
    if talk.talk_ms >= least_ms:
        looks.append((talk.share, talk.valence))
    return looks


def _is_felt(action: Observed) -> bool:
    return (
        action.emotion_confidence > 0.0 and is_customer_talk(action) and action.stage not in CLOSED
    )


def _add(talk: Talk, action: Observed) -> None:
    talk.talk_ms += action.exposure_ms
    if action.topics & _PRICE:
        talk.price_ms += action.exposure_ms
    talk.sure += action.emotion_confidence
    talk.felt += action.emotion_confidence * action.valence


def detectors(thresholds: Thresholds) -> tuple[Detector[DivergenceState], ...]:
    """Return the detector of this module."""
    section = thresholds.section("price_emotion_divergence", PriceEmotionDivergenceThresholds)
    return (PriceEmotionDivergence(section),)
