"""How often the tagger agrees with a person, on sentences written before it was run on them."""

from pathlib import Path

import pytest
from msgspec import Struct, yaml

from dealgraph.graph.model import ActionKind, Side, Topic, topics_of
from dealgraph.stream.tagging.lexicon_tagger import load_default_tagger
from dealgraph.stream.tagging.tags import Tags

TAGGER = load_default_tagger(("Salesforce", "用友"))


class Sentence(Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    kind: str
    topics: tuple[str, ...]
    side: str = "customer"


SENTENCES = yaml.decode(
    Path(__file__).with_name("sentences.yaml").read_bytes(), type=dict[str, tuple[Sentence, ...]]
)


def tags_of(sentence: Sentence) -> Tags:
    return TAGGER.tag(sentence.text, Side[sentence.side.upper()], with_emotion=False)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_names_what_is_done_as_a_person_does(language: str) -> None:
    sentences = SENTENCES[language]
    wrong = [one.text for one in sentences if tags_of(one).kind is not ActionKind[one.kind]]
    assert len(sentences) >= 60
    assert len(wrong) <= 0.05 * len(sentences), wrong


@pytest.mark.parametrize("language", ["en", "zh"])
def test_finds_the_topics_that_a_person_finds(language: str) -> None:
    sentences = SENTENCES[language]
    missed = [(s.text, t) for s in sentences for t in {Topic[n] for n in s.topics} - topics(s)]
    added = [(s.text, t) for s in sentences for t in topics(s) - {Topic[n] for n in s.topics}]
    expected = sum(len(one.topics) for one in sentences)
    assert len(missed) <= 0.05 * expected, missed
    assert len(added) <= 0.05 * expected, added


@pytest.mark.parametrize("language", ["en", "zh"])
def test_knows_the_language(language: str) -> None:
    assert {tags_of(one).language for one in SENTENCES[language]} == {language}


def topics(sentence: Sentence) -> set[Topic]:
    return set(topics_of(tags_of(sentence).topics))
