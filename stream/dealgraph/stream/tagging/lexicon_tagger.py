"""A tagger of words and rules: fast, explainable, for Chinese and English.

What a person does is decided by the first rule that fits (what is done goes before what it is about):

1. DELIVERY_CONCERN  not a rep; delivery topic with a question, worry, trouble or objection
2. OBJECTION         an objection, not negated
3. NEXT_STEP         proposes or fixes what happens next, even as a question
4. SMALL_TALK        greeting or thanks, no topic, no question word (a bare "?" is polite)
5. QUESTION          a question mark, particle or question word (but "which never happens." asks nothing)
6. COMMITMENT        promises or agrees, not negated; a rep who over-promises
7. OBJECTION         worry alone, with less confidence
8. ANSWER            says that it answers ("yes, …", "to your question")
9. COMPETITOR_MENTION, PRICE_TALK, LEGAL_TOPIC by topic
10. NEXT_STEP        speaks of next steps without fixing one
11. STATEMENT

Text in quotation marks, quoted mail lines and web addresses do not count, unless there is nothing
else. Only the first 20,000 characters are read: the cost is linear in them and bounded.
"""

import hashlib
import re
from collections.abc import Sequence
from math import sqrt
from typing import Final

import msgspec
from msgspec import Struct

from dealgraph.graph.model import ActionKind, Emotion, Side, Topic, topic_set
from dealgraph.stream.tagging.automaton import (
    STATED,
    Entry,
    build_automaton,
    find,
    normalise,
    spell,
)
from dealgraph.stream.tagging.lexicon import Cue, Lexicon, shipped_lexicons
from dealgraph.stream.tagging.tags import Tags, Utterance

RULES_VERSION: Final = 3
"""Raise it when the rules of this module change."""

MAX_READ: Final = 20_000
"""Characters of a text that are read."""

NEGATION_REACH: Final = 25
"""A negation turns round what follows within this many bytes (and within the clause)."""

CHINESE_NEGATION_REACH: Final = 18
"""The same after a Chinese negation: six characters."""

_DELIVERY: Final = topic_set(Topic.DELIVERY)
_COMPETITOR: Final = topic_set(Topic.COMPETITOR)
_PRICE: Final = topic_set(Topic.PRICE)
_LEGAL: Final = topic_set(Topic.LEGAL)
_NEXT_STEP: Final = topic_set(Topic.NEXT_STEP)
_OVER_PROMISE: Final = topic_set(Topic.OVER_PROMISE)
_DENIABLE: Final = topic_set(Topic.OVER_PROMISE, Topic.SENSITIVE) * (1 + (1 << STATED))
"""Topics that a negation takes away: \"we pay no kickbacks\"."""

# Plain integers: the flags of an enumeration cost a microsecond per operation.
_QUESTION: Final = int(Cue.QUESTION)
_OBJECTION: Final = int(Cue.OBJECTION)
_WORRY: Final = int(Cue.WORRY)
_COMMITMENT: Final = int(Cue.COMMITMENT)
_NEXT: Final = int(Cue.NEXT_STEP)
_ANSWER: Final = int(Cue.ANSWER)
_SMALL_TALK: Final = int(Cue.SMALL_TALK)
_NEGATION: Final = int(Cue.NEGATION)
_TURN: Final = int(Cue.TURN)
_OPENING: Final = int(Cue.OPENING)
_TROUBLE: Final = int(Cue.TROUBLE)
_NEGATABLE: Final = _OBJECTION | _WORRY | _TROUBLE | _COMMITMENT | _NEXT
_PLAIN: Final = (1 << STATED) - 1
_ASKED: Final = 1024
"""A question mark, kept beside the cues."""

# As spelt: the last three are the first bytes of 、。 of ， ； ： ！ and of … in UTF-8.
_CLAUSE_END: Final = frozenset(".,;:!?\n\xe3\xef\xe2")
_FULL_STOPS: Final = (".", "\xe3\x80\x82")
"""As spelt: the second is 。 in UTF-8."""
_QUOTE_OPENERS: Final = ('"', "“", "「", "『", "《", ">", "://")
# Each alternative stops at the next opener, so that unpaired ones do not cost quadratic time.
_SET_ASIDE: Final = re.compile(
    r'"[^"]*"|“[^“”]*”|「[^「」]*」|『[^『』]*』|《[^《》]*》|^[ \t]*>[^\n]*$|\b[a-z]{2,8}://\S+',
    re.MULTILINE,
)
_CHINESE_LEADS: Final = bytes(range(0xE4, 0xEA))
"""First UTF-8 bytes of U+4000 to U+9FFF: nearly all Chinese characters in use, one byte each."""

_NEUTRAL_CONFIDENCE: Final = 0.3
_CALM: Final = 0.2


