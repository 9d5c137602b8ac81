import pytest

from dealgraph.stream.tagging.automaton import build_automaton, find, normalise, spell
from dealgraph.stream.tagging.lexicon import (
    Lexicon,
    LexiconError,
    Topics,
    read_lexicon,
    shipped_lexicons,
)


def found(text: str, *words: str) -> list[tuple[int, int]]:
    automaton = build_automaton([Lexicon(language="en", topics=Topics(price=words))], ())
    return [(start, end) for start, end, _ in find(automaton, spell(normalise(text)))]


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(LexiconError, match=r"lexicon mine\.yaml.*colour"):
        read_lexicon(b"language: en\ncolour: [red]\n", "mine.yaml")


def test_an_unknown_topic_is_refused_by_name() -> None:
    with pytest.raises(LexiconError, match="prize"):
        read_lexicon(b"language: en\ntopics: {prize: [cost]}\n", "mine.yaml")


def test_an_unquoted_no_is_explained() -> None:
    with pytest.raises(LexiconError, match="put yes, no, on and off in quotes"):
        read_lexicon(b"language: en\ncues: {negation: [no]}\n", "mine.yaml")


def test_broken_yaml_is_a_lexicon_error() -> None:
    with pytest.raises(LexiconError, match=r"mine\.yaml"):
        read_lexicon(b"topics: [", "mine.yaml")


@pytest.mark.parametrize("field", ["valence: {awful: -4}", "arousal: {very: 2}"])
def test_a_weight_out_of_range_is_refused(field: str) -> None:
    with pytest.raises(LexiconError, match="must lie between"):
        read_lexicon(f"language: en\n{field}\n".encode(), "mine.yaml")


@pytest.mark.parametrize("name", ["", "  ", "-"])
def test_an_empty_competitor_is_refused(name: str) -> None:
    with pytest.raises(LexiconError, match="empty"):
        build_automaton(shipped_lexicons(), [name])


def test_a_word_matches_between_boundaries() -> None:
    assert found("a price, prices", "price") == [(2, 7)]


def test_an_open_word_may_go_on_but_not_begin_inside_another() -> None:
    assert found("undelivered deliveries", "deliver*") == [(12, 19)]


def test_only_the_longest_of_nested_matches_is_found() -> None:
    assert found("the price tag", "price", "price tag", "tag") == [(4, 13)]


def test_partly_overlapping_matches_are_both_found() -> None:
    assert found("price tag team", "price tag", "tag team") == [(0, 9), (6, 14)]


def test_a_shorter_match_counts_where_the_longer_one_breaks_a_boundary() -> None:
    assert found("go live", "live", "go li") == [(3, 7)]


def test_chinese_matches_anywhere() -> None:
    assert found("总价格高", "价格") == [(3, 9)]
