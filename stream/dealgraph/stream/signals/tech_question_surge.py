"""S1 TECH_QUESTION_SURGE: the customer's technical people ask more than they used to.

Per sitting of the opportunity (customer talk with no break of `break_minutes`):

    n  questions of people with role TECH_LEAD or ENGINEER that the tagger is sure of (≥ `confidence`)
    E  minutes of customer talk, of all roles and of unmapped speakers
    C  the Poisson CUSUM of n in E against the rate usual in this deal, for a rate ρ = 2 times that
       (`rate_chart.py` has the formula and how the usual rate is learnt)

    on:  C ≥ 3 recorded, C ≥ 5 pushed, with ≥ 5 questions and ≥ 10 minutes since C left 0
    off: C below half its threshold for the whole memory of 7 days; then silent for the gap

Source: signals.md S1 and B4. Silence costs nothing and proves nothing: C moves with talk, not with time.
What is found is told when the sitting is over, for within it C goes up and down with every question.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final, TypeVar

from msgspec import Meta, Struct, field

from dealgraph.graph.model import ActionKind, Level, Polarity, Role, Severity, SignalKind, Stage
from dealgraph.stream.signals.calm import Calm
from dealgraph.stream.signals.course import (
    DAY,
    HOUR,
    MAX_EVIDENCE,
    MINUTE,
    Course,
    Form,
    Reading,
    count_of,
    day_of,
)
from dealgraph.stream.signals.detector import (
    NEVER,
    NOTHING,
    Detector,
    Episode,
    Observed,
    Scope,
    State,
)
from dealgraph.stream.signals.gauge import Gauge
from dealgraph.stream.signals.rate_chart import RateChart, RateLimits, Sitting
from dealgraph.stream.signals.talk import is_customer_talk
from dealgraph.stream.signals.thresholds import Count, Positive, Share, Thresholds, version_of
from dealgraph.stream.stages import CLOSED

_Value = TypeVar("_Value")

_TECHNICAL: Final = frozenset({Role.TECH_LEAD, Role.ENGINEER})


class TechQuestionSurgeThresholds(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Thresholds of S1. Levels are values of C; `prior_weight` is worth that many questions.

    `usual` holds, by segment and stage, the questions per minute where they differ from
    `prior_rate_per_minute`; "" stands for all segments, and for all stages.
    """

    ratio: Annotated[float, Meta(gt=1)]
    recorded_level: Positive
    pushed_level: Positive
    critical_level: Positive
    minimum_questions: Count
    minimum_minutes: Positive
    confidence: Share
    break_minutes: Positive
    memory_days: Count
    gap_hours: Positive
    prior_rate_per_minute: Positive
    prior_weight: Positive
    usual: dict[str, dict[str, Positive]] = {}

    def rate(self, segment: str, stage: str = "") -> float:
        """Return the usual questions per minute of customer talk; `stage` by name, "" for all stages."""
        of_all = self.usual.get("", {})
        rates = self.usual.get(segment, of_all)
        return rates.get(stage) or rates.get("") or self.prior_rate_per_minute

    def weights(self, segment: str) -> dict[Stage, float]:
        """Return how many times the usual questions of a segment are usual at a stage, where it differs."""
        usual = self.rate(segment)
        weights = {stage: self.rate(segment, stage.name) / usual for stage in Stage}
        return {stage: weight for stage, weight in weights.items() if weight != 1.0}

    def limits(self, segment: str = "") -> RateLimits:
        """Return the settings of the chart for a segment."""
        return RateLimits(
            self.ratio,
            self.rate(segment),
            self.prior_weight,
            self.memory_days,
            self.critical_level,
        )


class SurgeState(State):
    """The chart, the sitting that goes on, and the newest questions since C left 0.

    `calm` is whether C has been low in an open episode, `stage` and `segment` are those of the newest talk.
    """

    chart: RateChart = field(default_factory=RateChart)
    sitting: Sitting = field(default_factory=Sitting)
    asked: list[str] = field(default_factory=list)
    stage: Stage = Stage.UNKNOWN
    segment: str = ""
    calm: Calm = field(default_factory=Calm)
    positive: bool = False
    course: Course = field(default_factory=Course)


