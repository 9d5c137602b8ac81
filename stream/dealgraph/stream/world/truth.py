"""What is true: of reps, of deals and their plants, of meetings with hints, of every utterance."""

from functools import cache
from typing import Final

import msgspec
from msgspec import Struct

from dealgraph.graph.model import Topic, topic_set, topics_of
from dealgraph.stream.world.deal import Deal
from dealgraph.stream.world.event import Event
from dealgraph.stream.world.meeting import Meeting
from dealgraph.stream.world.people import PAPER, Rep
from dealgraph.stream.world.planted import Planted
from dealgraph.stream.world.scenario import Plant
from dealgraph.stream.world.speech import VALENCES

_MOST_EVIDENCE: Final = 30
_LEGAL: Final = topic_set(Topic.LEGAL)

_COUNTED: Final = {
    Plant.DELIVERY_ANSWERED_LATE: (Plant.DELIVERY_CONCERN, Plant.DELIVERY_ANSWERED_LATE)
}
"""Plants that count utterances of another mark than their own."""


@cache
def _topic_names(topics: int) -> tuple[str, ...]:
    return tuple(topic.name for topic in topics_of(topics))


class RepTruth(Struct, frozen=True, tag="rep"):
    """A rep and whether they take part."""

    id: str
    name: str
    language: str
    offset_minutes: int
    reply_factor: float
    evening: bool
    opted_out: bool

    @classmethod
    def of(cls, rep: Rep, opted_out: bool) -> "RepTruth":
        """Return the truth of a rep."""
        return cls(
            rep.id,
            rep.name,
            rep.language,
            rep.offset_minutes,
            rep.reply_factor,
            rep.evening,
            opted_out,
        )


class UtteranceTruth(Struct, frozen=True, tag="utterance", gc=False, omit_defaults=True):
    """What is true of something said: (`source`, `native_id`) names it; `mark` is what it counts for.

    `observed` is False where it was said and not recorded, or its rep does not take part.
    """

    source: str
    native_id: str
    opportunity: str
    act: str
    topics: tuple[str, ...]
    subject: str
    valence: float
    arousal: float
    indirect: bool = False
    mark: str = ""
    observed: bool = True


class MeetingTruth(Struct, frozen=True, tag="meeting"):
    """A meeting with a hint planted into it; `evidence` are native ids of what counts for it."""

    session: str
    opportunity: str
    hint: str
    start: int
    end: int
    customer_minutes: float
    evidence: tuple[str, ...]

    @classmethod
    def of(cls, deal: Deal, meeting: Meeting, events: list[Event]) -> "MeetingTruth":
        """Return the truth of a meeting."""
        hint = meeting.hint
        marked = [event for event in events if event.mark is hint and hint is not None]
        talk = sum(event.talk_ms for event in events)
        last = events[-1].interaction
        return cls(
            meeting.session,
            deal.id,
            "" if hint is None else hint.value,
            events[0].interaction.occurred_at,
            last.occurred_at + last.duration_ms,
            talk / 60_000,
            tuple(event.interaction.native_id for event in marked[:_MOST_EVIDENCE]),
        )


class EpisodeTruth(Struct, frozen=True):
    """A stage or side activity of the true way, with times."""

    code: str
    start: int
    end: int


class PersonTruth(Struct, frozen=True):
    """A contact and all ids that sources use for them."""

    name: str
    role: str
    ids: tuple[str, ...]


