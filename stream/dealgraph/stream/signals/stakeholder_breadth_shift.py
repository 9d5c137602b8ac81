"""S3 STAKEHOLDER_BREADTH_SHIFT: more people of the customer take part than before, fewer, or only one.

With the breadth B of the circle and its clock τ (`circle.py`):

    z = (B(τ) − B(τ − lag) − μ₀) / σ₀          people of the paper process left out
    WIDEN            on: z ≥ λ
    NARROW           on: −z ≥ λ                 both need minimum_appearances before τ − lag
    SINGLE_THREADED  on: B₁ < people at PROPOSAL, NEGOTIATION or LEGAL; B₁ is B of everybody with the
                     half-life single_half_life_days. The statistic is 1/B₁
    off: |z| < λ/2, or B₁ ≥ people, for a window

Sources: signals.md S3 (Gartner: 6 to 10 buyers; Gong: single-threaded). That the champion is silent is
another form, `champion_silence.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import ActionKind, Level, Polarity, SignalKind, Stage
from dealgraph.stream.signals.circle import Circle, Mark, Watcher, newest, word, words
from dealgraph.stream.signals.course import DAY, HOUR, MINUTE, Form, Reading, day_of
from dealgraph.stream.signals.detector import (
    NEVER,
    NOTHING,
    Detector,
    Episode,
    Observed,
    Scope,
    State,
)
from dealgraph.stream.signals.hysteresis import Held, due
from dealgraph.stream.signals.thresholds import Count, Positive, Thresholds, version_of
from dealgraph.stream.stages import CLOSED

_OFFERED: Final = frozenset({Stage.PROPOSAL, Stage.NEGOTIATION, Stage.LEGAL})


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """Levels of one direction of change, in spreads."""

    level: Positive
    pushed_level: Positive


class BreadthThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of S3 but for the champion's silence."""

    pause_minutes: Positive
    longest_gap_days: Positive
    half_life_days: Positive
    lag_days: Positive
    prior_change: float
    prior_change_spread: Positive
    minimum_appearances: Count
    widen: Change
    narrow: Change
    single_half_life_days: Positive
    single_people: Positive
    single_pushed_people: Positive
    window_days: Positive
    gap_hours: Positive


class BreadthState(State):
    """The circle, the stage, and the episodes."""

    circle: Circle = field(default_factory=Circle)
    stage: Stage = Stage.UNKNOWN
    widen: Held = field(default_factory=Held)
    narrow: Held = field(default_factory=Held)
    single: Held = field(default_factory=Held)


