from itertools import product

import pytest

from dealgraph.graph.model import Severity, SignalKind, SignalState
from dealgraph.stream.signals.suggestions import SuggestionError, load_suggestions

SHIPPED = load_suggestions()


def test_there_are_words_for_every_kind_severity_and_state_in_both_languages() -> None:
    for kind, severity, state in product(SignalKind, Severity, SignalState):
        assert SHIPPED.text(kind, severity, "en", state).isascii()
        assert SHIPPED.text(kind, severity, "zh", state).endswith(("。", "？", "！"))


def test_severities_differ_in_what_they_suggest() -> None:
    for kind in SignalKind:
        assert len({SHIPPED.text(kind, severity, "en") for severity in Severity}) == 3


@pytest.mark.parametrize(("language", "chinese"), [("zh-CN", True), ("ZH", True), ("de", False)])
def test_a_language_tag_picks_its_language_and_english_is_the_rest(
    language: str, chinese: bool
) -> None:
    text = SHIPPED.text(SignalKind.COMPETITOR_RATE, Severity.WARNING, language)
    assert text.isascii() is not chinese


def test_a_file_without_a_kind_of_signal_is_refused() -> None:
    with pytest.raises(SuggestionError, match="COMPETITOR_RATE"):
        load_suggestions(b"signals: {}\nretracted: {en: a, zh: b}\n")


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(SuggestionError, match="colour"):
        load_suggestions(b"signals: {}\ncolour: red\nretracted: {en: a, zh: b}\n")
