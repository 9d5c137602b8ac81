"""Labelled dialogues for tests of taggers: small, made up, and easy to tell apart."""

from random import Random

from dealgraph.stream.tagging.features import ALONE, Block, Said
from dealgraph.stream.tagging.labelled import Labelled, Question
from dealgraph.stream.tagging.lexicon_tagger import load_default_tagger
from dealgraph.stream.tagging.linear_model import LinearModel
from dealgraph.stream.tagging.measures import Measure
from dealgraph.stream.tagging.training import Corpus, Plan, read_corpus, train

_GLAD = ("splendid", "lovely", "hooray", "marvellous", "delicious")
_CROSS = ("ghastly", "rotten", "beastly", "vile", "dreadful")
_PLAIN = ("the", "train", "goes", "north", "at", "noon", "through", "fields", "and", "towns")
FEELING = Question("feeling", several=False)
TRAITS = Question("traits", several=True)


def dialogues(count: int, seed: int = 1) -> list[Labelled]:
    """Return `count` dialogues of six texts: label `feeling`, and `traits` glad and cross, both or none."""
    random = Random(seed)
    found: list[Labelled] = []
    for number in range(count):
        before = ""
        for position in range(6):
            feeling = random.choice(("joy", "anger", "neutral"))
            words = random.choices(_PLAIN, k=5 if feeling == "neutral" else 4)
            if feeling != "neutral":
                words.insert(
                    random.randrange(4), random.choice(_GLAD if feeling == "joy" else _CROSS)
                )
            text = " ".join(words)
            traits = {"joy": ("glad",), "anger": ("cross", "loud"), "neutral": ("none",)}[feeling]
            labels = {"feeling": (feeling,), "traits": traits}
            said = Said(text, before, (False, position > 1), position)
            found.append(Labelled(said, f"dialogue-{number}", labels))
            before = text
    return found


def corpus(count: int, seed: int = 1) -> Corpus:
    """Return dialogues with the readings of the shipped lexicon."""
    return read_corpus(dialogues(count, seed), load_default_tagger())


def trained(
    question: Question = FEELING, blocks: tuple[Block, ...] = ALONE, count: int = 40
) -> LinearModel:
    """Return a small model trained on `count` dialogues."""
    plan = Plan(blocks, Measure.MACRO_F1, bits=12, strengths=(2.0,), folds=3)
    return train(corpus(count), [question], plan, "made-up dialogues")
