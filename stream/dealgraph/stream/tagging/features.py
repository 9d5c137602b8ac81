"""Features of what was said: the text, the text before it, who speaks, and what the lexicon found.

A feature set is a list of blocks. Each block hashes into rows of the same table with a salt of its own and is
brought to length 1, then weighted: so a long text before does not drown a short answer.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from dealgraph.graph.model import Side, Topic
from dealgraph.stream.tagging.grams import (
    Grams,
    Places,
    character_grams,
    letters,
    marks,
    rows_of,
    values,
    word_grams,
)
from dealgraph.stream.tagging.lexicon import Cue
from dealgraph.stream.tagging.lexicon_tagger import Reading, tags_of

Floats = NDArray[np.float32]


class BlockKind(StrEnum):
    """What a block of features looks at."""

    WORDS = "words"
    CHARACTERS = "characters"
    MARKS = "marks"
    LEXICON = "lexicon"
    TOPICS = "topics"
    VECTORS = "vectors"
    WORDS_BEFORE = "words_before"
    PLACE = "place"


class Block(Struct, frozen=True, forbid_unknown_fields=True):
    """A block: what it looks at, n-grams of `shortest` to `longest`, and its weight against the others."""

    kind: BlockKind
    weight: float
    shortest: int = 1
    longest: int = 1


_SALES: Final = (
    Block(BlockKind.MARKS, 0.4),
    Block(BlockKind.TOPICS, 0.7),
)
SALES: Final = {
    "en": (Block(BlockKind.WORDS, 1.0, 1, 2), *_SALES, Block(BlockKind.VECTORS, 1.5, 1, 1)),
    "zh": (Block(BlockKind.WORDS, 1.0, 1, 3), *_SALES, Block(BlockKind.VECTORS, 1.5, 1, 4)),
}
"""Features of the shipped models, by language; as `ALONE` they look at one text."""

ALONE: Final = (
    Block(BlockKind.WORDS, 1.0, 1, 2),
    Block(BlockKind.MARKS, 0.5),
    Block(BlockKind.LEXICON, 0.5),
)
"""Features of a text alone: what the live tagger uses, so that the order of arrival does not matter."""

DIALOGUE: Final = (
    *ALONE,
    Block(BlockKind.CHARACTERS, 0.7, 2, 5),
    Block(BlockKind.WORDS_BEFORE, 0.5, 1, 2),
    Block(BlockKind.PLACE, 0.25),
)
"""Features of a text within a dialogue that is known in order."""

_CONTEXT: Final = (BlockKind.WORDS_BEFORE, BlockKind.PLACE)


class Said(Struct, frozen=True, gc=False):
    """A text with what came before it. `same` says whether the one and the two before have its speaker."""

    text: str
    before: str = ""
    same: tuple[bool, bool] = (False, False)
    position: int = 0
    side: Side = Side.UNKNOWN


class Features(Struct, frozen=True, gc=False):
    """Features of a batch: row, number of the text, number of the block, and place in the text."""

    rows: Places
    texts: Places
    blocks: Places
    starts: Places
    ends: Places
    count: int


def features(
    said: Sequence[Said], readings: Sequence[Reading], blocks: Sequence[Block], bits: int
) -> Features:
    """Return the features of a batch that is not empty; `readings` holds what the lexicon found in each."""
    own = letters([one.text for one in said])
    parts: list[Grams] = []
    for block in blocks:
        if block.kind is BlockKind.WORDS:
            parts.append(word_grams(own, block.longest))
        elif block.kind is BlockKind.CHARACTERS:
            parts.append(character_grams(own, block.shortest, block.longest))
        elif block.kind is BlockKind.MARKS:
            parts.append(marks(own))
        elif block.kind is BlockKind.LEXICON:
            parts.append(values(np.array([_found(one) for one in readings], np.int64), 100))
        elif block.kind is BlockKind.TOPICS:
            parts.append(_topics(said, readings))
        elif block.kind is BlockKind.VECTORS:
            parts.append(word_grams(own, block.longest))
        elif block.kind is BlockKind.WORDS_BEFORE:
            parts.append(word_grams(letters([one.before for one in said]), block.longest))
        else:
            parts.append(values(np.array([_place(one) for one in said], np.int64), 200))
    rows = [rows_of(part.hashes, space, bits) for space, part in enumerate(parts)]
    sizes = [len(part.hashes) for part in parts]
    return Features(
        np.concatenate(rows),
        np.concatenate([part.texts for part in parts]),
        np.repeat(np.arange(len(parts)), sizes),
        np.concatenate([part.starts for part in parts]),
        np.concatenate([part.ends for part in parts]),
        len(said),
    )


def scales(given: Features, blocks: Sequence[Block], rarity: Floats) -> Floats:
    """Return the scale of each feature: by it each block of a text is brought to its weight."""
    rare = rarity[given.rows]
    slot = given.texts + given.blocks * given.count
    squares = np.bincount(slot, rare * rare, minlength=given.count * len(blocks))
    weights = np.repeat(np.array([block.weight for block in blocks]), given.count)
    scale = weights / np.sqrt(np.maximum(squares, 1e-12))
    return np.asarray(scale[slot], np.float32)


def needs_context(blocks: Sequence[Block]) -> bool:
    """Return whether any block looks at more than the text itself."""
    return any(block.kind in _CONTEXT for block in blocks)


def _topics(said: Sequence[Said], readings: Sequence[Reading]) -> Grams:
    """Return one feature per topic and cue that the lexicon found, and one each for side and valence.

    They stand nowhere in the text; `starts` holds the number of each instead, for its name.
    """
    count = len(said)
    found = np.fromiter((one.topics | one.cues << _TOPICS for one in readings), np.int64, count)
    felt = np.fromiter((one.valence for one in readings), np.float64, count)
    sides = np.fromiter((one.side for one in said), np.int64, count)
    texts, numbers = np.nonzero((found[:, None] >> _PLACES) & 1)
    every = np.arange(count)
    numbers = np.concatenate((numbers, _SIDES + sides, _VALENCES + _valence(felt)))
    texts = np.concatenate((texts, every, every))
    hashes = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(1 << 32)
    return Grams(hashes, texts, numbers, np.zeros_like(texts))


def _valence(felt: NDArray[np.float64]) -> Places:
    return np.clip(np.rint(felt * 2), -6, 6).astype(np.int64) + 6


_TOPICS: Final = 16
_CUES: Final = 12
_PLACES: Final = np.arange(_TOPICS + _CUES)
_SIDES: Final = _TOPICS + _CUES
_VALENCES: Final = _SIDES + 4

_NAMES: Final = {
    BlockKind.MARKS: (
        "exclamation marks", "question marks", "trailing dots", "stretched word", "capitals",
        "marks together", "length", "last character",
    ),
    BlockKind.LEXICON: (
        "kind of the rules", "valence of the words", "arousal of the words", "words with a mood",
        "language", "asks", "objects", "worries", "promises", "greets",
    ),
    BlockKind.PLACE: ("speakers before", "place in the dialogue"),
}  # fmt: skip


def name_of(kind: BlockKind, number: int) -> str:
    """Return the name of the feature `number` of a block whose features are no parts of the text."""
    if kind is BlockKind.TOPICS:
        return _topic_name(number)
    return _NAMES[kind][number]


def _topic_name(number: int) -> str:
    if number < _TOPICS:
        return f"the words say {Topic(number).name}"
    if number < _SIDES:
        return f"the words hint at {_cue_name(1 << number - _TOPICS)}"
    if number < _VALENCES:
        return f"said by {Side(number - _SIDES).name.lower()}"
    return f"valence of the words {(number - _VALENCES - 6) / 2:+}"


def _cue_name(bit: int) -> str:
    return next((cue.name.lower() for cue in Cue if cue == bit and cue.name), "a question mark")


def _found(reading: Reading) -> tuple[int, ...]:
    tags = tags_of(reading, Side.CUSTOMER, with_emotion=True)
    felt = tags.emotion
    valence = round(felt.valence * 4) + 8 if felt else 0
    arousal = round(felt.arousal * 4) + 1 if felt else 0
    cues = reading.cues
    return (
        int(tags.kind), valence, arousal, min(reading.felt, 3), len(reading.language and tags.language[:1])
        + (tags.language == "zh"), cues & 1 | cues >> 9 & 2, cues >> 1 & 1, cues >> 2 & 1,
        cues >> 3 & 1, cues >> 6 & 1,
    )  # fmt: skip


def _place(said: Said) -> tuple[int, ...]:
    first, second = said.same
    return (2 * first + second, min(said.position, 12))
