"""Hashed features of texts, for a whole batch at once: words, characters, marks and what the lexicon found.

A text becomes rows of a table of weights. Word n-grams are runs of words (a Chinese character is a word of
its own, and so is a mark of punctuation); character n-grams run over words and the spaces between them. Both
are polynomial hashes modulo 2^64, worked out for all texts of a batch in a few steps of numpy: the hash of a
word is a difference of prefix sums, that of an n-gram follows from the one before it.

Equal grams of a text are counted, not merged. No text is longer than `MAX_READ` characters here.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

VERSION: Final = 1
"""Version of the hashing; a model of another version cannot be used."""

MAX_READ: Final = 4_000
"""Characters of a text that are hashed; how something is said shows long before that."""

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

_BASE: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX: Final = np.uint64(0xD6E8FEB86659FD93)
_BMP: Final = 1 << 16
_SPACE, _LETTER, _SINGLE = 0, 1, 2
_SCRIPTS: Final = ((0x2E80, 0x9FFF), (0xAC00, 0xD7FF), (0xF900, 0xFAFF))
"""Ranges without spaces between words: each character counts as a word."""


class Grams(Struct, frozen=True, gc=False):
    """Features of a batch: the row of each, the number of its text, and where it stands there.

    `starts` and `ends` are positions in the text as it was cut (see `text_of`); both are 0 for a feature that
    is no part of the text.
    """

    hashes: Hashes
    texts: Places
    starts: Places
    ends: Places


class Letters(Struct, frozen=True, gc=False):
    """The characters of a batch: raw and lower case, the text of each, and where each text begins."""

    raw: NDArray[np.uint32]
    low: NDArray[np.uint32]
    classes: NDArray[np.uint8]
    texts: Places
    firsts: Places
    count: int


def letters(texts: Sequence[str]) -> Letters:
    """Return the characters of `texts`, each with a space before and after it."""
    cut = [f" {text[:MAX_READ]} " for text in texts]
    lengths = np.fromiter(map(len, cut), np.int64, len(cut))
    raw = np.frombuffer("".join(cut).encode("utf-32-le", "surrogatepass"), np.uint32)
    plain = np.minimum(raw, _BMP - 1)
    low = np.where(raw < _BMP, _LOWER[plain], raw)
    firsts = np.zeros(len(cut), np.int64)
    np.cumsum(lengths[:-1], out=firsts[1:])
    numbers = np.repeat(np.arange(len(cut)), lengths)
    return Letters(raw, low, _CLASS[plain], numbers, firsts, len(cut))


def text_of(gram_start: int, gram_end: int, text: str) -> str:
    """Return the part of `text` that a gram covers, spaces shown as `_`."""
    return f" {text[:MAX_READ]} "[gram_start:gram_end].replace(" ", "_")


def character_grams(given: Letters, shortest: int, longest: int) -> Grams:
    """Return the n-grams of `shortest` to `longest` characters."""
    parts: list[Grams] = []
    value = given.low.astype(np.uint64) + np.uint64(1)
    running = value
    for size in range(1, longest + 1):
        if size > 1:
            running = running[:-1] * _BASE + value[size - 1 :]
        if size >= shortest:
            parts.append(_whole(given, running, size, size, given.texts, None))
    return _joined(parts)


def word_grams(given: Letters, longest: int) -> Grams:
    """Return the n-grams of 1 to `longest` words."""
    word = given.classes == _LETTER
    single = given.classes == _SINGLE
    before = np.concatenate(([False], word[:-1]))
    after = np.concatenate((word[1:], [False]))
    starts = np.flatnonzero(single | (word & ~before))
    ends = np.flatnonzero(single | (word & ~after)) + 1
    texts = given.texts[starts]
    value = _word_hashes(given, starts, ends)
    parts: list[Grams] = []
    running = value
    for size in range(1, longest + 1):
        if size > 1:
            running = running[:-1] * _BASE + value[size - 1 :]
        parts.append(_whole(given, running, size, -size, texts, (starts, ends)))
    return _joined(parts)


def marks(given: Letters) -> Grams:
    """Return features of the form: exclamation and question marks, capitals, length, stretched words, end."""
    raw, classes = given.raw, given.classes
    plain = np.minimum(raw, _BMP - 1)
    shown = np.zeros((6, len(raw)), np.int32)
    shown[0] = _SHOUTS[plain]
    shown[1] = _ASKS[plain]
    dots = raw == ord(".")
    shown[2] = raw == ord("…")
    shown[2, :-1] |= dots[:-1] & dots[1:]
    same = raw[1:] == raw[:-1]
    shown[3, :-2] = same[1:] & same[:-1] & (classes[2:] == _LETTER)
    shown[4] = _IS_UPPER[plain]
    shown[5] = classes == _LETTER
    shouts, asks, trails, stretched, capitals, written = np.add.reduceat(
        shown, given.firsts, axis=1
    )
    sizes = np.diff(given.firsts, append=len(raw)) - 2
    columns = np.empty((given.count, 8), np.int64)
    columns[:, 0] = np.minimum(shouts, 3)
    columns[:, 1] = np.minimum(asks, 2)
    columns[:, 2] = np.minimum(trails, 2)
    columns[:, 3] = np.minimum(stretched, 1)
    columns[:, 4] = np.minimum(capitals, 3) + 4 * (capitals * 2 > written)
    columns[:, 5] = (shouts > 0) * 2 + (asks > 0)
    columns[:, 6] = np.log2(sizes + 1).round()
    columns[:, 7] = raw[given.firsts + sizes]
    return values(columns, 0)


def values(columns: Places, first: int) -> Grams:
    """Return one feature per column of whole numbers, shaped (texts, columns); columns count from `first`."""
    count, wide = columns.shape
    names = np.arange(first, first + wide, dtype=np.uint64) * np.uint64(1 << 32)
    hashes = (columns.astype(np.uint64) + names + np.uint64(1)) * _BASE
    nowhere = np.zeros(count * wide, np.int64)
    return Grams(hashes.ravel(), np.repeat(np.arange(count), wide), nowhere, nowhere)


def rows_of(hashes: Hashes, space: int, bits: int) -> Places:
    """Return the rows of `hashes` in a table of 2^bits rows; each `space` spreads them differently."""
    salt = np.uint64((space + 1) * int(_BASE) % (1 << 64))
    salted = (hashes ^ salt) * _MIX
    return (salted >> np.uint64(64 - bits)).astype(np.int64)


def _whole(
    given: Letters,
    running: Hashes,
    size: int,
    salt: int,
    texts: Places,
    spans: tuple[Places, Places] | None,
) -> Grams:
    """Return the grams of `size` that lie within one text."""
    if len(running) == 0 or len(texts) < size:
        nothing = np.zeros(0, np.int64)
        return Grams(np.zeros(0, np.uint64), nothing, nothing, nothing)
    kept = np.flatnonzero(texts[: len(running)] == texts[size - 1 :])
    number = texts[kept]
    if spans is None:
        starts, ends = kept, kept + size
    else:
        starts, ends = spans[0][kept], spans[1][kept + size - 1]
    offset = given.firsts[number]
    hashes = running[kept] ^ np.uint64(salt % 251)
    return Grams(hashes, number, starts - offset, ends - offset)


def _word_hashes(given: Letters, starts: Places, ends: Places) -> Hashes:
    """Return a hash per word: sum of character times base to the power of its place in the word."""
    if len(starts) == 0:
        return np.zeros(0, np.uint64)
    inside = given.classes > _SPACE
    opens = np.zeros(len(inside), np.int64)
    opens[starts] = 1
    place = np.arange(len(inside)) - starts[np.maximum(np.cumsum(opens) - 1, 0)]
    place = np.where(inside, place, 0)
    weighted = np.where(inside, (given.low.astype(np.uint64) + np.uint64(1)) * _POWERS[place], _NIL)
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(weighted)))
    return np.asarray((sums[ends] - sums[starts]) * _MIX)


def _joined(parts: Sequence[Grams]) -> Grams:
    return Grams(
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.texts for part in parts]),
        np.concatenate([part.starts for part in parts]),
        np.concatenate([part.ends for part in parts]),
    )


def _class_of(code: int) -> int:
    letter = chr(code)
    if letter.isspace():
        return _SPACE
    if letter == "'" or (
        letter.isalnum() and not any(first <= code <= last for first, last in _SCRIPTS)
    ):
        return _LETTER
    return _SINGLE


def _lower_of(code: int) -> int:
    if code == ord("’"):
        return ord("'")
    low = chr(code).lower()
    return ord(low) if len(low) == 1 else code


def _powers(count: int) -> Hashes:
    """Return the first powers of the base modulo 2^64."""
    found, value = [], 1
    for _ in range(count):
        found.append(value)
        value = value * int(_BASE) % (1 << 64)
    return np.array(found, np.uint64)


_NIL: Final = np.uint64(0)
_CLASS: Final = np.fromiter(map(_class_of, range(_BMP)), np.uint8, _BMP)
_LOWER: Final = np.fromiter(map(_lower_of, range(_BMP)), np.uint32, _BMP)
_IS_UPPER: Final = np.fromiter((chr(code).isupper() for code in range(_BMP)), np.bool_, _BMP)
_SHOUTS: Final = np.isin(np.arange(_BMP), (ord("!"), ord("！")))
_ASKS: Final = np.isin(np.arange(_BMP), (ord("?"), ord("？")))
_POWERS: Final = _powers(MAX_READ + 2)
