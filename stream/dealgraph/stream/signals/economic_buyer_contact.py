"""S4 ECONOMIC_BUYER_SHIFT, form NO_POWER: a proposal is out, and nobody with power was ever heard.

The monitor of precedence(contact, PROPOSAL), a contact being any action of a buyer (`participation.py`):

    satisfied      a buyer was heard
    possible       no contact, no proposal
    violated for   no contact, and the deal stands or stood at PROPOSAL, NEGOTIATION or LEGAL; a contact
    the time being that comes now, or comes late to us, can still mend it: recorded
    for good       the same `grace_days` later: pushed

Both need N conversations so far, for (1 − p)^N ≤ α, p the part of conversations in which buyers usually
take part: N by chance without them must be unlikely, or a deal of which little is recorded would always
raise. It ends with the first contact. Sources: signals.md S4; Declare, three-valued run-time
verification (Pesic, Schonenberg, van der Aalst 2007); MEDDICC; Gong "no power".
"""

from collections.abc import Sequence
from math import ceil, log
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import ActionKind, Level, Polarity, Severity, SignalKind, Stage
from dealgraph.stream.signals.course import (
    DAY,
    HOUR,
    MAX_EVIDENCE,
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
from dealgraph.stream.signals.participation import (
    Heard,
    Listener,
    Listening,
    listener,
    minutes,
    newest,
)
from dealgraph.stream.signals.thresholds import Positive, Share, Thresholds, version_of
from dealgraph.stream.stages import CLOSED

_OFFERED: Final = frozenset({Stage.PROPOSAL, Stage.NEGOTIATION, Stage.LEGAL})
_LATE: Final = frozenset({Stage.NEGOTIATION, Stage.LEGAL})


class BuyerContactThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of NO_POWER."""

    usual_participation: Share
    probability: Share
    pushed_probability: Share
    grace_days: Positive
    gap_hours: Positive


class _Together(Struct, frozen=True):
    own: Struct
    participation: Struct


class ContactState(State):
    """What the monitor knows: the offer, conversations without a buyer, their newest ones."""

    listening: Listening = field(default_factory=Listening)
    offer: tuple[int, str] | None = None
    contact: tuple[int, str] | None = None
    conversations: int = 0
    heard: list[Heard] = field(default_factory=list)
    stage: Stage = Stage.UNKNOWN
    course: Course = field(default_factory=Course)


class EconomicBuyerContact:
    """Watches that somebody with power was heard before the proposal."""

    rule = "S4-NO_POWER"
    scope = Scope.OPPORTUNITY
    topics = 0

    def __init__(self, thresholds: BuyerContactThresholds, listener: Listener) -> None:
        self.thresholds = thresholds
        self.version = version_of(1, _Together(thresholds, listener.thresholds))
        self.listener = listener
        self.grace_ms = round(thresholds.grace_days * DAY)
        missed = log(1.0 - thresholds.usual_participation)
        self.least = ceil(log(thresholds.probability) / missed)
        self.least_pushed = ceil(log(thresholds.pushed_probability) / missed)
        gap_ms = round(thresholds.gap_hours * HOUR)
        self.form = Form(SignalKind.ECONOMIC_BUYER_SHIFT, gap_ms, "NO_POWER", Polarity.NEGATIVE)

    def begin(self) -> ContactState:
        """Start watching an opportunity."""
        return ContactState()

    def observe(self, state: ContactState, action: Observed) -> Sequence[Episode]:
        """Take the next action of the opportunity: a contact, a conversation, a stage."""
        if action.kind is ActionKind.STAGE_CHANGE:
            return self._move(state, action)
        if state.contact is not None or state.stage in CLOSED:
            return NOTHING
        if self.listener.weight(action):
            state.contact = (action.at, action.id)
            return self._end(state, action.at)
        if self.listener.hear(state.listening, action):
            state.due = min(state.due, self.listener.due(state.listening))
        return NOTHING

    def wake(self, state: ContactState, at: int) -> Sequence[Episode]:
        """Count the conversations that are over, and see whether the grace is over."""
        heard = self.listener.over(state.listening, at)
        state.conversations += len(heard)
        state.heard = [*state.heard, *heard][-MAX_EVIDENCE + 2 :]
        found = self._judge(state, at)
        self._ask(state, at)
        return found

    def _move(self, state: ContactState, action: Observed) -> Sequence[Episode]:
        state.stage = action.stage
        if action.stage in CLOSED:
            return self._end(state, action.at)
        if state.contact is not None:
            return NOTHING
        if action.stage in _OFFERED and state.offer is None:
            state.offer = (action.at, action.id)
        found = self._judge(state, action.at)
        self._ask(state, action.at)
        return found

    def _ask(self, state: ContactState, at: int) -> None:
        state.due = self.listener.due(state.listening)
        if state.offer is not None and state.offer[0] + self.grace_ms > at:
            state.due = min(state.due, state.offer[0] + self.grace_ms)

    def _judge(self, state: ContactState, at: int) -> Sequence[Episode]:
        """Raise, or go on where it became worse."""
        if state.offer is None or state.conversations < self.least:
            return NOTHING
        course = state.course
        level, severity = Level.RECORDED, Severity.INFO
        if at >= state.offer[0] + self.grace_ms and state.conversations >= self.least_pushed:
            level = Level.PUSHED
            severity = Severity.CRITICAL if state.stage in _LATE else Severity.WARNING
        if not course.open:
            if not course.may_begin(self.form, at):
                return NOTHING
            return (course.begin(self.form, at, severity, self._reading(state), level),)
        if level <= course.level and severity <= course.severity:
            return NOTHING
        return (course.go_on(self.form, at, severity, self._reading(state), level),)

    def _end(self, state: ContactState, at: int) -> Sequence[Episode]:
        """End what is open and ask for nothing more."""
        state.due = NEVER
        state.listening.open.clear()
        if not state.course.open:
            return NOTHING
        return (state.course.end(self.form, at, self._reading(state)),)

    def _reading(self, state: ContactState) -> Reading:
        places = [place for place in (state.offer, state.contact) if place is not None]
        chain = [*state.heard, *(Heard(at, id_, 0.0, 0) for at, id_ in places)]
        limits = self.thresholds
        return Reading(
            statistic=float(state.conversations),
            threshold=float(self.least),
            baseline=limits.usual_participation,
            exposure_minutes=minutes(state.heard),
            window_ms=self.grace_ms,
            evidence=newest(chain),
            explanation=self._explain(state),
            minimum_effect=1.0 - limits.probability ** (1.0 / max(1, state.conversations)),
        )

    def _explain(self, state: ContactState) -> str:
        who = self.listener.who
        if state.contact is not None:
            return f"The {who} was heard for the first time on {day_of(state.contact[0])}."
        since = "" if state.offer is None else f" since {day_of(state.offer[0])}"
        talks = count_of(state.conversations, "conversation", "conversations")
        return f"The deal stands at a proposal{since}, and no {who} took part in any of {talks}."


def detectors(thresholds: Thresholds) -> tuple[Detector[ContactState], ...]:
    """Return the detector of this module."""
    section = thresholds.section("economic_buyer_contact", BuyerContactThresholds)
    return (EconomicBuyerContact(section, listener(thresholds)),)
