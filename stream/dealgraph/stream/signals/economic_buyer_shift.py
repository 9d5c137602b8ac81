"""S4 ECONOMIC_BUYER_SHIFT: who decides on the money begins to take part, or stays away.

With the participation y of buyers in a conversation (`participation.py`), over the n conversations that are
older than the window and a prior that counts as κ conversations:

    m = (κ·m₀ + Σ y) / (κ + n)      u = (y − m) / max(σ₀, √(m(1 − m)))
    ENTERED  U ← max(0, U + u − δ)   on: U ≥ λ after a conversation with a buyer, n ≥ minimum_conversations
    FELL     U ← max(0, U − u − δ)   on: U ≥ λ after one without, and buyers were in minimum_attended before
    both     off: U < λ/2 for a window

the Page-Hinkley test in its recursive form, on the standardised share; U counts from the last 0, which is
the estimate of when it changed. A conversation is judged when it is over. One that nobody recorded changes
nothing. That buyers were never there is another form, `economic_buyer_contact.py`.
Sources: signals.md S4; Page 1954; Hinkley 1971; MEDDICC (economic buyer).
"""

from collections.abc import Iterator, Sequence
from functools import partial
from math import sqrt
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import ActionKind, Level, Polarity, SignalKind, Stage
from dealgraph.stream.signals.course import (
    DAY,
    HOUR,
    MAX_EVIDENCE,
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
from dealgraph.stream.signals.hysteresis import Held, due
from dealgraph.stream.signals.participation import (
    Heard,
    Listener,
    Listening,
    listener,
    minutes,
    newest,
)
from dealgraph.stream.signals.thresholds import Count, Positive, Share, Thresholds, version_of
from dealgraph.stream.stages import CLOSED

_MOST_HEARD: Final = 64


class Alarm(Struct, frozen=True, forbid_unknown_fields=True):
    """Drift δ and levels λ of one side of the test, in spreads of the participation."""

    drift: Positive
    level: Positive
    pushed_level: Positive


class EconomicBuyerThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of S4."""

    window_days: Positive
    prior_participation: Share
    prior_weight: Positive
    least_spread: Positive
    minimum_conversations: Count
    minimum_attended: Count
    entered: Alarm
    fell: Alarm
    gap_hours: Positive


class _Together(Struct, frozen=True):
    own: Struct
    participation: Struct


class Watch(Struct):
    """One side of the test: its sum, the conversations since it was last 0, its episodes."""

    sum: float = 0.0
    since: int = 0
    conversations: int = 0
    attended: int = 0
    held: Held = field(default_factory=Held)


class BuyerState(State):
    """What goes on, what was heard within the window, and the sums over all that was before."""

    listening: Listening = field(default_factory=Listening)
    heard: list[Heard] = field(default_factory=list)
    meetings: list[Heard] = field(default_factory=list)
    attended: int = 0
    count: int = 0
    total: float = 0.0
    closed: bool = False
    rise: Watch = field(default_factory=Watch)
    fall: Watch = field(default_factory=Watch)


class EconomicBuyerShift:
    """Watches how much those who decide on the money take part."""

    rule = "S4"
    scope = Scope.OPPORTUNITY
    topics = 0

    def __init__(self, thresholds: EconomicBuyerThresholds, listener: Listener) -> None:
        self.thresholds = thresholds
        self.version = version_of(1, _Together(thresholds, listener.thresholds))
        self.listener = listener
        self.who = listener.who
        self.window_ms = round(thresholds.window_days * DAY)
        gap, kind = round(thresholds.gap_hours * HOUR), SignalKind.ECONOMIC_BUYER_SHIFT
        self.entered = Form(kind, gap, "ENTERED", Polarity.POSITIVE)
        self.fell = Form(kind, gap, "FELL", Polarity.NEGATIVE)

    def begin(self) -> BuyerState:
        """Start watching an opportunity."""
        return BuyerState()

    def observe(self, state: BuyerState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the opportunity: who is heard, or that it is closed."""
        if action.kind is ActionKind.STAGE_CHANGE:
            return self._move(state, action.stage, action.at)
        if not state.closed and self.listener.hear(state.listening, action):
            state.due = min(state.due, self.listener.due(state.listening))
        return NOTHING

    def wake(self, state: BuyerState, at: int) -> Sequence[Episode]:
        """Judge the conversations that are over, and end what has been low for a window."""
        found: list[Episode] = []
        for heard in self.listener.over(state.listening, at):
            found += self._judge(state, heard, at)
        for watch, form in ((state.rise, self.entered), (state.fall, self.fell)):
            reading = partial(self._reading, state, watch, form)
            found += watch.held.settle(form, at, self.window_ms, reading)
        low = due((state.rise.held, state.fall.held), self.window_ms)
        state.due = min(low, self.listener.due(state.listening))
        return found

    def gauge(self, state: BuyerState, form: str, at: int) -> Gauge:
        """Return the sum of a form as the last conversation left it."""
        watch, alarm = self._side(state, self.entered if form == self.entered.name else self.fell)
        return Gauge(watch.sum, alarm.level)

    def _move(self, state: BuyerState, stage: Stage, at: int) -> Sequence[Episode]:
        """Take note of the stage; what is open ends when the deal is closed."""
        state.closed = stage in CLOSED
        if not state.closed:
            return NOTHING
        state.due = NEVER
        state.listening.open.clear()
        found: list[Episode] = []
        for watch, form in ((state.rise, self.entered), (state.fall, self.fell)):
            found += watch.held.close(form, at, partial(self._reading, state, watch, form))
        return found

    def _judge(self, state: BuyerState, heard: Heard, at: int) -> Iterator[Episode]:
        """Take a conversation that is over into the test."""
        limits = self.thresholds
        while state.heard and state.heard[0].at <= heard.at - self.window_ms:
            state.count += 1
            state.total += state.heard.pop(0).participation
        mean, spread = self._usual(state)
        u = (heard.participation - mean) / spread
        state.heard = [*state.heard, heard][-_MOST_HEARD:]
        if heard.attended:
            state.attended += 1
            state.meetings = [*state.meetings, heard][-MAX_EVIDENCE // 2 :]
        _add(state.rise, u - limits.entered.drift, heard)
        _add(state.fall, -u - limits.fell.drift, heard)
        known = state.count >= limits.minimum_conversations
        came = known and heard.attended
        left = state.attended - state.fall.attended >= limits.minimum_attended
        yield from self._follow(state, self.entered, at, tells=came)
        yield from self._follow(state, self.fell, at, tells=left and not heard.attended)

    def _usual(self, state: BuyerState) -> tuple[float, float]:
        """Return mean and spread of the participation before the window, shrunk to the prior."""
        limits = self.thresholds
        weighed = limits.prior_weight * limits.prior_participation + state.total
        mean = weighed / (limits.prior_weight + state.count)
        return mean, max(limits.least_spread, sqrt(mean * (1.0 - mean)))

    def _side(self, state: BuyerState, form: Form) -> tuple[Watch, Alarm]:
        if form is self.entered:
            return state.rise, self.thresholds.entered
        return state.fall, self.thresholds.fell

    def _follow(self, state: BuyerState, form: Form, at: int, *, tells: bool) -> Iterator[Episode]:
        """Raise, go on, or take note that the sum is low; `tells` says that it may raise."""
        watch, alarm = self._side(state, form)
        level = None
        if tells and watch.sum >= alarm.level:
            level = Level.PUSHED if watch.sum >= alarm.pushed_level else Level.RECORDED
        low = watch.sum < alarm.level / 2.0
        reading = partial(self._reading, state, watch, form)
        yield from watch.held.follow(form, at, level, low=low, tells=True, reading=reading)

    def _reading(self, state: BuyerState, watch: Watch, form: Form) -> Reading:
        mean, spread = self._usual(state)
        _, alarm = self._side(state, form)
        found = state.meetings if form is self.entered else [*state.meetings, *state.heard]
        return Reading(
            statistic=watch.sum,
            threshold=alarm.level,
            baseline=mean,
            exposure_minutes=minutes(state.heard),
            window_ms=self.window_ms,
            evidence=newest(found),
            explanation=self._explain(state, watch, form, mean),
            minimum_effect=spread * (alarm.drift + alarm.level / max(1, len(state.heard))),
        )

    def _explain(self, state: BuyerState, watch: Watch, form: Form, mean: float) -> str:
        if not watch.conversations:
            return f"The {self.who} takes part as usual now: {mean:.0%} of the conversations."
        talks = count_of(watch.conversations, "conversation", "conversations")
        text = (
            f"The {self.who} took part in {watch.attended} of {talks} since {day_of(watch.since)}; "
            f"before it was {mean:.0%}"
        )
        if form is self.fell and state.meetings:
            text += f", and the last time was {day_of(state.meetings[-1].at)}"
        return text + "."


def _add(watch: Watch, gain: float, heard: Heard) -> None:
    """Add to the sum; it starts anew when it falls to 0."""
    watch.sum = max(0.0, watch.sum + gain)
    if watch.sum == 0.0:
        watch.conversations = watch.attended = 0
        return
    if not watch.conversations:
        watch.since = heard.at
    watch.conversations += 1
    watch.attended += heard.attended


def detectors(thresholds: Thresholds) -> tuple[Detector[BuyerState], ...]:
    """Return the detector of this module."""
    section = thresholds.section("economic_buyer_shift", EconomicBuyerThresholds)
    return (EconomicBuyerShift(section, listener(thresholds)),)
