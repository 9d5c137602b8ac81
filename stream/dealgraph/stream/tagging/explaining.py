"""Why a text has its tags: the words that were found, and what each feature adds to the scores of a model."""

from typing import Final

import numpy as np
from msgspec import Struct

from dealgraph.graph.model import Side, Topic, topics_of
from dealgraph.stream.tagging.features import (
    BlockKind,
    Features,
    Floats,
    Said,
    features,
    name_of,
)
from dealgraph.stream.tagging.grams import text_of
from dealgraph.stream.tagging.learnt_tagger import FEELING, LearntTagger
from dealgraph.stream.tagging.lexicon import Cue
from dealgraph.stream.tagging.lexicon_tagger import LexiconTagger, Reading
from dealgraph.stream.tagging.linear_model import LinearModel, probabilities
from dealgraph.stream.tagging.tags import Tags

_IN_TEXT: Final = (BlockKind.WORDS, BlockKind.CHARACTERS, BlockKind.VECTORS)


class Word(Struct, frozen=True):
    """A word of the lexicon, as found, with what it stands for."""

    text: str
    topics: tuple[Topic, ...]
    cues: tuple[str, ...]
    valence: float
    arousal: float


class Part(Struct, frozen=True):
    """A feature and what it adds to a score; equal features are one part."""

    name: str
    adds: float


class ClassScore(Struct, frozen=True):
    """A class of a head: `bias` and the `parts` sum to `score`; `likely` is its calibrated probability."""

    head: str
    name: str
    likely: float
    score: float
    bias: float
    parts: tuple[Part, ...]


class Explanation(Struct, frozen=True):
    """What is said about a text and why; `scores` hold the model's classes, likeliest first per head."""

    text: str
    version: str
    tags: Tags
    words: tuple[Word, ...]
    scores: tuple[ClassScore, ...]


def explain(tagger: LearntTagger | LexiconTagger, text: str, side: Side) -> Explanation:
    """Return why `text` has its tags. The words are read without side; what is negated still shows."""
    lexicon = tagger.lexicon if isinstance(tagger, LearntTagger) else tagger
    tags = tagger.tag(text, side, with_emotion=True)
    words = tuple(
        Word(
            found,
            topics_of(entry.topics),
            tuple(cue.name.lower() for cue in Cue if cue.name and entry.cues & cue),
            entry.valence,
            entry.arousal,
        )
        for found, entry in lexicon.words(text)
    )
    scores: list[ClassScore] = []
    model = tagger.models.get(tags.language) if isinstance(tagger, LearntTagger) else None
    if model is not None:
        scores = explain_model(model, Said(text), lexicon.read(text))
    if tags.emotion is None:  # what employees feel is not inferred, not even to explain
        scores = [one for one in scores if one.head != FEELING]
    return Explanation(text, tagger.version, tags, words, tuple(scores))


def explain_model(model: LinearModel, said: Said, reading: Reading) -> list[ClassScore]:
    """Return the classes of every head with the parts of their scores, the largest parts first."""
    given = model.known(features([said], [reading], model.blocks, model.bits))
    adds = model.contributions(given)
    names = [_name(model, given, at, said) for at in range(len(given.rows))]
    found: list[ClassScore] = []
    first = 0
    for head in model.heads:
        last = first + len(head.classes)
        score = adds[:, first:last].sum(0, dtype=np.float64) + np.array(head.bias)
        likely = probabilities(head, score[None, :])[0]
        for at in np.argsort(-likely):
            parts = _merged(names, adds[:, first + at])
            found.append(
                ClassScore(
                    head.name, head.classes[at], float(likely[at]), float(score[at]),
                    head.bias[at], parts,
                )
            )  # fmt: skip
        first = last
    return found


def _name(model: LinearModel, given: Features, at: int, said: Said) -> str:
    number = int(given.blocks[at])
    kind = model.blocks[number].kind
    start, end = int(given.starts[at]), int(given.ends[at])
    if kind in _IN_TEXT:
        return f"{text_of(start, end, said.text)!r}"
    if kind is BlockKind.WORDS_BEFORE:
        return f"before: {text_of(start, end, said.before)!r}"
    if kind is BlockKind.TOPICS:
        return f"({name_of(kind, start)})"
    begins = int(np.argmax(given.blocks == number))
    return f"({name_of(kind, at - begins)})"


def _merged(names: list[str], adds: Floats) -> tuple[Part, ...]:
    sums: dict[str, float] = {}
    for name, value in zip(names, adds.tolist(), strict=True):
        if value:
            sums[name] = sums.get(name, 0.0) + value
    ordered = sorted(sums.items(), key=lambda pair: -abs(pair[1]))
    return tuple(Part(name, value) for name, value in ordered)
