"""A tagger that asks the lexicon first and a linear model where the lexicon is silent.

The lexicon knows what it knows: a word that it finds weighs more than a model trained on talk of another
kind. So topics are the lexicon's alone; the model of the text's language speaks

- of the mood, where no word of the lexicon has one and the model is sure enough;
- of the feeling's name, always: the likeliest of those that have such a valence;
- of the kind, where the rules say STATEMENT because nothing fitted.

A model looks at the text alone, never at the one before: events come late and shuffled, and the same text
must have the same tags in every order.
"""

import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final

import numpy as np
from msgspec import Struct, structs

from dealgraph.graph.model import ActionKind, Emotion, Feeling, Side
from dealgraph.stream.tagging.features import Said, needs_context
from dealgraph.stream.tagging.lexicon_tagger import LexiconTagger, Reading, tags_of
from dealgraph.stream.tagging.linear_model import Doubles, Head, LinearModel, probabilities
from dealgraph.stream.tagging.model_file import ModelError, read_model
from dealgraph.stream.tagging.tags import Tags, Utterance

FEELING: Final = "feeling"
"""The head that speaks of the mood."""
KIND: Final = "kind"
"""The head that speaks of what is done."""
SHIPPED: Final = ("en", "zh")
"""Languages with a model in this package."""


class Mood(Struct, frozen=True):
    """Where a feeling lies: valence in [-1, 1], arousal in [0, 1]."""

    valence: float
    arousal: float


MOODS: Final = {
    "neutral": Mood(0.0, 0.2),
    "calm": Mood(0.5, 0.2),
    "joy": Mood(0.8, 0.6),
    "surprise": Mood(0.0, 0.7),
    "anger": Mood(-0.8, 0.8),
    "disgust": Mood(-0.6, 0.5),
    "fear": Mood(-0.6, 0.6),
    "sadness": Mood(-0.7, 0.3),
}
"""The feelings that a model may name, about where Russell's circumplex (1980) has them."""


class _Feelings:
    """A head of feelings, ready to be read.

    Drama is angrier than business. Probabilities are carried over to the shares assumed for business by
    p(c) share'(c) / share(c), brought to a sum of 1 (Saerens, Latinne and Decaestecker 2002).
    """

    def __init__(self, head: Head) -> None:
        self.valence = np.array([MOODS[name].valence for name in head.classes])
        self.arousal = np.array([MOODS[name].arousal for name in head.classes])
        shares = np.array(head.shares)
        self.factor = np.ones(len(shares))
        for sign, share in _SHARES.items():
            members = np.sign(self.valence) == sign
            self.factor[members] = share / max(float(shares[members].sum()), 1e-6)
        self.good = (self.valence > 0).astype(float)
        self.bad = (self.valence < 0).astype(float)
        self.names = [Feeling[name.upper()] for name in head.classes]

    def carried(self, likely: Doubles) -> Doubles:
        """Return the probabilities with the shares of business."""
        carried = likely * self.factor
        return np.asarray(carried / carried.sum(axis=1, keepdims=True))

    def name(self, carried: Doubles, valences: Sequence[float]) -> list[Feeling]:
        """Return per text the likeliest feeling that has the sign of its valence, or UNKNOWN."""
        fits = np.sign(self.valence) == np.sign(np.array(valences))[:, None]
        best = np.where(fits, carried, -1.0).argmax(axis=1)
        return [
            self.names[at] if fits[row, at] else Feeling.UNKNOWN
            for row, at in enumerate(best.tolist())
        ]

    def moods(self, carried: Doubles) -> list[Emotion | None]:
        """Return the mood per text where it is surely good or bad, else None."""
        good, bad = carried @ self.good, carried @ self.bad
        valence, arousal = carried @ self.valence, carried @ self.arousal
        return [
            Emotion(v, a, max(up, down)) if abs(up - down) >= _SURE_OF_MOOD else None
            for v, a, up, down in zip(
                valence.tolist(), arousal.tolist(), good.tolist(), bad.tolist(), strict=True
            )
        ]


_KINDS: Final = {"question": ActionKind.QUESTION, "small_talk": ActionKind.SMALL_TALK}
_SHARES: Final = {-1: 0.2, 0: 0.6, 1: 0.2}
"""Shares of bad, neutral and good moods that are assumed of talk in business."""
_SURE_OF_MOOD: Final = 0.25
"""Least |P(good) - P(bad)| at which a mood is told."""
_SURE_OF_KIND: Final = 0.7


