"""Suggestions: what a rep can do about a signal, in the rep's language, as data."""

from importlib import resources
from typing import Final

import msgspec
from msgspec import Struct

from dealgraph.graph.model import Severity, SignalKind, SignalState


class SuggestionError(ValueError):
    """Suggestions cannot be used; the message says what to change."""


class Wording(Struct, frozen=True, forbid_unknown_fields=True):
    """One suggestion in each language."""

    en: str
    zh: str


class Advice(Struct, frozen=True, forbid_unknown_fields=True):
    """Suggestions for one kind of signal: while it lasts by form, else by severity; once it has ended."""

    info: Wording
    warning: Wording
    critical: Wording
    cleared: Wording
    forms: dict[str, Wording] = {}


class SuggestionBook(Struct, frozen=True, forbid_unknown_fields=True):
    """What the file holds: advice per kind of signal, and words for a signal that was withdrawn."""

    signals: dict[str, Advice]
    retracted: Wording


class Suggestions:
    """Suggestions for every kind of signal."""

    __slots__ = ("_advice", "_retracted")

    def __init__(self, book: SuggestionBook) -> None:
        """Raise SuggestionError when a kind of signal has no advice or a name is unknown."""
        names = {kind.name for kind in SignalKind}
        wrong = sorted(names ^ book.signals.keys())
        if wrong:
            raise SuggestionError(
                f"suggestions: missing or unknown kinds of signals: {', '.join(wrong)}"
            )
        self._advice: Final = {kind: book.signals[kind.name] for kind in SignalKind}
        self._retracted: Final = book.retracted

    def text(
        self,
        kind: SignalKind,
        severity: Severity,
        language: str,
        state: SignalState = SignalState.RAISED,
        form: str = "",
    ) -> str:
        """Return the suggestion; `language` "zh" or a tag such as "zh-CN", else English."""
        advice = self._advice[kind]
        if state is SignalState.RETRACTED:
            wording = self._retracted
        elif state is SignalState.CLEARED:
            wording = advice.cleared
        elif form in advice.forms:
            wording = advice.forms[form]
        elif severity is Severity.INFO:
            wording = advice.info
        else:
            wording = advice.critical if severity is Severity.CRITICAL else advice.warning
        return wording.zh if language.lower().split("-")[0] == "zh" else wording.en


def load_suggestions(raw: bytes | None = None) -> Suggestions:
    """Return the suggestions of a YAML file's content, or the shipped ones.

    Raises SuggestionError, which names the place.
    """
    if raw is None:
        raw = (resources.files("dealgraph.stream.signals") / "suggestions.yaml").read_bytes()
    try:
        return Suggestions(msgspec.yaml.decode(raw, type=SuggestionBook))
    except msgspec.DecodeError as error:
        raise SuggestionError(f"suggestions: {error}") from error
