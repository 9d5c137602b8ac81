"""Grammars: what they may hold, how much they can say, and that nothing half-made comes out."""

import re

import pytest

from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.grammar import (
    Grammar,
    GrammarDocument,
    GrammarError,
    SubjectDocument,
    forms,
    grammar,
    spoken,
)

SLOTS = ("衍析", "拓维云", "星络", "李伟", "澄江", "张敏", "ERP")
LEFTOVERS = re.compile(r"[\[\]{}<>|~]|  |，，|。。|,,|\ufffd")
TOPICS = (
    "price",
    "technical",
    "delivery",
    "legal",
    "budget",
    "timeline",
    "competitor",
    "ownership",
)


def document(text: str, **symbols: str) -> GrammarDocument:
    return GrammarDocument(symbols, {"price.x": SubjectDocument(("price",), ask=text)})


def test_alternatives_nest_and_may_be_empty() -> None:
    made = Grammar("en", [document("a[b|c[d|]|]{end}", end="!\n?")])
    production = made.subjects["price.x"].acts["ask"][0]
    draws = Draws(1, "x")
    said = {spoken(production.nodes, draws.unit, SLOTS) for _ in range(300)}
    assert said == {f"a{middle}{end}" for middle in ("b", "cd", "c", "") for end in "!?"}
    assert forms(production.nodes) == len(said)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a[b", "not closed"),
        ("a]b", "without its"),
        ("a|b", "outside"),
        ("{x}", "no symbol"),
        ("<y>", "no slot"),
    ],
)
def test_a_broken_production_is_told(text: str, words: str) -> None:
    with pytest.raises(GrammarError, match=words):
        Grammar("en", [document(text)])


def test_a_symbol_that_leads_back_to_itself_is_told() -> None:
    with pytest.raises(GrammarError, match="back to itself"):
        Grammar("en", [document("{a}", a="x {b}", b="{a} y")])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_sentence_shows_marks_of_the_grammar(language: str) -> None:
    draws, shipped = Draws(7, language), grammar(language)
    productions = [p for ps in shipped.frames.values() for p in ps]
    productions += [p for s in shipped.subjects.values() for ps in s.acts.values() for p in ps]
    for production in productions:
        for _ in range(4):
            said = spoken(production.nodes, draws.unit, SLOTS)
            assert said
            if language == "zh":
                assert not LEFTOVERS.search(said), said


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_said_in_thousands_of_ways(language: str, topic: str) -> None:
    """A sentence is an opening, a core, a tail: the surface forms are their products."""
    shipped = grammar(language)
    count = 0
    for subject in shipped.groups[topic]:
        for act, productions in subject.acts.items():
            cores = sum(forms(p.nodes) for p in productions)
            for around in (f"open_{act}", f"tail_{act}"):
                cores *= 1 + sum(forms(p.nodes) for p in shipped.frames.get(around, ()))
            count += cores
    assert count >= 3_000


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_part_of_the_questions_is_indirect(language: str) -> None:
    asks = [p for s in grammar(language).subjects.values() for p in s.acts.get("ask", ())]
    assert 0.1 <= sum(p.indirect for p in asks) / len(asks) <= 0.4


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_can_be_asked_can_be_answered(language: str) -> None:
    for subject in grammar(language).subjects.values():
        if {"ask", "worry"} & set(subject.acts):
            assert "answer" in subject.acts, subject.name
        if "probe" in subject.acts:
            assert "say" in subject.acts, subject.name
