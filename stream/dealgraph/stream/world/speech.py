"""From an act on a subject to words: grammar, mood, register, typing slips.

    utterance = [opening] core [tail] [mood clause]        mood clause only where the valence is not neutral

The same production is not used twice in a conversation while another is left.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import ActionKind, Topic, topic_set
from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.grammar import Grammar, Production, Subject, spoken

_GAPS: Final = re.compile(r",? ([.,?!])")
"""What an alternative that was left empty leaves behind in English."""
_TRIES: Final = 6
VALENCES: Final = {-2: -0.8, -1: -0.4, 0: 0.0, 1: 0.4, 2: 0.8}
"""Valence of the five moods."""
_AROUSALS: Final = {-2: 0.8, -1: 0.5, 0: 0.2, 1: 0.4, 2: 0.7}
_PRICE, _LEGAL = topic_set(Topic.PRICE), topic_set(Topic.LEGAL)
_COMPETITOR, _DELIVERY = topic_set(Topic.COMPETITOR), topic_set(Topic.DELIVERY)
_QUESTIONS: Final = frozenset({"ask", "probe"})


class Register(StrEnum):
    """How people talk: aloud, in a chat, in a mail."""

    VOICE = "voice"
    CHAT = "chat"
    MAIL = "mail"


class Words(Struct, frozen=True, gc=False):
    """What is said, and what is true of it. `mood` from -2 to 2 (0 for reps)."""

    text: str
    kind: ActionKind
    topics: int
    mood: int
    subject: str
    indirect: bool

    @property
    def arousal(self) -> float:
        """Arousal of the mood."""
        return _AROUSALS[self.mood]


class Speech:
    """Puts acts into words for one conversation. `slots` as in `grammar.SLOTS`."""

    def __init__(
        self, grammar: Grammar, register: Register, draws: Draws, slots: Sequence[str]
    ) -> None:
        self._grammar = grammar
        self._register = register
        self._draws = draws
        self._slots = slots
        self._used: set[int] = set()
        self._said: set[str] = set()
        self._chinese = grammar.language == "zh"

    def say(self, act: str, subject: Subject, mood: int = 0, *, longer: bool = False) -> Words:
        """Put an act on a subject into words, `longer` with a second sentence where there is one."""
        production, core = self._fresh(subject.acts[act])
        if act == "worry" and mood >= 0:
            mood = -1
            text = self._sentence(self._opened(act, core), question=False)
        elif act == "agree" and mood <= 0:
            mood = 1
            text = self._sentence(self._opened(act, core), question=False)
        else:
            asks = act in _QUESTIONS and not production.indirect
            said = self._opened("say" if production.indirect else act, core)
            text = self._sentence(said, question=asks)
            if longer and len(subject.acts[act]) > 1:
                more = self._fresh(subject.acts[act])[1]
                text = self._joined(text, self._sentence(more, question=False))
            if mood:
                text = self._with_mood(text, mood)
        kind = _kind(act, subject.topics)
        return Words(text.strip(), kind, subject.topics, mood, subject.name, production.indirect)

    def frame(self, name: str, kind: ActionKind, topics: int = 0) -> Words:
        """Say something that is about no subject, such as a greeting."""
        production = self._pick(self._grammar.frames[name])
        text = spoken(production.nodes, self._draws.unit, self._slots)
        text = self._sentence(text, question=kind is ActionKind.QUESTION)
        return Words(text.strip(), kind, topics, 0, name, production.indirect)

    def take_note(self, mood: int) -> Words:
        """Say that something was heard; the mood goes with it."""
        words = self.frame("ack_customer", ActionKind.SMALL_TALK)
        if not mood:
            return words
        clause = self._sentence(self.line(_MOODS[mood]), question=False).strip()
        text = self._joined(words.text, clause)
        return Words(text, ActionKind.STATEMENT, 0, mood, words.subject, False)

    def line(self, name: str) -> str:
        """Draw a frame without any finish, such as the greeting of a mail."""
        return spoken(self._pick(self._grammar.frames[name]).nodes, self._draws.unit, self._slots)

    def has_more(self, act: str, subject: Subject) -> bool:
        """Say whether a production of the subject was not used yet."""
        return any(production.number not in self._used for production in subject.acts[act])

    def _fresh(self, productions: Sequence[Production]) -> tuple[Production, str]:
        """Draw a sentence that was not said yet; after some tries a repeated one."""
        for _ in range(_TRIES):
            production = self._pick(productions)
            core = spoken(production.nodes, self._draws.unit, self._slots)
            if core not in self._said:
                break
        self._said.add(core)
        return production, core

    def _pick(self, productions: Sequence[Production]) -> Production:
        production = self._draws.one(productions)
        for _ in range(_TRIES):
            if production.number not in self._used:
                break
            production = self._draws.one(productions)
        self._used.add(production.number)
        return production

    def _opened(self, act: str, core: str) -> str:
        """Return the core with an opening and a tail now and then; chats have fewer."""
        chance = 0.3 if self._register is Register.VOICE else 0.15
        if (tail := f"tail_{act}") in self._grammar.frames and self._draws.chance(chance):
            core += self.line(tail)
        if not self._draws.chance(chance):
            return core
        opening = self.line(f"open_{act}")
        return f"{opening}{core}" if self._chinese else f"{opening} {core}"

    def _with_mood(self, text: str, mood: int) -> str:
        clause = self._sentence(self.line(_MOODS[mood]), question=False)
        if self._draws.chance(0.3):
            return self._joined(clause, text)
        return self._joined(text, clause)

    def _joined(self, one: str, other: str) -> str:
        if not self._chinese:
            mark = "" if one.endswith((".", "?", "!", "…")) else ","
            return f"{one}{mark} {other}"
        mark = "" if one.endswith(("。", "？", "！", "…", "～", " ")) else " "
        return f"{one}{mark}{other}"

    def _sentence(self, text: str, *, question: bool) -> str:
        """Finish a sentence as the register does: chats drop full stops and often question marks."""
        chat = self._register is Register.CHAT
        text = _GAPS.sub(r"\1", " ".join(text.split())) if not self._chinese else text
        if self._chinese:
            if text.endswith(("。", "？", "！", "…", "～", "]")):
                return text
            if question:
                return text if chat and self._draws.chance(0.45) else f"{text}？"
            return f"{text} " if chat and self._draws.chance(0.7) else f"{text}。"
        if not (chat and self._draws.chance(0.5)):
            text = text[:1].upper() + text[1:]
        if text.endswith((".", "?", "!", "…")):
            return text
        if question:
            return text if chat and self._draws.chance(0.25) else f"{text}?"
        return text if chat and self._draws.chance(0.4) else f"{text}."


_MOODS: Final = {-2: "mood_awful", -1: "mood_bad", 1: "mood_good", 2: "mood_great"}


def _kind(act: str, topics: int) -> ActionKind:
    """Return what an act is in the words of the graph: what is done goes before what it is about."""
    if act in _QUESTIONS:
        return ActionKind.QUESTION
    if act == "worry":
        return ActionKind.DELIVERY_CONCERN if topics & _DELIVERY else ActionKind.OBJECTION
    if act == "agree":
        return ActionKind.COMMITMENT
    if act == "answer":
        return ActionKind.ANSWER
    if topics & _COMPETITOR:
        return ActionKind.COMPETITOR_MENTION
    if topics & _PRICE:
        return ActionKind.PRICE_TALK
    if topics & _LEGAL:
        return ActionKind.LEGAL_TOPIC
    return ActionKind.STATEMENT
