"""What is written: chats and mails. When who writes is planned with the deal, the words come later.

    customer's reply after a rep's message   m · exp(spread · N(0, 1)) of the customer's working time
    rep's reply after a customer's message   12 min · habit · exp(0.8 · N(0, 1)) of the rep's working time
    who begins                               the customer with probability i

One chat of a deal begins only when the one before is over, so that every wait has one answer. A chat of a
clean deal ends with the customer; a customer who has fallen silent (GHOST) never answers again.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import ActionKind
from dealgraph.stream.calendar import DAY_MS, MINUTE_MS, BusinessTime
from dealgraph.stream.world.deal import Deal, Slot, SlotKind, is_active
from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.event import Event, Writer
from dealgraph.stream.world.rates import Rates
from dealgraph.stream.world.scenario import Plant, Scenario
from dealgraph.stream.world.speech import Register
from dealgraph.stream.world.talk import Line, Talk, chat_partners, has_paper

_REP_MINUTES: Final = 12.0
_REP_SPREAD: Final = 0.8
_MAIL_FACTOR: Final = 6.0
_CUTS: Final = frozenset(
    {Plant.GHOST, Plant.CHAMPION_SILENT, Plant.NARROW, Plant.SINGLE_THREADED, Plant.LEGAL_WITHDRAWN}
)
"""When these begin, an exchange that runs breaks off: who wrote in it may be gone."""
_EVENING_MS: Final = (19 * 60 + 30) * MINUTE_MS
_EVENING_LENGTH_MS: Final = 150 * MINUTE_MS
_MESSAGE_MINUTES: Final = 0.055
"""About how long a chat message would take to say."""


class Turn(Struct, frozen=True, gc=False):
    """A message to come: whose, and when (ms)."""

    by_customer: bool
    at: int


class Clocks(Struct, frozen=True):
    """The business time of a deal's rep and of its customer."""

    rep: BusinessTime
    customer: BusinessTime


def plan_turns(
    deal: Deal, slots: Sequence[Slot], scenario: Scenario, seed: int, clocks: Clocks
) -> dict[int, tuple[Turn, ...]]:
    """Return the turns of every chat and mail exchange, by the number of its slot."""
    planned: dict[int, tuple[Turn, ...]] = {}
    free = {SlotKind.THREAD: 0, SlotKind.MAIL: 0}
    for slot in slots:
        if slot.kind not in free:
            continue
        draws = Draws(seed, "turns", deal.key, slot.number)
        begin = max(slot.at, free[slot.kind])
        if any(e.quiet and e.start <= begin < e.end for e in deal.course.episodes):
            continue
        turns = tuple(_turns(deal, slot.kind, begin, scenario, draws, clocks))
        if turns[0].at >= deal.course.last:
            continue
        planned[slot.number] = turns
        free[slot.kind] = turns[-1].at + 5 * MINUTE_MS
    return planned


def _turns(
    deal: Deal, kind: SlotKind, begin: int, scenario: Scenario, draws: Draws, clocks: Clocks
) -> Iterator[Turn]:
    rates = deal.rates(scenario, begin)
    usual = scenario.usual
    chat = kind is SlotKind.THREAD
    minutes = usual.reply_minutes if chat else usual.mail_reply_minutes
    count = 1 + draws.poisson(scenario.pace.thread_exchanges - 1.0) if chat else 1
    by_customer = draws.chance(rates.initiative) and not rates.silent
    at = (clocks.customer if by_customer else clocks.rep).after(begin, 0)
    yield Turn(by_customer, at)
    if rates.silent:
        return
    left = 2 * count if by_customer else 2 * count - 1
    cuts = [one.start for one in deal.course.planted if one.plant in _CUTS and one.start > begin]
    cuts += [
        episode.start for episode in deal.course.episodes if episode.quiet and episode.start > begin
    ]
    while left:
        left -= 1
        by_customer = not by_customer
        if by_customer:
            wait = draws.lognormal(minutes * rates.reply_factor, usual.reply_spread)
            at = clocks.customer.after(at, round(wait * MINUTE_MS))
        else:
            wait = draws.lognormal(_REP_MINUTES * deal.rep.reply_factor, _REP_SPREAD)
            at = _rep_reply(deal, at, wait if chat else wait * _MAIL_FACTOR, usual.out_of_hours,
                            draws, clocks.rep)  # fmt: skip
        if any(at >= cut for cut in cuts):
            return
        yield Turn(by_customer, at)


def _rep_reply(
    deal: Deal, at: int, minutes: float, evenings: float, draws: Draws, time: BusinessTime
) -> int:
    """Return when the rep answers; some answer a part of what comes in the evening."""
    if deal.rep.evening and draws.chance(evenings):
        offset = deal.rep.offset_minutes * MINUTE_MS
        evening = (at + offset) // DAY_MS * DAY_MS - offset + _EVENING_MS
        if evening > at:
            return evening + int(_EVENING_LENGTH_MS * draws.unit())
    return time.after(at, round(minutes * MINUTE_MS))


def chat(
    deal: Deal, slot: Slot, turns: Sequence[Turn], scenario: Scenario, draws: Draws
) -> list[Event]:
    """Return a chat: messages in the room of the deal."""
    rates = deal.rates(scenario, turns[0].at)
    talk = _talk(deal, slot, scenario, draws, Register.CHAT, rates, turns[0].at)
    writer = Writer(deal, Register.CHAT, slot.number, f"room-{deal.key}")
    lines = _chat_lines(talk, slot, rates, turns)
    return [
        writer.event(line, turn.at, 0, turn.at) for line, turn in zip(lines, turns, strict=False)
    ]


