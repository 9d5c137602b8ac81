"""Lexicons: which words speak of what, per language, and one automaton that finds all of them.

A lexicon is a YAML file that people edit. Words of several languages go into one Aho–Corasick
automaton over the normalised text, so a text is read once however many words there are.

How an entry matches: one that begins or ends with a Latin letter or digit matches at word
boundaries; a trailing `*` lets the word go on ("deliver*" finds "delivery"); Chinese matches anywhere.
An entry inside a longer match does not count; the longer one takes over its topics, and its valence
and arousal where it states none. Cues it must state itself, and a `hide` entry takes over nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from enum import IntFlag
from importlib import resources
from typing import Final, NamedTuple, cast

import ahocorasick
import msgspec
from msgspec import Struct

from dealgraph.graph.model import Topic, topic_set

SHIPPED: Final = ("en", "zh")
"""Languages that have a lexicon in this package."""

WORD: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
"""Characters that make up words with boundaries."""


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


class Lexicon(Struct, frozen=True, forbid_unknown_fields=True):
    """The words of one language.

    `fillers` may stand before an opening ("so how …"). `hide` are phrases whose words mean something
    else. `valence` weighs words from -3 (very bad) to 3 (very good), `arousal` from 0 to 1.
    """

    language: str
    topics: Topics = Topics()
    cues: Cues = Cues()
    fillers: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    valence: Mapping[str, float] = {}
    arousal: Mapping[str, float] = {}


class Entry(NamedTuple):
    """What a match means; `length` in bytes, `starts`/`ends` ask for a word boundary there."""

    length: int
    starts: bool
    ends: bool
    cues: int
    topics: int
    valence: float
    arousal: float


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


def shipped_lexicons() -> tuple[Lexicon, ...]:
    """Return the lexicons that come with the package."""
    folder = resources.files("dealgraph.stream.tagging") / "lexicons"
    return tuple(
        read_lexicon((folder / f"{name}.yaml").read_bytes(), f"{name}.yaml") for name in SHIPPED
    )


def normalise(text: str) -> str:
    """Return `text` as the automaton reads it: lower case, plain apostrophes, no hyphens."""
    low = text.lower().replace("-", " ")
    return low if low.isascii() else low.replace("’", "'").replace("？", "?").replace("！", "!")


def spell(low: str) -> str:
    """Return normalised text in the letters of the automaton: one per UTF-8 byte.

    The automaton searches its branches one by one; thousands of Chinese first characters make that slow,
    bytes branch 256 ways at most: 1.7 instead of 4.5 µs for 52 characters. Lengths and positions count bytes.
    """
    return low if low.isascii() else low.encode("utf-8", "surrogatepass").decode("latin-1")


def digest(parts: Iterable[object]) -> str:
    """Return a short digest of values: 12 hexadecimal digits."""
    return hashlib.sha256(msgspec.json.encode(list(parts), order="sorted")).hexdigest()[:12]


def build_automaton(
    lexicons: Sequence[Lexicon], competitors: Sequence[str]
) -> ahocorasick.Automaton:
    """Return the automaton over all entries; its values are `Entry`.

    Raises LexiconError for an empty word.
    """
    drafts: dict[str, _Draft] = {}
    for lexicon in lexicons:
        _add_lexicon(drafts, lexicon)
    for name in competitors:
        _draft(drafts, name).topics |= topic_set(Topic.COMPETITOR)
    plain = _automaton({word: draft.entry(word) for word, draft in drafts.items()})
    return _automaton({word: _inherit(plain, word, draft) for word, draft in drafts.items()})


def find(automaton: ahocorasick.Automaton, text: str) -> list[tuple[int, int, Entry]]:
    """Return (start, end, entry) of the matches in order, without those inside a longer match.

    `text` is spelt; `end` is exclusive. One pass: matches arrive by their end, for the same end the
    longest first, so starts on the stack always increase.
    """
    stack: list[tuple[int, int, Entry]] = []
    size = len(text)
    newest = 0
    word = WORD
    for last, entry in automaton.iter(text):
        end = last + 1
        if end == newest:
            continue
        start = end - entry[0]
        if entry[2] and end < size and text[end] in word:
            continue
        if entry[1] and start and text[start - 1] in word:
            continue
        while stack and stack[-1][0] >= start:
            stack.pop()
        stack.append((start, end, entry))
        newest = end
    return stack


class _Draft:
    """An entry while the lists are gathered."""

    __slots__ = ("arousal", "cues", "hides", "open_ended", "topics", "valence")

    def __init__(self) -> None:
        self.cues = 0
        self.topics = 0
        self.valence: float | None = None
        self.arousal: float | None = None
        self.hides = False
        self.open_ended = False

    def entry(self, word: str) -> Entry:
        """Return the entry for the spelt `word` without what it takes over from others."""
        return Entry(
            length=len(word),
            starts=word[0] in WORD,
            ends=word[-1] in WORD and not self.open_ended,
            cues=int(self.cues),
            topics=self.topics,
            valence=self.valence or 0.0,
            arousal=self.arousal or 0.0,
        )


def _draft(drafts: dict[str, _Draft], raw: str) -> _Draft:
    word = spell(normalise(raw).strip())
    open_ended = len(word) > 1 and word.endswith("*")
    if open_ended:
        word = word[:-1]
    if not word:
        raise LexiconError("a lexicon entry or competitor name is empty; remove it")
    draft = drafts.setdefault(word, _Draft())
    draft.open_ended |= open_ended
    return draft


def _add_lexicon(drafts: dict[str, _Draft], lexicon: Lexicon) -> None:
    for topic in Topic:
        for word in cast("tuple[str, ...]", getattr(lexicon.topics, topic.name.lower())):
            _draft(drafts, word).topics |= topic_set(topic)
    for field in Cues.__struct_fields__:
        name = field.removesuffix("_opening")
        bits = Cue[name.upper()]
        words: tuple[str, ...] = getattr(lexicon.cues, field)
        if field.endswith("_opening"):
            bits |= Cue.OPENING
            words += tuple(f"{filler} {word}" for filler in lexicon.fillers for word in words)
        for word in words:
            _draft(drafts, word).cues |= bits
    for word in lexicon.hide:
        _draft(drafts, word).hides = True
    for word, weight in lexicon.valence.items():
        _draft(drafts, word).valence = weight
    for word, weight in lexicon.arousal.items():
        _draft(drafts, word).arousal = weight


def _automaton(entries: Mapping[str, Entry]) -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton()
    for word, entry in entries.items():
        automaton.add_word(word, entry)
    automaton.make_automaton()
    return automaton


def _inherit(plain: ahocorasick.Automaton, word: str, draft: _Draft) -> Entry:
    """Return the entry of `word` with what it takes over from shorter entries inside it."""
    entry = draft.entry(word)
    if draft.hides:
        return entry
    topics, valence, arousal, negated = entry.topics, 0.0, 0.0, False
    for last, inner in plain.iter(word):
        start = last + 1 - inner.length
        if inner.length == len(word) or not _at_boundary(word, start, last + 1, inner):
            continue
        topics |= inner.topics
        valence += inner.valence
        arousal = max(arousal, inner.arousal)
        negated |= bool(inner.cues & Cue.NEGATION)
    return entry._replace(
        topics=topics,
        valence=entry.valence if draft.valence is not None or negated else valence,
        arousal=entry.arousal if draft.arousal is not None else arousal,
    )


def _at_boundary(text: str, start: int, end: int, entry: Entry) -> bool:
    opened = not entry.starts or start == 0 or text[start - 1] not in WORD
    closed = not entry.ends or end == len(text) or text[end] not in WORD
    return opened and closed
