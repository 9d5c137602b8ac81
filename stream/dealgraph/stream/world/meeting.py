"""A meeting: who is in it, what is said in which order, until the customer's talking time is used up.

    E    customer talk, drawn first: lognormal about `pace.customer_minutes`
    n_T ~ Poisson(λ_T · E)      questions of technical people, all of them
    n_K ~ Poisson(λ_K · E / 10) mentions of competitors by the customer
    n_D ~ Poisson(λ_D),  n_O ~ Poisson(λ_O)          delivery asks, ownership talk

The counts are spread evenly over the meeting among the usual exchanges of its stage. So given the exposure
the counts are exactly Poisson, as the detectors assume.
"""

from collections.abc import Iterator
from typing import Final

from dealgraph.graph.model import ActionKind, Channel
from dealgraph.stream.interaction import Interaction, InteractionKind
from dealgraph.stream.world.deal import WITH_LEGAL, Deal, Slot, attendance
from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.event import MS_PER_CHARACTER, Event, Writer
from dealgraph.stream.world.paths import ACTIVITIES
from dealgraph.stream.world.scenario import Hint, Scenario
from dealgraph.stream.world.speech import Register
from dealgraph.stream.world.talk import Line, Talk, has_paper

_LONGEST_MS: Final = 52 * 60_000
_SHORTEST_MINUTES: Final = 2.0
_LONGEST_MINUTES: Final = 14.0
_TALK_SPREAD: Final = 0.35
_USUAL_TURN_MS: Final = 7_000
_R1_PER_10_MINUTES: Final = 12.0
_R2_PRICE_SHARE: Final = 0.75
_R2_MOOD: Final = -0.65
_MONOLOGUE_MS: Final = 100_000


