"""How well topics are found in utterances that were written from situations, not from the words.

Four files: English and Chinese, each in a half for tuning and a half that is kept apart. A line holds side,
kind, topics and text. Northwind, Acme, 用友 and 金蝶 are the tenant's competitors.
"""

import csv
from pathlib import Path

import pytest
from msgspec import Struct

from dealgraph.graph.model import Side, Topic, topics_of
from dealgraph.stream.tagging.lexicon_tagger import load_default_tagger

TAGGER = load_default_tagger(("Northwind", "Acme", "用友", "金蝶"))


class Found(Struct):
    """Topics of all utterances together: named by person and tagger, by one of them only."""

    both: int = 0
    added: int = 0
    missed: int = 0
    utterances: int = 0

    @property
    def precision(self) -> float:
        return self.both / (self.both + self.added)

    @property
    def recall(self) -> float:
        return self.both / (self.both + self.missed)


def found(language: str, half: str) -> Found:
    result = Found()
    path = Path(__file__).with_name(f"utterances_{language}_{half}.tsv")
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            expected = (
                set() if row["topics"] == "-" else {Topic[n] for n in row["topics"].split(",")}
            )
            tags = TAGGER.tag(row["text"], Side[row["side"].upper()], with_emotion=False)
            told = set(topics_of(tags.topics)) - {Topic.OWNERSHIP}
            result.both += len(told & expected)
            result.added += len(told - expected)
            result.missed += len(expected - told)
            result.utterances += 1
    return result


@pytest.mark.parametrize("language", ["en", "zh"])
def test_finds_the_topics_of_the_half_for_tuning(language: str) -> None:
    given = found(language, "tuning")
    assert given.precision >= 0.9
    assert given.recall >= 0.9


@pytest.mark.parametrize("language", ["en", "zh"])
def test_finds_most_topics_of_the_half_that_was_kept_apart(language: str) -> None:
    given = found(language, "held_out")
    assert given.precision >= 0.83
    assert given.recall >= 0.9


@pytest.mark.parametrize("language", ["en", "zh"])
def test_there_are_six_hundred_utterances_per_language(language: str) -> None:
    assert sum(found(language, half).utterances for half in ("tuning", "held_out")) >= 600
