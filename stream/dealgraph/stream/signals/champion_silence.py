"""S3 STAKEHOLDER_BREADTH_SHIFT, form CHAMPION_SILENT: the champion is not heard, the others are.

Waits x between two conversations of the champion, in business days of the customer (`working_time.py`),
are log-normal with unknown mean and spread; ln x has a prior that counts as κ waits (Normal-inverse-Gamma).
So a new wait has the survival of Student's t with ν = κ + n degrees of freedom,

    P(T > x) = P(t_ν > (ln x − m) / (s·√(1 + 1/ν)))        m, s² mean and variance with the prior

    on:  x ≥ minimum_days and P(T > x) < survival, seen by a timer, and (1 − p)^k < missed_probability: so
         many conversations k that began since without the champion are unlikely by chance, p the share of
         conversations that had them. Where nobody at all is heard, this signal is silent.
    off: the champion is heard

A conversation begins in a session that has rested for `pause_hours`. The quantile of t is that of the
normal distribution with Fisher's correction of the first order, off by less than 1 % from ν = 20 on.
Sources: signals.md S3 (Gong: silent champion, 5 business days); Fisher and Cornish 1960.
"""

from collections.abc import Iterable, Sequence
from math import ceil, exp, log, sqrt
from statistics import NormalDist
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import (
    ActionKind,
    Channel,
    Level,
    Polarity,
    Role,
    Side,
    SignalKind,
    Stage,
)
from dealgraph.stream.signals.course import (
    HOUR,
    MAX_EVIDENCE,
    MINUTE,
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
from dealgraph.stream.signals.hysteresis import Held
from dealgraph.stream.signals.thresholds import Count, Positive, Share, Thresholds
from dealgraph.stream.signals.working_time import Habit, WorkingTimes, due_after, working_times
from dealgraph.stream.stages import CLOSED

_MOST_SESSIONS: Final = 64


class ChampionThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of CHAMPION_SILENT; days are business days."""

    minimum_days: Positive
    minimum_waits: Count
    survival: Share
    pushed_survival: Share
    missed_probability: Share
    prior_log_days: float
    prior_log_spread: Positive
    prior_share: Share
    prior_weight: Positive
    least_days: Positive
    pause_hours: Positive
    gap_hours: Positive


class Talk(Struct):
    """A conversation that goes on: its newest action, and whether the champion took part."""

    last_at: int
    attended: bool = False


class SilenceState(State):
    """When the champion was heard, how long they usually take, and who was heard since."""

    habit: Habit = field(default_factory=Habit)
    talks: dict[str, Talk] = field(default_factory=dict)
    conversations: int = 0
    attended: int = 0
    heard: tuple[int, str] | None = None
    missed: list[tuple[int, str]] = field(default_factory=list)
    missed_count: int = 0
    missed_ms: int = 0
    waits: int = 0
    log_total: float = 0.0
    log_squares: float = 0.0
    stage: Stage = Stage.UNKNOWN
    silent: Held = field(default_factory=Held)


class ChampionSilence:
    """Watches that the champion is heard as often as usual."""

    rule = "S3-CHAMPION_SILENT"
    scope = Scope.OPPORTUNITY
    topics = 0

    def __init__(self, thresholds: ChampionThresholds, times: WorkingTimes) -> None:
        self.thresholds = thresholds
        self.times = times
        self.version = times.version_of(1, thresholds)
        self.pause_ms = round(thresholds.pause_hours * HOUR)
        self.quantile = NormalDist().inv_cdf(1.0 - thresholds.survival)
        self.pushed_quantile = NormalDist().inv_cdf(1.0 - thresholds.pushed_survival)
        self.form = Form(
            SignalKind.STAKEHOLDER_BREADTH_SHIFT,
            round(thresholds.gap_hours * HOUR),
            "CHAMPION_SILENT",
            Polarity.NEGATIVE,
        )

    def begin(self) -> SilenceState:
        """Start watching an opportunity."""
        return SilenceState()

    def observe(self, state: SilenceState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the opportunity."""
        if action.kind is ActionKind.STAGE_CHANGE:
            return self._move(state, action)
        if action.side is not Side.CUSTOMER or action.channel is Channel.CRM:
            return NOTHING
        if state.stage in CLOSED:
            return NOTHING
        self.times.note(state.habit, action)
        state.missed_ms += action.exposure_ms
        talk, begins = self._talk(state, action)
        if action.role is Role.CHAMPION:
            return self._hear(state, talk, action)
        return self._judge(state, action.at) if begins else NOTHING

    def wake(self, state: SilenceState, at: int) -> Sequence[Episode]:
        """See whether the wait has become too long."""
        found = self._judge(state, at)
        self._ask(state, at)
        return found

    def _move(self, state: SilenceState, action: Observed) -> Sequence[Episode]:
        """Take note of the stage; the silence ends when the deal is closed."""
        state.stage = action.stage
        if action.stage not in CLOSED:
            return NOTHING
        state.due, at = NEVER, action.at
        found = list(state.silent.close(self.form, at, lambda: self._reading(state, at)))
        state.heard = None
        return found

    def _talk(self, state: SilenceState, action: Observed) -> tuple[Talk, bool]:
        """Return the conversation of an action, and whether it begins with it."""
        talk = state.talks.get(action.session)
        if talk is not None and action.at - talk.last_at < self.pause_ms:
            talk.last_at = action.at
            return talk, False
        state.talks.pop(action.session, None)
        if len(state.talks) == _MOST_SESSIONS:
            del state.talks[next(iter(state.talks))]
        talk = state.talks[action.session] = Talk(action.at)
        state.conversations += 1
        state.missed_count += 1
        state.missed = [*state.missed, (action.at, action.id)][-MAX_EVIDENCE + 1 :]
        return talk, True

    def _hear(self, state: SilenceState, talk: Talk, action: Observed) -> Sequence[Episode]:
        """Take note that the champion is heard, and how long they took."""
        at, heard = action.at, state.heard
        found: Sequence[Episode] = NOTHING
        if state.silent.course.open:
            found = list(state.silent.close(self.form, at, lambda: self._reading(state, at, at)))
        if not talk.attended:
            talk.attended = True
            state.attended += 1
        new = heard is None or at - heard[0] >= HOUR
        if heard is not None and new:
            days = max(self.thresholds.least_days, self._waited(state, heard[0], at))
            state.waits += 1
            state.log_total += log(days)
            state.log_squares += log(days) ** 2
        state.heard = (at, action.id)
        state.missed, state.missed_count, state.missed_ms = [], 0, 0
        if new:
            self._ask(state, at)
        return found

    def _waited(self, state: SilenceState, since: int, before: int) -> float:
        time = self.times.of(state.habit)
        return time.between(since, before) / time.day_ms

    def _usual(self, state: SilenceState) -> tuple[float, float, float]:
        """Return mean and spread of ln of the next wait, and its degrees of freedom."""
        limits = self.thresholds
        weight, mean0 = limits.prior_weight, limits.prior_log_days
        count = weight + state.waits
        mean = (weight * mean0 + state.log_total) / count
        squares = weight * (limits.prior_log_spread**2 + mean0**2) + state.log_squares
        variance = max(squares / count - mean * mean, 1e-4)
        return mean, sqrt(variance * (1.0 + 1.0 / count)), count

    def _limit(self, state: SilenceState, quantile: float) -> float:
        """Return the wait, in business days, that is longer than all but so many."""
        mean, spread, freedom = self._usual(state)
        t = quantile + (quantile**3 + quantile) / (4.0 * freedom)
        return max(self.thresholds.minimum_days, exp(mean + t * spread))

    def _least_missed(self, state: SilenceState) -> int:
        """Return how many conversations without the champion are unlikely by chance."""
        limits = self.thresholds
        known = state.conversations - state.missed_count
        share = (limits.prior_weight * limits.prior_share + state.attended) / (
            limits.prior_weight + max(known, state.attended)
        )
        return ceil(log(limits.missed_probability) / log(1.0 - min(share, 0.99)))

    def _ask(self, state: SilenceState, at: int) -> None:
        """Ask to be woken when the wait is too long, first for the one level, then for the other."""
        state.due = NEVER
        if state.heard is None or state.waits < self.thresholds.minimum_waits:
            return
        time = self.times.of(state.habit)
        for quantile in (self.quantile, self.pushed_quantile):
            worked = ceil(self._limit(state, quantile) * time.day_ms)
            due = due_after(time, state.heard[0], worked)
            if due > at:
                state.due = due
                return

    def _judge(self, state: SilenceState, at: int) -> Sequence[Episode]:
        heard = state.heard
        if heard is None or state.waits < self.thresholds.minimum_waits:
            return NOTHING
        if state.missed_count < self._least_missed(state):
            return NOTHING
        days = self._waited(state, heard[0], at)
        level = None
        if days >= self._limit(state, self.pushed_quantile):
            level = Level.PUSHED
        elif days >= self._limit(state, self.quantile):
            level = Level.RECORDED
        return list(
            state.silent.follow(
                self.form,
                at,
                level,
                low=False,
                tells=False,
                reading=lambda: self._reading(state, at),
            )
        )

    def _reading(self, state: SilenceState, at: int, again: int | None = None) -> Reading:
        heard = state.heard
        mean, _, _ = self._usual(state)
        limit = self._limit(state, self.quantile)
        days = 0.0 if heard is None else self._waited(state, heard[0], at)
        chain = state.missed if heard is None else [heard, *state.missed]
        return Reading(
            statistic=days,
            threshold=limit,
            baseline=exp(mean),
            exposure_minutes=state.missed_ms / MINUTE,
            window_ms=0 if heard is None else at - heard[0],
            evidence=tuple(id_ for _, id_ in sorted(chain)),
            explanation=_explain(state, days, exp(mean), again),
            minimum_effect=limit,
        )


def _explain(state: SilenceState, days: float, usual: float, again: int | None) -> str:
    if again is not None:
        return f"The champion was heard again on {day_of(again)}, after {days:.1f} business days."
    since = "" if state.heard is None else f" on {day_of(state.heard[0])}"
    others = count_of(state.missed_count, "conversation", "conversations")
    return (
        f"The champion was last heard{since}, {days:.1f} business days ago "
        f"where {usual:.1f} are usual; {others} went on without them."
    )


def moments(actions: Iterable[Observed], detector: ChampionSilence) -> tuple[int, float, float]:
    """Return number, sum and sum of squares of the logarithms of the champion's waits in a history."""
    state = detector.begin()
    for action in actions:
        detector.observe(state, action)
    return state.waits, state.log_total, state.log_squares


def detectors(thresholds: Thresholds) -> tuple[Detector[SilenceState], ...]:
    """Return the detector of this module."""
    section = thresholds.section("champion_silence", ChampionThresholds)
    return (ChampionSilence(section, working_times(thresholds)),)