class StakeholderBreadth:
    """Watches how many people of the customer take part."""

    rule = "S3"
    scope = Scope.OPPORTUNITY
    topics = 0

    def __init__(self, thresholds: BreadthThresholds) -> None:
        self.thresholds = thresholds
        self.version = version_of(1, thresholds)
        self.window_ms = round(thresholds.window_days * DAY)
        self.watcher = Watcher(
            round(thresholds.pause_minutes * MINUTE),
            thresholds.longest_gap_days,
            thresholds.half_life_days,
            thresholds.lag_days,
        )
        gap, kind = round(thresholds.gap_hours * HOUR), SignalKind.STAKEHOLDER_BREADTH_SHIFT
        self.widen = Form(kind, gap, "WIDEN", Polarity.POSITIVE)
        self.narrow = Form(kind, gap, "NARROW", Polarity.NEGATIVE)
        self.single = Form(kind, gap, "SINGLE_THREADED", Polarity.NEGATIVE)

    def begin(self) -> BreadthState:
        """Start watching an opportunity."""
        return BreadthState()

    def observe(self, state: BreadthState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the opportunity."""
        if action.kind is ActionKind.STAGE_CHANGE:
            return self._move(state, action)
        if state.stage in CLOSED or not self.watcher.take(state.circle, action):
            return NOTHING
        found = [*self._changed(state, action.at), *self._threaded(state, action.at)]
        state.due = due((state.widen, state.narrow, state.single), self.window_ms)
        return found

    def wake(self, state: BreadthState, at: int) -> Sequence[Episode]:
        """End what has been low for a window."""
        found: list[Episode] = []
        for held, form in self._all(state):
            found += held.settle(form, at, self.window_ms, partial(self._reading, state, form))
        state.due = due((state.widen, state.narrow, state.single), self.window_ms)
        return found

    def _all(self, state: BreadthState) -> tuple[tuple[Held, Form], ...]:
        return (
            (state.widen, self.widen),
            (state.narrow, self.narrow),
            (state.single, self.single),
        )

    def _move(self, state: BreadthState, action: Observed) -> Sequence[Episode]:
        """Take note of the stage; what is open ends when the deal is closed."""
        state.stage = action.stage
        if action.stage not in CLOSED:
            return NOTHING
        state.due = NEVER
        found: list[Episode] = []
        for held, form in self._all(state):
            found += held.close(form, action.at, partial(self._reading, state, form))
        return found

    def _before(self, state: BreadthState) -> Mark | None:
        """Return how it was a lag ago, None while too little was known then."""
        mark = self.watcher.before(state.circle)
        if mark is None or mark.appearances < self.thresholds.minimum_appearances:
            return None
        return mark

    def _breadth(self, state: BreadthState) -> float:
        return state.circle.breadth(self.thresholds.half_life_days, paper=False)

    def _threads(self, state: BreadthState) -> float:
        return state.circle.breadth(self.thresholds.single_half_life_days, paper=True)

    def _z(self, state: BreadthState) -> float:
        """Return the change of breadth in spreads, 0 while it is not known."""
        before, limits = self._before(state), self.thresholds
        if before is None:
            return 0.0
        change = self._breadth(state) - before.breadth
        return (change - limits.prior_change) / limits.prior_change_spread

    def _changed(self, state: BreadthState, at: int) -> Iterator[Episode]:
        limits, z = self.thresholds, self._z(state)
        for held, form, size, change in (
            (state.widen, self.widen, z, limits.widen),
            (state.narrow, self.narrow, -z, limits.narrow),
        ):
            level = _level(size >= change.level, size >= change.pushed_level)
            reading = partial(self._reading, state, form)
            low = size < change.level / 2.0
            yield from held.follow(form, at, level, low=low, tells=False, reading=reading)

    def _threaded(self, state: BreadthState, at: int) -> Iterator[Episode]:
        limits, threads = self.thresholds, self._threads(state)
        few = threads < limits.single_people
        level = None
        if state.stage in _OFFERED:
            level = _level(few, threads < limits.single_pushed_people)
        reading = partial(self._reading, state, self.single)
        yield from state.single.follow(
            self.single, at, level, low=not few, tells=False, reading=reading
        )

    def _reading(self, state: BreadthState, form: Form) -> Reading:
        circle, limits, before = state.circle, self.thresholds, self._before(state)
        if form is self.single:
            threads = self._threads(state)
            statistic, threshold = 1.0 / max(threads, 1e-9), 1.0 / limits.single_people
            baseline, effect = limits.single_people, limits.single_people - 1.0
            text = _explain_single(circle, threads)
        else:
            level = limits.widen.level if form is self.widen else -limits.narrow.level
            statistic, threshold = self._z(state), level
            baseline = 0.0 if before is None else before.breadth
            effect = abs(level) * limits.prior_change_spread
            text = self._explain(state, form, before)
        since = 0 if before is None else before.talk_ms
        return Reading(
            statistic=statistic,
            threshold=threshold,
            baseline=baseline,
            exposure_minutes=(circle.talk_ms - since) / MINUTE,
            window_ms=round(limits.lag_days * DAY),
            evidence=newest(circle.people.values()),
            explanation=text,
            minimum_effect=max(0.0, effect),
        )

    def _explain(self, state: BreadthState, form: Form, before: Mark | None) -> str:
        circle = state.circle
        text = f"About {self._breadth(state):.1f} people of the customer take part"
        if before is None:
            return f"{text}."
        text += f"; on {day_of(before.at)} it was {before.breadth:.1f}"
        people = circle.people.values()
        if form is self.widen:
            new = words(person for person in people if person.first > before.clock)
            return f"{text}. New are: {new}." if new else f"{text}."
        halfway = (before.clock + circle.clock) / 2.0
        gone = words(person for person in people if person.clock < halfway)
        return f"{text}. Not heard lately: {gone}." if gone else f"{text}."


def _level(recorded: bool, pushed: bool) -> Level | None:
    if pushed:
        return Level.PUSHED
    return Level.RECORDED if recorded else None


def _explain_single(circle: Circle, threads: float) -> str:
    *others, last = circle.people.values()
    text = f"The deal hangs on few people: about {threads:.1f} of the customer take part"
    if not others:
        return f"{text}, and nobody but the {word(last.role)} was ever heard."
    heard = day_of(max(person.at for person in others))
    return f"{text}; the last one heard beside the {word(last.role)} spoke on {heard}."


def moments(actions: Iterable[Observed], thresholds: BreadthThresholds) -> tuple[int, float, float]:
    """Return number, sum and sum of squares of the changes of breadth over the lag in a history."""
    detector = StakeholderBreadth(thresholds)
    state, count, total, squares = detector.begin(), 0, 0.0, 0.0
    for action in actions:
        before = state.circle.appearances
        detector.observe(state, action)
        then = detector._before(state)
        if state.circle.appearances != before and then is not None:
            change = state.circle.marks[-1].breadth - then.breadth
            count, total, squares = count + 1, total + change, squares + change * change
    return count, total, squares


def detectors(thresholds: Thresholds) -> tuple[Detector[BreadthState], ...]:
    """Return the detector of this module."""
    return (StakeholderBreadth(thresholds.section("stakeholder_breadth_shift", BreadthThresholds)),)
