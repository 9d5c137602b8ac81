import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.stream.tagging.grams import (
    MAX_READ,
    Grams,
    character_grams,
    letters,
    marks,
    rows_of,
    text_of,
    word_grams,
)

TEXTS = st.lists(st.text(max_size=40), min_size=1, max_size=6)


def hashes(grams: Grams, text: int) -> list[int]:
    return sorted(grams.hashes[grams.texts == text].tolist())


def shown(text: str, longest: int) -> list[str]:
    grams = word_grams(letters([text]), longest)
    return [text_of(s, e, text) for s, e in zip(grams.starts, grams.ends, strict=True)]


@settings(max_examples=60)
@given(TEXTS)
def test_a_text_has_the_same_features_alone_and_in_a_batch(texts: list[str]) -> None:
    batch = letters(texts)
    for number, text in enumerate(texts):
        alone = letters([text])
        assert hashes(word_grams(batch, 3), number) == hashes(word_grams(alone, 3), 0)
        assert hashes(character_grams(batch, 2, 5), number) == hashes(
            character_grams(alone, 2, 5), 0
        )
        assert hashes(marks(batch), number) == hashes(marks(alone), 0)


def test_words_are_runs_of_letters_single_marks_and_single_chinese_characters() -> None:
    assert shown("It's OK, 价格高", 1) == ["It's", "OK", ",", "价", "格", "高"]


def test_runs_of_words_stay_within_their_text() -> None:
    grams = word_grams(letters(["one two", "three"]), 2)
    assert len(grams.hashes) == 4


def test_letters_in_capitals_and_small_are_the_same_word() -> None:
    assert hashes(word_grams(letters(["PRICE"]), 1), 0) == hashes(
        word_grams(letters(["price"]), 1), 0
    )


@pytest.mark.parametrize(("one", "other"), [("ab c", "a bc"), ("no", "on"), ("价格", "格价")])
def test_different_runs_have_different_hashes(one: str, other: str) -> None:
    assert hashes(word_grams(letters([one]), 2), 0) != hashes(word_grams(letters([other]), 2), 0)


@pytest.mark.parametrize(("one", "other"), [("no", "no!"), ("no", "NO"), ("no way", "noooo way")])
def test_marks_tell_how_a_text_is_written(one: str, other: str) -> None:
    assert hashes(marks(letters([one])), 0) != hashes(marks(letters([other])), 0)


def test_no_more_than_the_first_characters_are_read() -> None:
    grams = character_grams(letters(["x" * 10 * MAX_READ]), 1, 1)
    assert len(grams.hashes) == MAX_READ + 2


def test_hashes_and_rows_are_those_that_stored_models_were_made_with() -> None:
    grams = word_grams(letters(["Price 价"]), 2)
    assert rows_of(grams.hashes, 0, 16).tolist() == GOLDEN
    assert rows_of(grams.hashes, 1, 16).tolist() != GOLDEN
    assert grams.hashes.dtype == np.uint64


GOLDEN = [26708, 61865, 39028]
"""Change it only together with `grams.VERSION`: stored models would read other rows."""
