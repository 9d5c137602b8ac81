"""What comes out of the world: interactions with the time of their arrival, and what is true of them."""

from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.interaction import Interaction, InteractionKind, Person
from dealgraph.stream.world.deal import Deal
from dealgraph.stream.world.people import Contact
from dealgraph.stream.world.speech import Register, Words
from dealgraph.stream.world.talk import Line, Mark

MS_PER_CHARACTER: Final = {"zh": 220.0, "en": 65.0}
"""Usual pace of speech: about 270 Chinese characters or 160 English words a minute."""

_KINDS: Final = {
    Register.VOICE: (InteractionKind.UTTERANCE, Channel.VOICE, "meetings"),
    Register.CHAT: (InteractionKind.MESSAGE, Channel.CHAT, "wecom"),
    Register.MAIL: (InteractionKind.MAIL, Channel.MAIL, "mail"),
}


class Event(Struct, gc=False):
    """An interaction on its way. `arrives` in ms since 1970 UTC; `words` and `mark` are the truth of it.

    `unit` is the conversation or note that is recorded or not as a whole; `talk_ms` is customer talk;
    `broken` says that its record cannot be read.
    """

    interaction: Interaction
    arrives: int
    unit: int
    words: Words | None = None
    mark: Mark = None
    talk_ms: int = 0
    broken: bool = False


class Writer:
    """Turns the lines of one conversation into events."""

    def __init__(self, deal: Deal, register: Register, unit: int, session: str) -> None:
        self._deal = deal
        self._kind, self._channel, self._source = _KINDS[register]
        self._two_ids = register is Register.CHAT
        if self._two_ids:
            self._source = deal.customer.chat
        self._unit = unit
        self._session = session
        self._prefix = f"{deal.key}/{unit}/"
        self._pace = MS_PER_CHARACTER[deal.language]
        self._count = 0

    def event(
        self, line: Line, at: int, duration_ms: int, arrives: int, *, text: str = ""
    ) -> Event:
        """Return what is said as an event; `text` replaces the words where they stand in a mail."""
        deal, who, words = self._deal, line.who, line.words
        text = text or words.text
        self._count += 1
        interaction = Interaction(
            source=self._source,
            native_id=f"{self._prefix}{self._count}",
            kind=self._kind,
            channel=self._channel,
            occurred_at=at,
            actor=deal.rep.person if who is None else self.person(who),
            session=self._session,
            opportunity=deal.id,
            customer=deal.customer.id,
            rep=deal.rep.id,
            duration_ms=duration_ms,
            text=text,
        )
        talk = 0 if who is None else duration_ms or round(len(text) * self._pace)
        return Event(interaction, arrives, self._unit, words, line.mark, talk)

    def person(self, who: Contact) -> Person:
        """Return a contact as this source names them."""
        return Person(
            Side.CUSTOMER, who.chat if self._two_ids else who.mail, who.name, who.role, 1.0
        )