def _talk(
    deal: Deal,
    slot: Slot,
    scenario: Scenario,
    draws: Draws,
    register: Register,
    rates: Rates,
    at: int,
) -> Talk:
    active = [c for c in deal.customer.contacts if is_active(deal, c, at)]
    people = chat_partners(deal, active or deal.customer.contacts[1:2], rates)
    paper = has_paper(people, deal, at)
    return Talk(deal, scenario, draws, register, people, rates, slot.code, paper=paper)


def _chat_lines(talk: Talk, slot: Slot, rates: Rates, turns: Sequence[Turn]) -> Iterator[Line]:
    """Yield a line for each turn: planned exchanges first, then what fits who has the word."""
    draws = talk.draws
    if rates.silent:
        for _ in turns:
            yield Line(None, talk.speech.frame("chase", ActionKind.QUESTION))
        return
    customers = sum(turn.by_customer for turn in turns)
    asks = slot.asks if slot.asks >= 0 else draws.poisson(rates.delivery_asks)
    technical = talk.technical and draws.chance(rates.tech_questions * customers * _MESSAGE_MINUTES)
    mine = draws.poisson(rates.ownership) if slot.asks < 0 else 0
    queue: list[Iterator[Line]] = [
        *(
            talk.delivery_ask(answered=slot.asks < 0 and draws.chance(rates.answered))
            for _ in range(asks)
        ),
        *([talk.technical_question()] if technical else []),
        *(talk.ownership() for _ in range(mine)),
    ]
    current: Iterator[Line] = iter(())
    for number, turn in enumerate(turns):
        if turn.by_customer and queue:
            current = queue.pop()  # what is planned for the chat goes before what would follow
            yield next(current)
            continue
        line = next(current, None)
        if line is not None and (line.who is not None) == turn.by_customer:
            yield line
        elif turn.by_customer and number and number == len(turns) - 1:
            yield talk.acknowledged("process")
        elif turn.by_customer:
            current = _begun_by_customer(talk)
            yield next(current)
        else:
            current = _begun_by_rep(talk)
            yield next(current)


def _group(talk: Talk) -> tuple[str, Plant | None]:
    if talk.draws.unit() < talk.price_share:
        return "price", Plant.PRICE_DIVERGENCE
    return talk.usual_group(), None


def _begun_by_customer(talk: Talk) -> Iterator[Line]:
    group, mark = _group(talk)
    draw = talk.draws.unit()
    act = "ask" if draw < 0.5 and talk.others else "worry" if draw > 0.9 else "say"
    subject = talk.subject(group, act)
    yield talk.customer(act, group, subject, mark)
    if act == "say":
        yield Line(None, talk.speech.frame("ack_rep", ActionKind.SMALL_TALK))
    else:
        yield talk.rep("answer", subject)


def _begun_by_rep(talk: Talk) -> Iterator[Line]:
    group, mark = _group(talk)
    act = "probe" if talk.draws.chance(0.55) else "tell"
    subject = talk.subject(group, act)
    yield talk.rep(act, subject)
    yield talk.customer("say", group, subject, mark)


def mails(
    deal: Deal, slot: Slot, turns: Sequence[Turn], scenario: Scenario, draws: Draws
) -> list[Event]:
    """Return an exchange of mails: greeting, two or three sentences on one subject, signature."""
    rates = deal.rates(scenario, turns[0].at)
    talk = _talk(deal, slot, scenario, draws, Register.MAIL, rates, turns[0].at)
    writer = Writer(deal, Register.MAIL, slot.number, f"mail-{deal.key}-{slot.number}")
    group, mark = _group(talk)
    subject = talk.subject(group, "answer")
    who = talk.speaker(group, talk.others or talk.people)
    events = []
    for number, turn in enumerate(turns):
        if rates.silent:
            line = Line(None, talk.speech.frame("chase", ActionKind.QUESTION))
        elif not turn.by_customer:
            line = talk.rep("answer" if number else "tell", subject)
        else:
            act = "say" if number else "ask"
            line = Line(who, talk.speech.say(act, subject, talk.mood()), mark)
        name = who.name if line.who is None else talk.deal.rep.name
        text = _as_mail(talk, line, name, subject_again=not turn.by_customer)
        events.append(writer.event(line, turn.at, 0, turn.at, text=text))
    return events


def answer_mail(deal: Deal, slot: Slot, scenario: Scenario, draws: Draws) -> list[Event]:
    """Return the mail in which the rep answers the delivery asks, and which is imported late."""
    rates = deal.rates(scenario, slot.at)
    talk = _talk(deal, slot, scenario, draws, Register.MAIL, rates, slot.at)
    line = talk.rep("answer", talk.subject("delivery", "answer"))
    line = Line(None, line.words, Plant.DELIVERY_ANSWERED_LATE)
    writer = Writer(deal, Register.MAIL, slot.number, f"mail-{deal.key}-{slot.number}")
    text = _as_mail(talk, line, deal.champion.name, subject_again=False)
    return [writer.event(line, slot.at, 0, slot.held_until, text=text)]


def _as_mail(talk: Talk, line: Line, name: str, *, subject_again: bool) -> str:
    speech, sign = talk.speech, talk.deal.rep.name if line.who is None else line.who.name
    hello = speech.line("mail_open").replace("@", name)
    more = speech.frame("mail_more", ActionKind.STATEMENT).text if subject_again else ""
    body = (
        f"{line.words.text} {more}".strip()
        if talk.deal.language == "en"
        else f"{line.words.text}{more}"
    )
    return f"{hello}\n\n{body}\n\n{speech.line('mail_close')}\n{sign}"
