"""What the tagger says about an interaction, and the port of taggers."""

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

from dealgraph.graph.model import ActionKind, Emotion, Side


class Tags(Struct, frozen=True, gc=False):
    """Tags of one text. `topics` is a set as in `graph.model.Topic`; `language` "zh", "en" or ""."""

    kind: ActionKind
    confidence: float
    topics: int
    emotion: Emotion | None
    language: str


WORDLESS: Final = Tags(ActionKind.STATEMENT, 0.0, 0, None, "")
"""Tags of what has no words."""


class Utterance(Struct, frozen=True, gc=False):
    """A text to be tagged, whose side said it, and whether the customer's emotion may be inferred."""

    text: str
    side: Side
    with_emotion: bool


class Tagger(Protocol):
    """Tags texts. Pure: the same text and side give the same tags."""

    @property
    def version(self) -> str:
        """Version of rules and lexicons; it changes when any of them changes."""
        ...

    def tag(self, text: str, side: Side, *, with_emotion: bool) -> Tags:
        """Return the tags of `text`; emotion only for customers and only `with_emotion`."""
        ...

    def tag_all(self, utterances: Sequence[Utterance]) -> list[Tags]:
        """Return the tags of each, the same as one by one: a batch costs less."""
        ...