class LearntTagger:
    """Tags by lexicon and by models per language; a language without a model is the lexicon's alone."""

    def __init__(self, lexicon: LexiconTagger, models: Mapping[str, LinearModel]) -> None:
        """Raise ModelError for a model that needs context or names feelings that have no place."""
        for language, model in models.items():
            _check(language, model)
        self.lexicon = lexicon
        self.models = models
        self._feelings = {
            language: _Feelings(model.heads[model.head(FEELING)])
            for language, model in models.items()
            if model.head(FEELING) >= 0
        }
        named = " ".join(f"{name}:{models[name].digest}" for name in sorted(models))
        digest = hashlib.sha256(f"{lexicon.version} {named}".encode()).hexdigest()
        self._version = f"learnt-{digest[:12]}"

    @property
    def version(self) -> str:
        """Version of rules, lexicons, names and models."""
        return self._version

    def tag(self, text: str, side: Side, *, with_emotion: bool) -> Tags:
        """Return the tags of `text`; emotion only for customers and only `with_emotion`."""
        return self.tag_all([Utterance(text, side, with_emotion)])[0]

    def tag_all(self, utterances: Sequence[Utterance]) -> list[Tags]:
        """Return the tags of each utterance."""
        read = self.lexicon.read
        readings = [read(one.text) for one in utterances]
        tags = [
            tags_of(reading, one.side, with_emotion=one.with_emotion)
            for one, reading in zip(utterances, readings, strict=True)
        ]
        for language in self.models:
            open_ = [
                at for at, found in enumerate(tags)
                if found.language == language and (found.emotion is not None or _is_plain(found))
            ]  # fmt: skip
            if open_:
                self._fill(language, utterances, readings, tags, open_)
        return tags

    def _fill(
        self,
        language: str,
        utterances: Sequence[Utterance],
        readings: Sequence[Reading],
        tags: list[Tags],
        numbers: Sequence[int],
    ) -> None:
        """Let the model of `language` speak about the texts with these numbers."""
        model = self.models[language]
        said = [Said(utterances[at].text) for at in numbers]
        scores = model.scores(said, [readings[at] for at in numbers])
        feeling, kind = model.head(FEELING), model.head(KIND)
        if feeling >= 0:
            head = model.heads[feeling]
            self._tell_mood(language, probabilities(head, scores[feeling]), readings, tags, numbers)
        if kind >= 0:
            head = model.heads[kind]
            likely = probabilities(head, scores[kind])
            for at, row in zip(numbers, likely, strict=True):
                best = int(row.argmax())
                found = _KINDS.get(head.classes[best])
                if found is not None and row[best] >= _SURE_OF_KIND and _is_plain(tags[at]):
                    tags[at] = structs.replace(tags[at], kind=found, confidence=float(row[best]))

    def _tell_mood(
        self,
        language: str,
        likely: Doubles,
        readings: Sequence[Reading],
        tags: list[Tags],
        numbers: Sequence[int],
    ) -> None:
        feelings = self._feelings[language]
        carried = feelings.carried(likely)
        told: dict[int, tuple[int, Emotion]] = {}
        for row, (at, mood) in enumerate(zip(numbers, feelings.moods(carried), strict=True)):
            emotion = tags[at].emotion
            if emotion is not None:
                told[at] = row, emotion if mood is None or readings[at].felt else mood
        rows = [row for row, _ in told.values()]
        names = feelings.name(carried[rows], [emotion.valence for _, emotion in told.values()])
        for (at, (_, emotion)), name in zip(told.items(), names, strict=True):
            emotion = structs.replace(emotion, feeling=name)
            tags[at] = structs.replace(tags[at], emotion=emotion)


def shipped_models() -> dict[str, LinearModel]:
    """Return the models that come with the package, by language."""
    folder = resources.files("dealgraph.stream.tagging") / "models"
    return {
        name: read_model((folder / f"{name}.safetensors").read_bytes(), f"{name}.safetensors")
        for name in SHIPPED
    }


def _is_plain(tags: Tags) -> bool:
    return tags.kind is ActionKind.STATEMENT and not tags.topics


def _check(language: str, model: LinearModel) -> None:
    if needs_context(model.blocks):
        raise ModelError(
            f"The model for {language!r} looks at what came before, and the live tagger must not. "
            "Train it with --alone."
        )
    for head in model.heads:
        if head.name == FEELING and (strange := [n for n in head.classes if n not in MOODS]):
            raise ModelError(
                f"The model for {language!r} names the feeling {strange[0]!r}; dealgraph knows "
                f"{', '.join(MOODS)}. Map it in the mapping's `values`."
            )
