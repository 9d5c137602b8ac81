"""A tagger that reads with the lexicon and decides with a linear model per language.

What the lexicon finds is evidence for the model, beside words, vectors and the side. The model speaks

- of the topics it knows; of the others the lexicon does;
- of the kind, where it can be: a statement on a price must have that topic, a rep has no concern. A model
  that knows no topics speaks of it only where the rules found nothing, and it is sure;
- of the mood of customers: good, bad or neither, and the likeliest feeling that fits.

**What a tenant states goes before the model**: its own words and the names of competitors always have their
topic, and what it hides or removes, products included, the model never sees.

A model looks at the text alone, never at the one before: events come late and shuffled, and the same text
must have the same tags in every order.
"""

import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final, Literal

import numpy as np
from msgspec import structs

from dealgraph.graph.model import ActionKind, Emotion, Side, Topic
from dealgraph.stream.tagging.features import Said, needs_context
from dealgraph.stream.tagging.lexicon_tagger import LexiconTagger, Reading, tags_of
from dealgraph.stream.tagging.linear_model import Doubles, LinearModel, probabilities
from dealgraph.stream.tagging.model_file import ModelError, read_model
from dealgraph.stream.tagging.moods import BAD, GOOD, MOODS, NEUTRAL, Feelings, moods
from dealgraph.stream.tagging.tags import Tags, Utterance
from dealgraph.stream.tagging.telling import OTHER, KindTeller, TopicTeller

TOPICS: Final = "topics"
"""The head that speaks of topics; its classes are names of `Topic`."""
KIND: Final = "kind"
"""The head that speaks of what is done; its classes are names of `ActionKind`, or "other"."""
MOOD: Final = "mood"
"""The head that tells good, neutral and bad moods."""
FEELING: Final = "feeling"
"""The head that names feelings; in a model without a head of moods it speaks of the mood, too."""
SHIPPED: Final = ("en", "zh")
"""Languages with a model in this package."""


class LearntTagger:
    """Tags by lexicon and by models per language; a language without a model is the lexicon's alone."""

    def __init__(self, lexicon: LexiconTagger, models: Mapping[str, LinearModel]) -> None:
        """Raise ModelError for a model that needs context or names feelings that have no place."""
        for language, model in models.items():
            _check(language, model)
        self.lexicon = lexicon
        self.models = models
        self._topics = {
            language: TopicTeller(model.heads[model.head(TOPICS)])
            for language, model in models.items()
            if model.head(TOPICS) >= 0
        }
        self._kinds = {
            language: KindTeller(model.heads[model.head(KIND)])
            for language, model in models.items()
            if model.head(KIND) >= 0
        }
        self._feelings = {
            language: Feelings(model.heads[model.head(FEELING)])
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
            all_ = language in self._topics
            numbers = [
                at for at, found in enumerate(tags)
                if found.language == language
                and (all_ or found.emotion is not None or _is_plain(found))
            ]  # fmt: skip
            if numbers:
                self._fill(language, utterances, readings, tags, numbers)
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
        model, left = self.models[language], self.lexicon.left
        said = [Said(left(utterances[at].text), side=utterances[at].side) for at in numbers]
        part = [readings[at] for at in numbers]
        scores = model.scores(said, part)
        sides = np.fromiter((one.side for one in said), np.int64, len(said))
        topics = np.fromiter((tags[at].topics for at in numbers), np.int64, len(said))
        if language in self._topics:
            stated = np.fromiter((one.stated for one in part), np.int64, len(said))
            topics = self._topics[language].tell(scores[model.head(TOPICS)], topics, stated, sides)
        found: Sequence[tuple[ActionKind, float]] = [
            (tags[at].kind, tags[at].confidence) for at in numbers
        ]
        if language in self._kinds:
            kinds, heard = self._kinds[language], scores[model.head(KIND)]
            if language in self._topics:
                found = kinds.tell(heard, topics, sides, found)
            else:
                found = kinds.add(heard, found, [_is_plain(tags[at]) for at in numbers])
        felt = self._emotions(language, scores, tags, readings, numbers)
        for at, (kind, sure), bits in zip(numbers, found, topics.tolist(), strict=True):
            tags[at] = Tags(kind, sure, bits, felt.get(at), language)

    def _emotions(
        self,
        language: str,
        scores: Sequence[Doubles],
        tags: Sequence[Tags],
        readings: Sequence[Reading],
        numbers: Sequence[int],
    ) -> dict[int, Emotion]:
        """Return the emotion of each text that may have one, by its number."""
        model = self.models[language]
        known = {at: one for at in numbers if (one := tags[at].emotion) is not None}
        rows = [row for row, at in enumerate(numbers) if at in known]
        mood, feeling = model.head(MOOD), model.head(FEELING)
        if not rows:
            return known
        if mood >= 0:
            head = model.heads[mood]
            likely = probabilities(head, scores[mood][rows])
            known = dict(zip(known, moods(head, likely, list(known.values())), strict=True))
        if feeling >= 0:
            feelings = self._feelings[language]
            carried = feelings.carried(probabilities(model.heads[feeling], scores[feeling][rows]))
            if mood < 0:
                told = zip(known.items(), feelings.moods(carried), strict=True)
                known = {
                    at: words if one is None or readings[at].felt else one
                    for (at, words), one in told
                }
            names = feelings.name(carried, [one.valence for one in known.values()])
            known = {
                at: structs.replace(one, feeling=name)
                for (at, one), name in zip(known.items(), names, strict=True)
            }
        return known


def shipped_models(kind: Literal["learnt", "sales"] = "learnt") -> dict[str, LinearModel]:
    """Return models that come with the package, by language.

    "learnt" knows feelings (and what is done, in Chinese) from drama; "sales" knows topics, too, from
    utterances of sales talk.
    """
    folder = resources.files("dealgraph.stream.tagging") / "models"
    prefix = "" if kind == "learnt" else f"{kind}_"
    files = {language: f"{prefix}{language}.safetensors" for language in SHIPPED}
    return {name: read_model((folder / file).read_bytes(), file) for name, file in files.items()}


def _is_plain(tags: Tags) -> bool:
    """Say whether the rules found nothing."""
    return tags.kind is ActionKind.STATEMENT and not tags.topics


def _check(language: str, model: LinearModel) -> None:
    if needs_context(model.blocks):
        raise ModelError(
            f"The model for {language!r} looks at what came before, and the live tagger must not. "
            "Train it with --alone."
        )
    for head in model.heads:
        known = _CLASSES.get(head.name)
        if known and (strange := [name for name in head.classes if name not in known]):
            raise ModelError(
                f"The model for {language!r} names the {head.name} {strange[0]!r}; dealgraph knows "
                f"{', '.join(known)}. Map it in the mapping's `values`."
            )


_CLASSES: Final[Mapping[str, Sequence[str]]] = {
    TOPICS: tuple(Topic.__members__),
    KIND: (*ActionKind.__members__, OTHER),
    MOOD: (GOOD, NEUTRAL, BAD),
    FEELING: tuple(MOODS),
}
"""Classes that heads of the live tagger may have."""
