"""One Aho–Corasick automaton over the words of all lexicons: a text is read once, however many there are."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, cast

import ahocorasick

from dealgraph.graph.model import Topic, topic_set
from dealgraph.stream.tagging.lexicon import Cue, Cues, Lexicon, LexiconError

WORD: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
"""Characters that make up words with boundaries."""

STATED: Final = 16
"""Topics that a tenant's own words state hold this many bits higher, too, in the sets of entries."""


class Entry(NamedTuple):
    """What a match means; `length` in bytes, `starts`/`ends` ask for a word boundary there."""

    length: int
    starts: bool
    ends: bool
    cues: int
    topics: int
    valence: float
    arousal: float


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


def build_automaton(
    lexicons: Sequence[Lexicon], competitors: Sequence[str], products: Sequence[str] = ()
) -> ahocorasick.Automaton:
    """Return the automaton over all entries; its values are `Entry`.

    The words inside the name of a product do not count: "Price Pilot" is no talk of prices.
    Raises LexiconError for an empty word.
    """
    drafts: dict[str, _Draft] = {}
    for lexicon in lexicons:
        _add_lexicon(drafts, lexicon)
    for name in products:
        _draft(drafts, name).hides = True
    for name in competitors:
        _draft(drafts, name).topics |= _stated(topic_set(Topic.COMPETITOR))
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
    for word in lexicon.remove:
        drafts.pop(spell(normalise(word).strip()).removesuffix("*"), None)
    for topic in Topic:
        for word in cast("tuple[str, ...]", getattr(lexicon.topics, topic.name.lower())):
            bits = topic_set(topic)
            _draft(drafts, word).topics |= _stated(bits) if not lexicon.shipped else bits
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


def _stated(topics: int) -> int:
    return topics | topics << STATED


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
    cues = entry.cues
    takes_cues = draft.topics and not draft.cues
    for last, inner in plain.iter(word):
        start = last + 1 - inner.length
        if inner.length == len(word) or not _at_boundary(word, start, last + 1, inner):
            continue
        topics |= inner.topics
        if takes_cues and not inner.cues & (Cue.NEGATION | Cue.OPENING):
            cues |= inner.cues
        valence += inner.valence
        arousal = max(arousal, inner.arousal)
        negated |= bool(inner.cues & Cue.NEGATION)
    return entry._replace(
        cues=cues,
        topics=topics,
        valence=entry.valence if draft.valence is not None or negated else valence,
        arousal=entry.arousal if draft.arousal is not None else arousal,
    )


def _at_boundary(text: str, start: int, end: int, entry: Entry) -> bool:
    opened = not entry.starts or start == 0 or text[start - 1] not in WORD
    closed = not entry.ends or end == len(text) or text[end] not in WORD
    return opened and closed