class DealTruth(Struct, frozen=True, tag="deal"):
    """A deal: its way, outcome, plants, hidden states week by week, people. Times in ms.

    `legal` is when legal takes part from; `legal_said` and `legal_observed` are the first words of legal,
    procurement or infosec, or about the contract, that were said and that were recorded (0: none).
    `clean` says that nothing is planted in it and it takes the standard way. `last` may lie beyond the end
    of the stream: then the deal is still open there.
    """

    id: str
    customer: str
    rep: str
    segment: str
    language: str
    clean: bool
    opted_out: bool
    way: str
    labels: tuple[str, ...]
    outcome: str
    slipped: bool
    opened: int
    proposal: int
    legal: int
    legal_said: int
    legal_observed: int
    close: int
    last: int
    planted: list[Planted]
    episodes: tuple[EpisodeTruth, ...]
    states: tuple[dict[str, float], ...]
    people: tuple[PersonTruth, ...]

    @classmethod
    def of(cls, deal: Deal, ledger: "Ledger") -> "DealTruth":
        """Return the truth of a deal after its last word."""
        course, customer = deal.course, deal.customer
        weeks = tuple({k: round(v, 3) for k, v in week.items()} for week in deal.wobble.weeks)
        return cls(
            id=deal.id,
            customer=customer.id,
            rep=deal.rep.id,
            segment=customer.segment,
            language=customer.language,
            clean=not course.planted and course.way == "STANDARD",
            opted_out=ledger.opted_out,
            way=course.way,
            labels=course.labels,
            outcome=course.outcome,
            slipped=course.slipped,
            opened=course.opened,
            proposal=course.proposal,
            legal=course.legal,
            legal_said=ledger.legal_said,
            legal_observed=ledger.legal_observed,
            close=course.close,
            last=course.last,
            planted=course.planted,
            episodes=tuple(EpisodeTruth(e.code, e.start, e.end) for e in course.episodes),
            states=weeks,
            people=tuple(
                PersonTruth(c.name, c.role.name, tuple(sorted({c.mail, c.chat})))
                for c in customer.contacts
            ),
        )


Truth = RepTruth | UtteranceTruth | MeetingTruth | DealTruth


class Ledger:
    """Sums up, while a deal runs, what its plants had to work on."""

    def __init__(self, deal: Deal, *, opted_out: bool) -> None:
        self._deal = deal
        self.opted_out = opted_out
        self.legal_said = 0
        self.legal_observed = 0
        for planted in deal.course.planted:
            planted.evidence, planted.observed_evidence = [], []

    def note(self, event: Event, *, observed: bool) -> UtteranceTruth | None:
        """Take an event into the sums; return the truth of what was said, None when nothing was."""
        words = event.words
        if words is None:
            return None
        seen = observed and not self.opted_out
        for planted in self._deal.course.planted:
            self._sum(planted, event, seen)
        interaction = event.interaction
        if words.topics & _LEGAL or interaction.actor.role in PAPER:
            self.legal_said = self.legal_said or interaction.occurred_at
            if seen:
                self.legal_observed = self.legal_observed or interaction.occurred_at
        return UtteranceTruth(
            interaction.source,
            interaction.native_id,
            self._deal.id,
            words.kind.name,
            _topic_names(words.topics),
            words.subject,
            VALENCES[words.mood],
            words.arousal,
            words.indirect,
            "" if event.mark is None else event.mark.value,
            seen,
        )

    def _sum(self, planted: Planted, event: Event, seen: bool) -> None:
        at = event.interaction.occurred_at
        counts = event.mark in _COUNTED.get(planted.plant, (planted.plant,))
        if planted.active(at):
            planted.talk_after_ms += event.talk_ms
            planted.observed_after_ms += event.talk_ms * seen
            planted.hits_after += counts
            planted.observed_hits_after += counts and seen
            if counts and len(planted.evidence) < _MOST_EVIDENCE:
                planted.evidence.append(event.interaction.native_id)
            if counts and seen and len(planted.observed_evidence) < _MOST_EVIDENCE:
                planted.observed_evidence.append(event.interaction.native_id)
        elif at < planted.start:
            planted.talk_before_ms += event.talk_ms
            planted.observed_before_ms += event.talk_ms * seen
            planted.hits_before += counts


def encode(truth: Truth) -> bytes:
    """Return a truth as a line of JSON."""
    return msgspec.json.encode(truth) + b"\n"
