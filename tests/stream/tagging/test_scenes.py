"""How well topics are found in scenes of sales talk that were written without sight of words and models.

`scenes/LANGUAGE_a.txt` was judged once when the models were chosen, `_b.txt` once when they were finished.
The form of a line stands in stream/corpus/LABELS.md. Nothing may be tuned on them.
"""

from pathlib import Path

import pytest

from dealgraph.graph.model import Side, Topic, topics_of
from dealgraph.stream.tagging.learnt_tagger import LearntTagger, shipped_models
from dealgraph.stream.tagging.lexicon_tagger import load_default_tagger
from dealgraph.stream.tagging.tags import Tagger, Utterance
from dealgraph.stream.tagging.utterances import read_utterances

WORDS = load_default_tagger()
SALES = LearntTagger(WORDS, shipped_models("sales"))


def precision_and_recall(tagger: Tagger, language: str, half: str) -> tuple[float, float]:
    """Return the figures over all topics together."""
    path = Path(__file__).parent / "scenes" / f"{language}_{half}.txt"
    both = told = labelled = 0
    lines = read_utterances([path])
    tags = tagger.tag_all([Utterance(one.said.text, one.said.side, True) for one in lines])
    for one, found in zip(lines, tags, strict=True):
        expected = {Topic[name] for name in one.labels["topics"]}
        topics = set(topics_of(found.topics))
        both += len(expected & topics)
        told += len(topics)
        labelled += len(expected)
    return both / told, both / labelled


@pytest.mark.parametrize("half", ["a", "b"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_models_of_sales_talk_find_twice_as_many_topics_as_the_words(
    language: str, half: str
) -> None:
    by_words = precision_and_recall(WORDS, language, half)
    by_models = precision_and_recall(SALES, language, half)
    assert by_models[0] > 0.5 and by_models[1] > 0.6
    assert by_models[0] > by_words[0] - 0.05 and by_models[1] > 2 * by_words[1]


def test_each_language_has_more_than_six_hundred_utterances() -> None:
    for language in ("en", "zh"):
        paths = [Path(__file__).parent / "scenes" / f"{language}_{half}.txt" for half in "ab"]
        assert len(read_utterances(paths)) >= 600


def test_an_utterance_is_of_the_customer_or_of_the_rep() -> None:
    path = Path(__file__).parent / "scenes" / "en_a.txt"
    assert {one.said.side for one in read_utterances([path])} == {Side.CUSTOMER, Side.REP}