class Reading(Struct, frozen=True, gc=False):
    """What the lexicon found in a text, before anything is decided.

    `cues` and `topics` are sets of bits (`lexicon.Cue`, `graph.model.Topic`); `stated` are those of
    the topics whose words the tenant states. `valence` is a sum of weights, `arousal` lies above 0.2, `felt`
    is the number of words with a valence.
    """

    language: str
    cues: int
    topics: int
    valence: float
    arousal: float
    felt: int
    worded: bool
    stated: int


class LexiconTagger:
    """Tags by lexicons, with the tenant's names of competitors and products added to them."""

    __slots__ = ("_automaton", "_silent", "_version")

    def __init__(
        self,
        lexicons: Sequence[Lexicon],
        competitors: Sequence[str] = (),
        products: Sequence[str] = (),
    ) -> None:
        """Raise LexiconError when an entry or a name is empty."""
        self._automaton = build_automaton(lexicons, competitors, products)
        self._silent = _silent(lexicons, products)
        content = msgspec.json.encode(
            [RULES_VERSION, list(lexicons), sorted(competitors), sorted(products)], order="sorted"
        )
        self._version = f"lexicon-{hashlib.sha256(content).hexdigest()[:12]}"

    @property
    def version(self) -> str:
        """Version of rules, lexicons and competitor names."""
        return self._version

    def tag(self, text: str, side: Side, *, with_emotion: bool) -> Tags:
        """Return the tags of `text`; emotion only for customers and only `with_emotion`.

        What employees feel is never inferred, and an unknown speaker may be one.
        """
        return tags_of(self.read(text), side, with_emotion=with_emotion)

    def tag_all(self, utterances: Sequence[Utterance]) -> list[Tags]:
        """Return the tags of each utterance."""
        return [self.tag(one.text, one.side, with_emotion=one.with_emotion) for one in utterances]

    def words(self, text: str) -> list[tuple[str, Entry]]:
        """Return the words that are found in `text`, in their order, with what they stand for."""
        spelt = shown(text)
        return [
            (spelt[start:end].encode("latin-1", "replace").decode("utf-8", "replace"), entry)
            for start, end, entry in find(self._automaton, spelt)
        ]

    def left(self, text: str) -> str:
        """Return what a model may read of `text`: without products and what the tenant hides or removes."""
        return self._silent.sub(" ", text) if self._silent else text

    def read(self, text: str) -> Reading:
        """Return what the lexicon finds in `text`."""
        low = normalise(text if len(text) <= MAX_READ else text[:MAX_READ])
        low = _set_aside(low)
        language = _language(low)
        spelt = spell(low)
        found = find(self._automaton, spelt)
        cues, topics, valence, arousal, felt = _gather(found, spelt)
        arousal += 0.15 * min(3, low.count("!"))
        stated = topics >> STATED
        return Reading(
            language, cues, topics & _PLAIN, valence, arousal, felt, bool(language or found), stated
        )


def tags_of(reading: Reading, side: Side, *, with_emotion: bool) -> Tags:
    """Return the tags that the rules give to a reading."""
    topics = reading.topics if side is Side.REP else reading.topics & ~_OVER_PROMISE
    kind, confidence = _kind(reading.cues, topics, side)
    emotion = None
    if with_emotion and side is Side.CUSTOMER and (reading.language or reading.felt):
        emotion = _emotion(reading.valence, reading.arousal, reading.felt)
    sure = confidence if reading.worded else 0.0
    return Tags(kind, sure, topics, emotion, reading.language)


def load_default_tagger(competitors: Sequence[str] = ()) -> LexiconTagger:
    """Return the tagger with the shipped lexicons and these names of competitors."""
    return LexiconTagger(shipped_lexicons(), competitors)


def _silent(lexicons: Sequence[Lexicon], products: Sequence[str]) -> re.Pattern[str] | None:
    """Return a pattern of the words that are to mean nothing, the longest first, or None."""
    own = [word for one in lexicons if not one.shipped for word in (*one.hide, *one.remove)]
    found = sorted(
        {word.strip() for word in (*own, *products)}, key=lambda word: (-len(word), word)
    )
    parts = []
    for word in found:
        bare = word.removesuffix("*")
        spelt = re.sub(r"(\\-|\\ )+", r"[\\s-]+", re.escape(bare))
        open_ended = r"\w*" if word != bare else r"\b" if bare[-1:].isascii() else ""
        parts.append((r"\b" if bare[:1].isascii() else "") + spelt + open_ended)
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None


def shown(text: str) -> str:
    """Return `text` as the lexicon reads it, spelt in bytes; see `automaton.spell`."""
    return spell(_set_aside(normalise(text[:MAX_READ])))


