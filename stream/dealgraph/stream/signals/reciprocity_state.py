"""What S7 remembers of a deal: open messages, answers by day, sums of the drift, and who began contacts."""

from math import exp, lgamma, sqrt
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import Channel, Polarity, Side
from dealgraph.stream.calendar import BusinessTime
from dealgraph.stream.signals.course import DAY, HOUR, Course
from dealgraph.stream.signals.detector import Observed, State
from dealgraph.stream.signals.reply_waits import Asked, ReciprocityThresholds, Usual
from dealgraph.stream.signals.working_time import Habit

SLOW, FAST, GHOST = range(3)
FORMS: Final = (
    ("SLOWING", Polarity.NEGATIVE),
    ("WARMING", Polarity.POSITIVE),
    ("GHOST", Polarity.NEGATIVE),
)
_MAX_ANSWERS: Final = 9
_MAX_CONTACTS: Final = 64
_HIGHEST: Final = 1.5
"""C grows to so many times `pushed`: a long drift must be able to end."""


class Mark(Struct, frozen=True, order=True):
    """An action that counts, and when it was."""

    at: int
    id: str


class Sum(Struct):
    """One side of the CUSUM, and what led to it since it was last zero: answers, on how many days."""

    level: float = 0.0
    since: int = 0
    count: int = 0
    z: float = 0.0
    days: int = 0
    day: int = -1
    quiet_since: int | None = None

    def take(self, step: float, z: float, at: int, day: int, highest: float) -> None:
        """Take a step of an answer that was z spreads from the usual, on working day `day`."""
        self.level = min(highest, self.level + step)
        if self.level <= 0.0:
            self.level, self.since, self.count, self.z = 0.0, at, 0, 0.0
            self.days, self.day = 0, -1
            return
        self.count += 1
        self.z += z
        self.days += self.day != day
        self.day = day


class Contact(Struct, frozen=True, gc=False):
    """A conversation in writing that somebody began."""

    at: int
    by_customer: bool


class DriftState(State):
    """The running half of S7: open messages, the usual of the deal with its moments, and the two sums.

    `begun` and `begun_by_customer` count contacts older than the window. Lists of floats and courses have
    one item per form.
    """

    habit: Habit = field(default_factory=Habit)
    closed: bool = False
    asked: list[Asked] = field(default_factory=list)
    heard_at: int = 0
    usual: Usual = field(default_factory=Usual)
    first_at: int = 0
    newest_at: int = 0
    m: float = 0.0
    s: float = 1.0
    known: float = 1.0
    sums: list[Sum] = field(default_factory=lambda: [Sum(), Sum()])
    answers: list[Mark] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    begun: int = 0
    begun_by_customer: int = 0
    written_at: list[int] = field(default_factory=lambda: [0, 0])
    mail_session: str = ""
    talk_ms: int = 0
    statistics: list[float] = field(default_factory=lambda: [0.0] * len(FORMS))
    courses: list[Course] = field(default_factory=lambda: [Course() for _ in FORMS])

    def z_of(self, u: float) -> float:
        """Return how many spreads above the usual of the deal a wait is."""
        return (u - self.m) / (self.s * sqrt(1.0 + 1.0 / self.known))

    def open_asked(self) -> list[Asked]:
        """Return the messages since which nothing was heard of the customer."""
        return [one for one in self.asked if one.at > self.heard_at]

    def note_answer(self, action: Observed) -> None:
        """Remember an answer as evidence."""
        self.answers.append(Mark(action.at, action.id))
        del self.answers[:-_MAX_ANSWERS]


def take_wait(
    state: DriftState, u: float, at: int, day: int, limits: ReciprocityThresholds
) -> None:
    """Take a wait that was answered, on working day `day`: into both sums, then into the usual."""
    if at - state.newest_at > limits.window_days * DAY:
        state.sums = [Sum(quiet_since=one.quiet_since) for one in state.sums]
    state.first_at, state.newest_at = state.first_at or at, at
    state.m, state.s, state.known = state.usual.moments(limits)
    z = max(-limits.most_z, min(limits.most_z, state.z_of(u)))
    highest = _HIGHEST * limits.pushed
    if state.usual.count >= limits.warm_up:
        for one, step in zip(state.sums, (z, -z), strict=True):
            one.take(step - limits.drift, z, at, day, highest)
    if not (state.courses[SLOW].open or state.courses[FAST].open):
        state.usual.take(u)
    state.m, state.s, state.known = state.usual.moments(limits)


def drift_ratio(state: DriftState, which: int, limits: ReciprocityThresholds) -> float:
    """Return by what factor waits differ from the usual since C was last zero."""
    run = state.sums[which]
    return exp(run.z / max(1, run.count) * state.s * limits.prior_chat_spread)


def note_contact(
    state: DriftState, action: Observed, time: BusinessTime, limits: ReciprocityThresholds
) -> None:
    """Count who begins a conversation: writes after a gap, or in a new mail, and answers nothing."""
    mail = action.channel is Channel.MAIL
    since, gap = state.written_at[mail], limits.contact_gap_hours * HOUR
    # Working time never runs faster than time, so within a gap the calendar need not be asked.
    begins = action.at - since >= gap and time.between(since, action.at) >= gap
    state.written_at[mail] = action.at
    if mail:
        begins = begins or action.session != state.mail_session
        state.mail_session = action.session
    by_customer = action.side is Side.CUSTOMER
    if not begins or (by_customer and any(one.session == action.session for one in state.asked)):
        return
    state.contacts.append(Contact(action.at, by_customer))
    oldest = action.at - limits.window_days * DAY
    while state.contacts[0].at <= oldest or len(state.contacts) > _MAX_CONTACTS:
        state.begun += 1
        state.begun_by_customer += state.contacts.pop(0).by_customer


def fits_drift(state: DriftState, which: int, limits: ReciprocityThresholds) -> float:
    """Return the chance that the customer begins so few (SLOW) or so many (FAST) of the newest contacts."""
    a = limits.prior_initiative_weight * limits.prior_initiative + state.begun_by_customer
    b = limits.prior_initiative_weight * (1.0 - limits.prior_initiative)
    b += state.begun - state.begun_by_customer
    n, x = len(state.contacts), sum(one.by_customer for one in state.contacts)
    tail = range(x + 1) if which == SLOW else range(x, n + 1)
    return sum(_beta_binomial(i, n, a, b) for i in tail)


def _beta_binomial(x: int, n: int, a: float, b: float) -> float:
    ways = lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1)
    after = lgamma(a + x) + lgamma(b + n - x) - lgamma(a + b + n)
    before = lgamma(a) + lgamma(b) - lgamma(a + b)
    return exp(ways + after - before)
