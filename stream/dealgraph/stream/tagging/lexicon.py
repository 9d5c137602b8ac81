"""Lexicons: which words speak of what, per language.

A lexicon is a YAML file that people edit; `automaton` finds its words.

How an entry matches: one that begins or ends with a Latin letter or digit matches at word
boundaries; a trailing `*` lets the word go on ("deliver*" finds "delivery"); Chinese matches anywhere.
An entry inside a longer match does not count; the longer one takes over its topics, and its valence
and arousal where it states none. Cues it must state itself, unless it states a topic and no cue:
then it takes over those too (no negation, no opening). A `hide` entry takes over nothing.
"""

from collections.abc import Mapping
from enum import IntFlag
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, structs

SHIPPED: Final = ("en", "zh")
"""Languages that have a lexicon in this package."""


class Cue(IntFlag):
    """What an entry hints at, besides topics and emotion."""

    QUESTION = 1
    OBJECTION = 2
    WORRY = 4
    COMMITMENT = 8
    NEXT_STEP = 16
    ANSWER = 32
    SMALL_TALK = 64
    NEGATION = 128
    TURN = 256
    OPENING = 512
    TROUBLE = 2048


class LexiconError(ValueError):
    """A lexicon cannot be used; the message says what to change."""


class Cues(Struct, frozen=True, forbid_unknown_fields=True):
    """Words that show what is being done. `*_opening` count only where a sentence begins.

    `worry` is how people feel about something, `trouble` is what goes wrong: a date that slips is no
    objection, but about delivery it is a concern.
    """

    question: tuple[str, ...] = ()
    question_opening: tuple[str, ...] = ()
    objection: tuple[str, ...] = ()
    worry: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()
    commitment: tuple[str, ...] = ()
    next_step: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    answer_opening: tuple[str, ...] = ()
    small_talk: tuple[str, ...] = ()
    negation: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()


class Topics(Struct, frozen=True, forbid_unknown_fields=True):
    """Words that show what a text is about."""

    price: tuple[str, ...] = ()
    competitor: tuple[str, ...] = ()
    delivery: tuple[str, ...] = ()
    legal: tuple[str, ...] = ()
    technical: tuple[str, ...] = ()
    budget: tuple[str, ...] = ()
    timeline: tuple[str, ...] = ()
    next_step: tuple[str, ...] = ()
    ownership: tuple[str, ...] = ()
    over_promise: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()


class Lexicon(Struct, frozen=True, forbid_unknown_fields=True):
    """The words of one language, or what a tenant adds to them and takes from them.

    `remove` are words of the lexicons before this one that are to mean nothing any more. `fillers` may
    stand before an opening ("so how …"). `hide` are phrases whose words mean something else. `valence`
    weighs words from -3 (very bad) to 3 (very good), `arousal` from 0 to 1. `shipped` is set for those that
    come with the package: their words are evidence, those of a tenant's own files are orders.
    """

    language: str
    topics: Topics = Topics()
    cues: Cues = Cues()
    fillers: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    valence: Mapping[str, float] = {}
    arousal: Mapping[str, float] = {}
    shipped: bool = False


def read_lexicon(raw: bytes, name: str) -> Lexicon:
    """Decode a lexicon from YAML. Raises LexiconError, which names the file and the field."""
    try:
        lexicon = msgspec.yaml.decode(raw, type=Lexicon)
    except msgspec.DecodeError as error:
        raise LexiconError(
            f"lexicon {name}: {error}. Lists hold words; put yes, no, on and off in quotes, "
            "because YAML reads them as true and false."
        ) from error
    for word, weight in lexicon.valence.items():
        if not -3 <= weight <= 3:
            raise LexiconError(f"lexicon {name}: valence of {word!r} must lie between -3 and 3")
    for word, weight in lexicon.arousal.items():
        if not 0 <= weight <= 1:
            raise LexiconError(f"lexicon {name}: arousal of {word!r} must lie between 0 and 1")
    return lexicon


def load_lexicon(path: Path) -> Lexicon:
    """Return the lexicon in a file. Raises LexiconError, which names the file and what to change."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise LexiconError(f"lexicon {path} cannot be read: {error.strerror}") from error
    return read_lexicon(raw, str(path))


def shipped_lexicons() -> tuple[Lexicon, ...]:
    """Return the lexicons that come with the package."""
    folder = resources.files("dealgraph.stream.tagging") / "lexicons"
    return tuple(
        structs.replace(
            read_lexicon((folder / f"{name}.yaml").read_bytes(), f"{name}.yaml"), shipped=True
        )
        for name in SHIPPED
    )
