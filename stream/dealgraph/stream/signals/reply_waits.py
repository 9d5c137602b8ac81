"""How long a customer usually takes to answer: waits in working time on one scale, and what a deal showed.

    u   = (ln minutes − prior mean of the channel) / prior spread of the channel
    m   = Σ u / (κ + n)                                        the usual of the deal, prior N(0, 1), weight κ
    s²  = (ν + Σ (u − ū)² + κ·n/(κ + n)·ū²) / (ν + n − 1)     its spread, prior weight ν

Mail and chat differ in what is usual, not in whether a customer answers slowly: one scale, one usual.
A wait that lies in closed hours altogether has no working time; its minutes on the clock count.
"""

from collections.abc import Sequence
from math import exp, log, sqrt
from typing import Annotated, Final

from msgspec import Meta, Struct

from dealgraph.graph.model import ActionKind, Channel, Side
from dealgraph.stream.calendar import BusinessTime
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.thresholds import Count, Positive, Share
from dealgraph.stream.signals.working_time import Habit, WorkingTimes

_MINUTE_MS: Final = 60_000
_LEAST_MINUTES: Final = 1.0
_MAX_ASKED: Final = 8
LETTERS: Final = frozenset({Channel.CHAT, Channel.MAIL})
"""Channels on which people wait for answers."""


class ReciprocityThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of S7: CUSUM in spreads, waits as ln of minutes of working time, chances of a silence."""

    drift: Positive
    recorded: Positive
    pushed: Positive
    most_z: Positive
    warm_up: Annotated[int, Meta(ge=0)]
    least_ratio: Annotated[float, Meta(ge=1)]
    least_days: Count
    window_days: Positive
    ghost_recorded_probability: Share
    ghost_pushed_probability: Share
    ghost_contacts: Count
    contact_gap_hours: Positive
    gap_hours: Positive
    prior_chat_log_minutes: float
    prior_chat_spread: Positive
    prior_mail_log_minutes: float
    prior_mail_spread: Positive
    prior_weight: Positive
    prior_spread_weight: Annotated[float, Meta(gt=1)]
    prior_initiative: Share
    prior_initiative_weight: Positive
    initiative_probability: Share

    def scale(self, channel: Channel) -> tuple[float, float]:
        """Return mean and spread of ln minutes on a channel."""
        if channel is Channel.MAIL:
            return self.prior_mail_log_minutes, self.prior_mail_spread
        return self.prior_chat_log_minutes, self.prior_chat_spread

    def on_scale(self, channel: Channel, minutes: float) -> float:
        """Return a wait as u."""
        mean, spread = self.scale(channel)
        return (log(max(minutes, _LEAST_MINUTES)) - mean) / spread

    def minutes(self, channel: Channel, u: float) -> float:
        """Return the minutes of a wait on the scale."""
        mean, spread = self.scale(channel)
        return exp(mean + spread * u)


class Asked(Struct, frozen=True):
    """A message of the rep that nobody answered yet."""

    at: int
    id: str
    session: str
    channel: Channel


class Usual(Struct):
    """What the deal showed before: number, mean and sum of squares around it, on the scale."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def take(self, u: float) -> None:
        """Take in a wait."""
        self.count += 1
        apart = u - self.mean
        self.mean += apart / self.count
        self.squares += apart * (u - self.mean)

    def moments(self, limits: ReciprocityThresholds) -> tuple[float, float, float]:
        """Return m, s and how many waits m rests on (κ + n)."""
        n, kappa, nu = self.count, limits.prior_weight, limits.prior_spread_weight
        known = kappa + n
        squares = nu + self.squares + kappa * n / known * self.mean * self.mean
        return self.mean * n / known, sqrt(squares / (nu + n - 1.0) if n else 1.0), known


def answered_minutes(time: BusinessTime, asked_at: int, at: int) -> float:
    """Return the working minutes from a message to its answer, those on the clock within closed hours."""
    return (time.between(asked_at, at) or at - asked_at) / _MINUTE_MS


def open_minutes(time: BusinessTime, asked_at: int, at: int) -> float:
    """Return the working minutes that nobody has answered a message."""
    return time.between(asked_at, at) / _MINUTE_MS


def asks(action: Observed) -> bool:
    """Say whether a message of the rep waits for an answer: small talk in a chat does not."""
    small = action.kind is ActionKind.SMALL_TALK and action.channel is Channel.CHAT
    return action.side is Side.REP and action.channel in LETTERS and not small


def note_asked(asked: list[Asked], action: Observed, time: BusinessTime) -> bool:
    """Add a message of the rep to those unanswered, once per session and working day; say if it is new."""
    for one in reversed(asked):
        if one.session == action.session and one.channel is action.channel:
            if time.between(one.at, action.at) < time.day_ms:
                return False
            break
    asked.append(Asked(action.at, action.id, action.session, action.channel))
    del asked[:-_MAX_ASKED]
    return True


def take_answered(asked: list[Asked], action: Observed) -> Asked | None:
    """Remove what an answer of the customer answers; return the newest of it."""
    newest = None
    for one in asked:
        if one.session == action.session and one.channel is action.channel:
            newest = one
    if newest is not None:
        asked[:] = [one for one in asked if one.session != action.session]
    return newest


def log_waits(actions: Sequence[Observed], times: WorkingTimes) -> dict[Channel, list[float]]:
    """Return ln minutes of all waits of a deal by channel, for learning; `actions` are all, in order."""
    habit = Habit()
    for action in actions:
        times.note(habit, action)
    time = times.of(habit)
    asked: list[Asked] = []
    found: dict[Channel, list[float]] = {channel: [] for channel in sorted(LETTERS)}
    for action in actions:
        if asks(action):
            note_asked(asked, action, time)
        elif action.side is Side.CUSTOMER and action.channel in LETTERS:
            one = take_answered(asked, action)
            if one is not None:
                minutes = answered_minutes(time, one.at, action.at)
                found[action.channel].append(log(max(minutes, _LEAST_MINUTES)))
    return found