def _set_aside(low: str) -> str:
    """Take out quotations and web addresses; a text that is nothing but a quotation stays."""
    for opener in _QUOTE_OPENERS:
        if opener in low:
            rest = _SET_ASIDE.sub(" ", low)
            return low if rest.isspace() or not rest else rest
    return low


def _language(low: str) -> str:
    """Return "zh" when a sixth of the characters or more are Chinese, "en" for Latin letters, or ""."""
    if low.isascii():
        return "en" if low.islower() else ""
    raw = low.encode("utf-8", "surrogatepass")
    chinese = len(raw) - len(raw.translate(None, _CHINESE_LEADS))
    if chinese:
        return "zh" if 6 * chinese >= len(low) else "en"
    return "en" if 2 * len(low.encode("ascii", "ignore")) > len(low) and low.islower() else ""


def _gather(found: list[tuple[int, int, Entry]], spelt: str) -> tuple[int, int, float, float, int]:
    """Return cues, topics, sum of valence, arousal and the number of words with valence."""
    cues = _ASKED if "?" in spelt else 0
    told = not cues and spelt.rstrip().endswith(_FULL_STOPS)
    topics = felt = 0
    valence, arousal = 0.0, _CALM
    negation = -1
    for start, end, (_, _, _, entry_cues, entry_topics, weight, stirred) in found:
        arousal += stirred
        if entry_cues & _OPENING:
            if start and _CLAUSE_END.isdisjoint(spelt[max(0, start - 3) : start]):
                entry_cues = 0
            entry_cues &= ~_OPENING
        elif entry_cues & _QUESTION and spelt[start] <= "\x7f":
            told = False  # "I wonder", "could you tell me": asks whatever the stop
        if negation >= 0 and (weight or entry_cues & _NEGATABLE or entry_topics & _DENIABLE):
            if _reaches(spelt, negation, start):
                entry_cues &= ~_NEGATABLE
                entry_topics &= ~_DENIABLE
                weight *= -0.5
            negation = -1
        topics |= entry_topics
        if weight:
            valence += weight
            felt += 1
        if entry_cues & _NEGATION:
            negation = end
        elif entry_cues & _TURN:
            negation = -1
        cues |= entry_cues
    return cues & ~_QUESTION if told else cues, topics, valence, arousal, felt


def _reaches(spelt: str, negation: int, start: int) -> bool:
    between = spelt[negation:start]
    reach = NEGATION_REACH if spelt[negation - 1] <= "\x7f" else CHINESE_NEGATION_REACH
    return len(between) <= reach and _CLAUSE_END.isdisjoint(between)


def _kind(cues: int, topics: int, side: Side) -> tuple[ActionKind, float]:
    """Return the kind by the rules of this module, in their order, and how sure it is.

    The confidences are how often each rule was right on the tuning half of the test utterances.
    """
    asks = cues & (_QUESTION | _ASKED)
    if topics & _DELIVERY and side is not Side.REP:
        concerns = cues & (_WORRY | _TROUBLE | _OBJECTION)
        if asks or concerns:
            return ActionKind.DELIVERY_CONCERN, 0.85 if asks and concerns else 0.6
    if cues & _OBJECTION:
        return ActionKind.OBJECTION, 0.9
    if cues & _NEXT:
        return ActionKind.NEXT_STEP, 0.95
    if cues & _SMALL_TALK and not topics and not cues & (_QUESTION | _COMMITMENT | _WORRY):
        return ActionKind.SMALL_TALK, 0.65
    if asks:
        return ActionKind.QUESTION, 0.9 if cues & _ASKED else 0.5
    if cues & _COMMITMENT or topics & _OVER_PROMISE:
        return ActionKind.COMMITMENT, 0.85
    if cues & _WORRY:
        return ActionKind.OBJECTION, 0.5
    if cues & _ANSWER:
        return ActionKind.ANSWER, 0.6
    return _kind_by_topic(topics)


def _kind_by_topic(topics: int) -> tuple[ActionKind, float]:
    if topics & _COMPETITOR:
        return ActionKind.COMPETITOR_MENTION, 0.9
    if topics & _PRICE:
        return ActionKind.PRICE_TALK, 0.85
    if topics & _LEGAL:
        return ActionKind.LEGAL_TOPIC, 0.85
    if topics & _NEXT_STEP:
        return ActionKind.NEXT_STEP, 0.6
    return ActionKind.STATEMENT, 0.85


def _emotion(valence: float, arousal: float, felt: int) -> Emotion:
    """Return the emotion; a text without such words is neutral, which is little to go by."""
    confidence = min(0.9, 0.4 + 0.2 * felt) if felt else _NEUTRAL_CONFIDENCE
    return Emotion(valence / sqrt(valence * valence + 4.0), min(1.0, arousal), confidence)
