"""Linear models over hashed features: scores, calibrated probabilities, decisions, contributions.

A model hashes into 2^bits rows; those it uses have a line in one table, with a column per class of each head.
The score of a class is the sum, over a text's features, of rarity times scale (`features.scales`) times
weight, plus a bias. A head of one label turns scores s into probabilities by softmax(slope s + shift), fitted
on scores of dialogues the weights had not seen; it decides for the class with the largest log-probability
plus `lean`, so that what is reported as likely and what is best by the measure asked for are kept apart. A
head of several labels does the same with a logistic function per class, and lets a label stand where the
logit plus `lean` is above 0.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from dealgraph.stream.tagging.features import Block, Features, Floats, Said, features, scales
from dealgraph.stream.tagging.grams import Places
from dealgraph.stream.tagging.lexicon_tagger import Reading

Doubles = NDArray[np.float64]

CHUNK: Final = 256
"""Texts that are scored together: what they need then stays in the cache of a core."""


class Head(Struct, frozen=True, forbid_unknown_fields=True):
    """One question that a model answers, with its classes and how scores become probabilities.

    `several` says that a text may have none or many of the classes. `shares` are the shares of the classes in
    training, `by_lexicon` the class that training saw most for what the lexicon alone says (for comparison).
    """

    name: str
    classes: tuple[str, ...]
    several: bool
    bias: tuple[float, ...]
    slope: tuple[float, ...]
    shift: tuple[float, ...]
    lean: tuple[float, ...]
    shares: tuple[float, ...]
    by_lexicon: Mapping[str, tuple[str, ...]]


class LinearModel(Struct, frozen=True):
    """Heads, features, the rows in `used`, their rarity and `table` of (rows in use, all classes).

    `table` holds weights already multiplied by rarity. `card` says in words what it was trained on.
    """

    heads: tuple[Head, ...]
    blocks: tuple[Block, ...]
    bits: int
    used: Places
    rarity: Floats
    table: Floats
    card: str
    digest: str = ""
    place: NDArray[np.int32] = msgspec.field(default_factory=lambda: np.zeros(0, np.int32))
    """Where a row stands in `table`, -1 for one that is not in use; worked out from `used`."""

    def __post_init__(self) -> None:
        place = np.full(1 << self.bits, -1, np.int32)
        place[self.used] = np.arange(len(self.used), dtype=np.int32)
        msgspec.structs.force_setattr(self, "place", place)

    def head(self, name: str) -> int:
        """Return the number of the head called `name`, or -1."""
        return next((at for at, head in enumerate(self.heads) if head.name == name), -1)

    def scores(self, said: Sequence[Said], readings: Sequence[Reading]) -> list[Doubles]:
        """Return the scores per head, each shaped (texts, classes)."""
        parts = [
            self._scores(said[at : at + CHUNK], readings[at : at + CHUNK])
            for at in range(0, len(said), CHUNK)
        ]
        together = np.concatenate(parts) if parts else np.zeros((0, self.table.shape[1]))
        return self._by_head(together)

    def _scores(self, said: Sequence[Said], readings: Sequence[Reading]) -> Doubles:
        given = self.known(features(said, readings, self.blocks, self.bits))
        return sums(given, self.contributions(given))

    def known(self, given: Features) -> Features:
        """Return the features that the model uses, text by text, their rows as places in `table`."""
        place = self.place[given.rows]
        kept = np.flatnonzero(place >= 0)
        texts = given.texts[kept]
        if given.count > 1:
            order = np.argsort(texts.astype(np.uint16), kind="stable")
            kept, texts = kept[order], texts[order]
        return Features(
            place[kept].astype(np.int64), texts, given.blocks[kept], given.starts[kept], given.ends[kept],
            given.count,
        )  # fmt: skip

    def contributions(self, given: Features) -> Floats:
        """Return what each of the `known` features adds to each class, shaped (features, classes)."""
        scale = scales(given, self.blocks, self.rarity)
        parts: Floats = self.table.take(given.rows, axis=0)
        parts *= scale[:, None]
        return parts

    def _by_head(self, together: Doubles) -> list[Doubles]:
        found, first = [], 0
        for head in self.heads:
            last = first + len(head.classes)
            found.append(np.asarray(together[:, first:last] + np.array(head.bias)))
            first = last
        return found


def sums(given: Features, parts: Floats) -> Doubles:
    """Return the sums of `parts` per text; `given` are `known` features, so those of a text lie together.

    They are added one after the other: a text has the same sums in every batch.
    """
    sizes = np.bincount(given.texts, minlength=given.count)
    some = np.flatnonzero(sizes)
    found = np.zeros((given.count, parts.shape[1]))
    if len(some):
        found[some] = np.add.reduceat(parts, (np.cumsum(sizes) - sizes)[some], axis=0)
    return found


def probabilities(head: Head, scores: Doubles) -> Doubles:
    """Return calibrated probabilities for scores shaped (texts, classes)."""
    logits = scores * np.array(head.slope) + np.array(head.shift)
    if head.several:
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30))))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def decide(head: Head, likely: Doubles) -> NDArray[np.bool_]:
    """Return which classes stand, shaped as the probabilities; one per text unless `several`."""
    if head.several:
        logit = np.log(np.maximum(likely, 1e-12)) - np.log(np.maximum(1 - likely, 1e-12))
        return np.asarray(logit + np.array(head.lean) > 0)
    best = np.argmax(np.log(np.maximum(likely, 1e-12)) + np.array(head.lean), axis=1)
    return np.asarray(np.arange(likely.shape[1]) == best[:, None])
