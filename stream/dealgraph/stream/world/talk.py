"""Exchanges: a question and its answer, a worry and what the rep says to it, a remark and its echo.

What is said follows from the rates of the moment: who is asked for, on which subject, in which mood.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import ActionKind, Topic, topic_set
from dealgraph.stream.world.deal import Deal
from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.grammar import Grammar, Subject, grammar
from dealgraph.stream.world.people import BUYERS, PAPER, TECHNICAL, Contact
from dealgraph.stream.world.rates import Rates
from dealgraph.stream.world.scenario import Hint, Plant, Scenario
from dealgraph.stream.world.speech import Register, Speech, Words
from dealgraph.stream.world.themes import (
    LATE_CODES,
    LATE_SUBJECTS,
    LEGAL_MEETING_SHARE,
    NEARNESS,
    PAPER_SHARE,
    THEMES,
)

Mark = Plant | Hint | None
"""What an utterance counts for: the plant or hint whose rate it was drawn from."""

NEXT_STEP: Final = topic_set(Topic.NEXT_STEP)

_FORMS: Final = ("probe", "ask", "say", "worry", "tell")
"""What an exchange begins with."""
_SAID_GLADLY: Final = 0.35
"""Part of the questions and remarks in a good mood that say so."""
_LONGER: Final = 0.4
"""Part of the remarks in a meeting that go on for a second sentence."""
_STAYING: Final = 0.5
"""How likely the next exchange is about the same theme."""


class Line(Struct, frozen=True, gc=False):
    """Something said: by a contact, or by the rep (None)."""

    who: Contact | None
    words: Words
    mark: Mark = None


class Talk:
    """Draws exchanges for one conversation among the `people` of the customer."""

    def __init__(
        self,
        deal: Deal,
        scenario: Scenario,
        draws: Draws,
        register: Register,
        people: Sequence[Contact],
        rates: Rates,
        code: str,
        *,
        paper: bool,
    ) -> None:
        self.deal = deal
        self.draws = draws
        self.people = people
        self.rates = rates
        self.grammar: Grammar = grammar(deal.language)
        slots = (
            deal.product, deal.competitor, deal.other, deal.rep.name,
            deal.customer.name, deal.champion.name, deal.system,
        )  # fmt: skip
        self.speech = Speech(self.grammar, register, draws, slots)
        self.technical = [c for c in people if c.role in TECHNICAL]
        self.others = [c for c in people if c.role not in TECHNICAL]
        self._spread = scenario.usual.valence_spread
        self._theme = ""
        self._early = code not in LATE_CODES
        self._voice = register is Register.VOICE
        weights = dict(THEMES.get(code, THEMES[""]))
        if paper:
            share = LEGAL_MEETING_SHARE if code == "L" else PAPER_SHARE
            weights["legal"] = sum(weights.values()) * share / (1.0 - share)
        self._groups = tuple(weights)
        self._weights = tuple(weights.values())
        self.price_share = rates.price_share
        self.valence = rates.valence

    def mood(self) -> int:
        """Draw how a contact feels while they say something."""
        valence = self.draws.normal(self.valence, self._spread)
        if valence < -0.25:
            return -2 if valence < -0.6 else -1
        if valence > 0.35:
            return 2 if valence > 0.7 else 1
        return 0

    def speaker(self, group: str, among: Sequence[Contact]) -> Contact:
        """Draw who says something: readiness times how near the subject is to the role."""
        near = NEARNESS.get(group, {})
        weights = [contact.weight * near.get(contact.role, 1.0) for contact in among]
        return self.draws.weighted(among, weights)

    def subject(self, group: str, act: str) -> Subject:
        """Draw a subject of the group on which one can do `act`."""
        fit = [
            subject
            for subject in self.grammar.groups[group]
            if act in subject.acts and not (self._early and subject.name in LATE_SUBJECTS)
        ]
        fresh = [subject for subject in fit if self.speech.has_more(act, subject)]
        return self.draws.one(fresh or fit)

    def rep(self, act: str, subject: Subject) -> Line:
        """Let the rep do `act` on a subject."""
        return Line(None, self.speech.say(act, subject))

    def customer(self, act: str, group: str, subject: Subject, mark: Mark = None) -> Line:
        """Let a contact do `act` on a subject; only technical people's planned questions are theirs."""
        among = self.others if act == "ask" and self.others else self.people
        mood = self.mood()
        if mood > 0 and not self.draws.chance(_SAID_GLADLY):
            mood = 0
        longer = act == "say" and self._voice and self.draws.chance(_LONGER)
        return Line(
            self.speaker(group, among), self.speech.say(act, subject, mood, longer=longer), mark
        )

    def technical_question(self) -> Iterator[Line]:
        """Let a technical person ask and the rep answer."""
        subject = self.subject("technical", "ask")
        who = self.speaker("technical", self.technical)
        words = self.speech.say("ask", subject, self.mood())
        yield Line(who, words, Plant.TECH_QUESTION_SURGE)
        yield self.rep("answer", subject)

    def delivery_ask(self, *, answered: bool) -> Iterator[Line]:
        """Let the customer ask or worry about delivery; the rep answers or puts it off."""
        act = "ask" if self.others and self.draws.chance(0.55) else "worry"
        subject = self.subject("delivery", act)
        yield self.customer(act, "delivery", subject, Plant.DELIVERY_CONCERN)
        if answered:
            yield self.rep("answer", subject)
        else:
            yield Line(None, self.speech.frame("put_off", ActionKind.STATEMENT))

    def competitor(self) -> Iterator[Line]:
        """Let the customer name a competitor."""
        subject = self.subject("competitor", "say")
        yield self.customer("say", "competitor", subject, Hint.COMPETITOR_RATE)
        if self.draws.chance(0.7):
            yield self.rep("answer", subject)

    def ownership(self) -> Iterator[Line]:
        """Let the customer speak of the rollout as theirs."""
        subject = self.subject("ownership", "agree")
        yield self.customer("agree", "ownership", subject, Plant.DELIVERY_COMMITMENT)
        if self.draws.chance(0.6):
            yield Line(None, self.speech.frame("ack_rep", ActionKind.SMALL_TALK))

    def usual(self) -> Iterator[Line]:
        """Talk of the stage: price with its share, else what the weights say."""
        if self.draws.unit() < self.price_share:
            yield from self.exchange("price", Plant.PRICE_DIVERGENCE)
        else:
            yield from self.exchange(self.usual_group(), None)

    def usual_group(self) -> str:
        """Draw what is talked about at this stage; people stay with a theme for a while."""
        if not self._theme or not self.draws.chance(_STAYING):
            self._theme = self.draws.weighted(self._groups, self._weights)
        return self._theme

    def exchange(self, group: str, mark: Mark) -> Iterator[Line]:
        """One of the usual forms of an exchange on a subject of the group, a fresh one if there is."""
        act = self.draws.weighted(_FORMS, self._form_weights())
        if not self._has_fresh(group, act):
            fresh = [form for form in _FORMS if self._has_fresh(group, form)]
            act = self.draws.one(fresh) if fresh else act
        if act == "ask" and not self.others:
            act = "say"
        subject = self.subject(group, act)
        if act in ("probe", "tell"):
            yield self.rep(act, subject)
            if act == "probe" or self.draws.chance(0.6):
                yield self.customer("say", group, subject, mark)
            else:
                yield self.acknowledged(group)
            return
        yield self.customer(act, group, subject, mark)
        if act != "say":
            yield self.rep("answer", subject)
            if act == "ask" and self.draws.chance(0.5):
                yield self.acknowledged(group)
        elif self.draws.chance(0.5):
            yield Line(None, self.speech.frame("ack_rep", ActionKind.SMALL_TALK))

    def _form_weights(self) -> tuple[float, ...]:
        """Return how likely each form is: the worse the mood, the more worries."""
        worry = 0.12 - 0.1 * max(-1.0, min(1.0, self.valence))
        return (0.32, 0.23, 0.17, worry, 0.28 - worry)

    def _has_fresh(self, group: str, act: str) -> bool:
        subjects = self.grammar.groups[group]
        return any(act in s.acts and self.speech.has_more(act, s) for s in subjects)

    def acknowledged(self, group: str) -> Line:
        """Let a contact take note in few words, and now and then say how they feel about it."""
        who = self.speaker(group, self.people)
        return Line(who, self.speech.take_note(self.mood()))

    def greeting(self) -> Iterator[Line]:
        """Let the rep and some of the others greet each other."""
        yield Line(None, self.speech.frame("greet_rep", ActionKind.SMALL_TALK))
        for who in self.draws.some(self.people, self.draws.whole(1, 2)):
            yield Line(who, self.speech.frame("greet_customer", ActionKind.SMALL_TALK))

    def farewell(self) -> Iterator[Line]:
        """Next steps and goodbye."""
        yield Line(None, self.speech.frame("next_rep", ActionKind.NEXT_STEP, NEXT_STEP))
        who = self.speaker("process", self.people)
        yield Line(who, self.speech.frame("next_customer", ActionKind.NEXT_STEP, NEXT_STEP))
        yield Line(None, self.speech.frame("bye_rep", ActionKind.SMALL_TALK))
        if self.draws.chance(0.6):
            yield Line(who, self.speech.frame("bye_customer", ActionKind.SMALL_TALK))


def has_paper(people: Sequence[Contact], deal: Deal, at: int) -> bool:
    """Say whether the contract is talked about: legal has come in, and is there or speaks through others."""
    if at < deal.course.legal:
        return False
    withdrawn = deal.course.plant(Plant.LEGAL_WITHDRAWN)
    if withdrawn is not None and at >= withdrawn.start:
        return False
    return any(contact.role in PAPER for contact in people) or (
        deal.course.plant(Plant.SINGLE_THREADED, Plant.NARROW) is not None
    )


def chat_partners(deal: Deal, active: Sequence[Contact], rates: Rates) -> list[Contact]:
    """Return who writes in a chat: buyers seldom do."""
    found = [c for c in active if c.role not in BUYERS or rates.buyer >= 0.5]
    return found or list(active)