class TechQuestionSurge:
    """Watches how often the customer's technical people ask."""

    rule = "S1"
    scope = Scope.OPPORTUNITY
    topics = 0

    def __init__(self, thresholds: TechQuestionSurgeThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(1, thresholds)
        segments = {"", *thresholds.usual}
        self._limits = {segment: thresholds.limits(segment) for segment in segments}
        self._weights = {segment: thresholds.weights(segment) for segment in segments}
        self.break_ms = round(thresholds.break_minutes * MINUTE)
        self.memory_ms = thresholds.memory_days * DAY
        gap_ms = round(thresholds.gap_hours * HOUR)
        kind = SignalKind.TECH_QUESTION_SURGE
        self.neutral = Form(kind, gap_ms)
        self.positive = Form(kind, gap_ms, polarity=Polarity.POSITIVE)

    def begin(self) -> SurgeState:
        """Start watching an opportunity."""
        return SurgeState()

    def observe(self, state: SurgeState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the opportunity."""
        if action.kind is ActionKind.STAGE_CHANGE:
            return self._close(state, action.at) if action.stage in CLOSED else NOTHING
        if not is_customer_talk(action) or action.stage in CLOSED:
            return NOTHING
        sitting = state.sitting
        weight = _of_segment(self._weights, action.segment).get(action.stage, 1.0)
        sitting.add(action.at, action.exposure_ms, self.break_ms, weight)
        state.stage, state.segment = action.stage, action.segment
        if is_technical_question(action, self.thresholds.confidence):
            sitting.count += 1
            state.asked = [*state.asked[1 - MAX_EVIDENCE :], action.id]
        state.due = min(sitting.ends, state.calm.ends(self.memory_ms))
        return NOTHING

    def wake(self, state: SurgeState, at: int) -> Sequence[Episode]:
        """Judge the sitting that is over, and end the episode when C has been low for long."""
        found: list[Episode] = []
        if state.sitting.ends <= at:
            found += self._judge(state, at)
        if state.calm.ends(self.memory_ms) <= at:
            found.append(self._end(state, at))
        state.due = min(state.sitting.ends, state.calm.ends(self.memory_ms))
        return found

    def gauge(self, state: SurgeState, form: str, at: int) -> Gauge:
        """Return C as the last sitting left it."""
        return Gauge(state.chart.level, self.thresholds.recorded_level)

    def _judge(self, state: SurgeState, at: int) -> Sequence[Episode]:
        """Move the chart on by the sitting that is over; say what that changes."""
        chart, course, limits = state.chart, state.course, self.thresholds
        chart.move(state.sitting, _of_segment(self._limits, state.segment))
        state.sitting.ends = NEVER
        if chart.level <= 0.0 and not course.open:
            state.asked = []
        pushed = chart.level >= limits.pushed_level
        reached = Level.PUSHED if pushed else Level.RECORDED
        severity = Severity.WARNING if pushed else Severity.INFO
        if chart.level >= limits.critical_level:
            severity = Severity.CRITICAL
        if course.open:
            state.calm.note(at, low=chart.level < self._limit(course.level) / 2.0)
            grown = reached > course.level or severity > course.severity
            if not (grown or state.sitting.count):
                return NOTHING
            reading = self._reading(state, max(reached, course.level), at)
            return (course.go_on(self._form(state), at, severity, reading, reached),)
        if chart.level < limits.recorded_level or not self._enough(chart):
            return NOTHING
        if not course.may_begin(self.neutral, at):
            return NOTHING
        state.positive = state.stage >= Stage.DEMO
        reading = self._reading(state, reached, at)
        return (course.begin(self._form(state), at, severity, reading, reached),)

    def _enough(self, chart: RateChart) -> bool:
        limits = self.thresholds
        return chart.count >= limits.minimum_questions and chart.minutes >= limits.minimum_minutes

    def _limit(self, level: Level) -> float:
        limits = self.thresholds
        return limits.pushed_level if level is Level.PUSHED else limits.recorded_level

    def _form(self, state: SurgeState) -> Form:
        return self.positive if state.positive else self.neutral

    def _end(self, state: SurgeState, at: int) -> Episode:
        state.calm.since = None
        course = state.course
        return course.end(self._form(state), at, self._reading(state, course.level, at))

    def _close(self, state: SurgeState, at: int) -> Sequence[Episode]:
        """Forget what goes on: the deal is closed."""
        ended = (self._end(state, at),) if state.course.open else NOTHING
        state.chart.level, state.asked = 0.0, []
        state.sitting.ends = state.due = NEVER
        return ended

    def _reading(self, state: SurgeState, level: Level, at: int) -> Reading:
        chart = state.chart
        asked = count_of(chart.count, "question", "questions")
        talk = count_of(round(chart.minutes), "minute", "minutes")
        charted = _of_segment(self._limits, state.segment)
        return Reading(
            statistic=chart.level,
            threshold=self._limit(level),
            baseline=chart.usual_rate,
            exposure_minutes=chart.minutes,
            window_ms=at - chart.since,
            evidence=tuple(state.asked),
            explanation=(
                f"The customer's technical people asked {asked} in {talk} of customer talk since "
                f"{day_of(chart.since)}; {chart.expected:.1f} are usual in this deal."
            ),
            minimum_effect=chart.least_ratio(self.thresholds.recorded_level, charted, at),
        )


def moments(
    actions: Iterable[Observed], thresholds: TechQuestionSurgeThresholds
) -> dict[Stage, tuple[float, float]]:
    """Return what a history shows by stage: questions that count, minutes of customer talk."""
    found: dict[Stage, tuple[float, float]] = {}
    for action in actions:
        if is_customer_talk(action) and action.stage not in CLOSED:
            questions, minutes = found.get(action.stage, (0.0, 0.0))
            questions += is_technical_question(action, thresholds.confidence)
            found[action.stage] = (questions, minutes + action.exposure_ms / MINUTE)
    return found


def _of_segment(values: Mapping[str, _Value], segment: str) -> _Value:
    """Return what holds for a segment: the value of all segments for one that has none of its own."""
    return values[segment] if segment in values else values[""]


def is_technical_question(action: Observed, confidence: float) -> bool:
    """Say whether a technical person of the customer asks, as sure as `confidence`."""
    return (
        action.kind is ActionKind.QUESTION
        and action.role in _TECHNICAL
        and action.confidence >= confidence
    )


def detectors(thresholds: Thresholds) -> tuple[Detector[SurgeState], ...]:
    """Return the detector of this module."""
    section = thresholds.section("tech_question_surge", TechQuestionSurgeThresholds)
    return (TechQuestionSurge(section),)