class Meeting:
    """Draws one meeting. `hint` is what is planted into it, None for nothing."""

    def __init__(
        self, deal: Deal, slot: Slot, scenario: Scenario, draws: Draws, hint: Hint | None
    ) -> None:
        self._deal = deal
        self._slot = slot
        self._scenario = scenario
        self._draws = draws
        self.hint = hint
        rates = deal.rates(scenario, slot.at)
        self._people = attendance(deal, rates, draws, slot)
        paper = has_paper(self._people, deal, slot.at)
        code = "L" if slot.value == WITH_LEGAL else slot.code
        self._talk = Talk(
            deal, scenario, draws, Register.VOICE, self._people, rates, code, paper=paper
        )
        self._rates = rates
        minutes = draws.lognormal(scenario.pace.customer_minutes, _TALK_SPREAD)
        self.minutes = min(max(minutes, _SHORTEST_MINUTES), _LONGEST_MINUTES)
        self.session = f"mtg-{deal.key}-{slot.number}"

    def events(self) -> list[Event]:
        """Return the meeting itself, then what is said in it, with ms times."""
        deal, slot, draws = self._deal, self._slot, self._draws
        writer = Writer(deal, Register.VOICE, slot.number, self.session)
        events = [self._announced(writer)]
        pace = MS_PER_CHARACTER[deal.language]
        at, end, spent = slot.at + draws.whole(2_000, 40_000), slot.at + _LONGEST_MS, 0
        budget = round(self.minutes * 60_000)
        for line, customer_ms in self._lines(budget):
            duration = round(len(line.words.text) * pace * (0.85 + 0.3 * draws.unit()))
            if at + duration > end:
                break
            event = writer.event(line, at, duration, at + duration)
            events.append(event)
            spent += event.talk_ms
            customer_ms[0] = spent
            at += duration + 200 + int(1_200 * draws.unit())
        return events

    def _announced(self, writer: Writer) -> Event:
        deal, slot = self._deal, self._slot
        activity = ACTIVITIES.get(slot.code, "follow_up")
        interaction = Interaction(
            source="calendar",
            native_id=f"{deal.key}/{slot.number}",
            kind=InteractionKind.MEETING,
            channel=Channel.VOICE,
            occurred_at=slot.at,
            actor=deal.rep.person,
            session=self.session,
            opportunity=deal.id,
            customer=deal.customer.id,
            rep=deal.rep.id,
            recipients=tuple(writer.person(who) for who in self._people),
            duration_ms=1_800_000 if self.minutes < 7 else 3_600_000,
            attributes={"activity": activity},
        )
        return Event(interaction, slot.at, slot.number)

    def _lines(self, budget: int) -> Iterator[tuple[Line, list[int]]]:
        """Yield what is said; the caller notes in the list how long the customer has spoken so far."""
        spent = [0]
        talk, draws = self._talk, self._draws
        for line in talk.greeting():
            yield line, spent
        planned = self._planned(budget)
        while spent[0] < budget:
            left = max(1.0, (budget - spent[0]) / _USUAL_TURN_MS)
            self._colour(spent[0] / budget)
            if planned and draws.unit() < len(planned) / left:
                exchange = planned.pop()
            else:
                exchange = talk.usual()
            before = spent[0]
            for line in exchange:
                yield line, spent
            if spent[0] == before:
                spent[0] += 1  # an exchange of the rep alone must not go on for ever
        for exchange in planned:
            for line in exchange:
                yield line, spent
        for line in talk.farewell():
            yield line, spent

    def _planned(self, budget: int) -> list[Iterator[Line]]:
        """Draw what must be said, in random order."""
        talk, draws, rates, minutes = self._talk, self._draws, self._rates, budget / 60_000
        technical = draws.poisson(rates.tech_questions * minutes) if talk.technical else 0
        per_10 = _R1_PER_10_MINUTES if self.hint is Hint.COMPETITOR_RATE else rates.competitors
        rivals = draws.poisson(per_10 * minutes / 10.0)
        asks = self._slot.asks if self._slot.asks >= 0 else draws.poisson(rates.delivery_asks)
        answered = [draws.chance(rates.answered) and self._slot.asks < 0 for _ in range(asks)]
        planned: list[Iterator[Line]] = [
            *(talk.technical_question() for _ in range(technical)),
            *(talk.competitor() for _ in range(rivals)),
            *(talk.delivery_ask(answered=done) for done in answered),
            *(talk.ownership() for _ in range(draws.poisson(rates.ownership))),
            *self._hinted(),
        ]
        return draws.some(planned, len(planned))

    def _hinted(self) -> list[Iterator[Line]]:
        if self.hint is Hint.UNANSWERED_QUESTION:
            return [self._unanswered()]
        if self.hint is Hint.OVER_PROMISE:
            return [self._slip("over_promise", ActionKind.COMMITMENT)]
        if self.hint is Hint.SENSITIVE_TERM:
            return [self._slip("sensitive", ActionKind.STATEMENT)]
        return []

    def _colour(self, part: float) -> None:
        """In the second half of a meeting with price anxiety, price takes over and the mood falls."""
        if self.hint is Hint.PRICE_SENSITIVITY and part > 0.45:
            self._talk.price_share = _R2_PRICE_SHARE
            self._talk.valence = self._rates.valence + _R2_MOOD * min(1.0, (part - 0.45) / 0.25)

    def _unanswered(self) -> Iterator[Line]:
        """Let the customer ask and the rep go on about other things for more than 90 seconds."""
        talk = self._talk
        subject = talk.subject("process", "ask")
        yield talk.customer("ask", "process", subject, Hint.UNANSWERED_QUESTION)
        pace, spoken = MS_PER_CHARACTER[self._deal.language], 0.0
        while spoken < _MONOLOGUE_MS:
            line = talk.rep("tell", talk.subject(self._draws.one(("technical", "need")), "tell"))
            spoken += len(line.words.text) * pace * 0.85
            yield line

    def _slip(self, frame: str, kind: ActionKind) -> Iterator[Line]:
        mark = self.hint
        yield Line(None, self._talk.speech.frame(frame, kind), mark)
        yield self._talk.acknowledged("process")


def choose_hint(scenario: Scenario, draws: Draws) -> Hint | None:
    """Draw what is planted into a meeting, each hint with its share."""
    left = draws.unit()
    for hint, share in scenario.hints.items():
        left -= share
        if left < 0.0:
            return hint
    return None
