"""Labelled dialogues for training and judging taggers, read from event logs through their mappings.

A mapping states the labels of a text as attributes: `label_NAME` holds one class, `labels_NAME` any number of
them, separated by commas. An empty value means that nobody labelled the text. A dialogue is a session.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Side
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.mapping import Mapping as Columns
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.connectors.roster import Roster
from dealgraph.stream.interaction import Interaction
from dealgraph.stream.tagging.features import Said
from dealgraph.stream.tagging.measures import Measure

_ONE: Final = "label_"
_MANY: Final = "labels_"


class Labelled(Struct, frozen=True):
    """A text with its labels by name; `dialogue` groups what must not be torn apart."""

    said: Said
    dialogue: str
    labels: Mapping[str, tuple[str, ...]]


class Question(Struct, frozen=True):
    """What is asked of every text: the name of a label, and whether many classes may hold.

    `measure` is what its decisions are to be good at, where that is not the plan's.
    """

    name: str
    several: bool
    measure: Measure | None = None


def questions(mapping: Columns, wanted: Sequence[str] = ()) -> tuple[Question, ...]:
    """Return the labels that a mapping states, or those of them that are `wanted`.

    Raises SourceError when the mapping states none, or not one that is wanted.
    """
    found = [
        Question(name.removeprefix(_MANY), True)
        if name.startswith(_MANY)
        else Question(name.removeprefix(_ONE), False)
        for name in mapping.attributes
        if name.startswith((_ONE, _MANY))
    ]
    names = [one.name for one in found]
    if not found:
        raise SourceError(
            'The mapping states no labels. Add `attributes: {label_emotion: "{COLUMN}"}` to it.'
        )
    for name in wanted:
        if name not in names:
            raise SourceError(f"The mapping has no label {name!r}; it has {', '.join(names)}.")
    return tuple(one for one in found if not wanted or one.name in wanted)


def read_labelled(paths: Sequence[Path], mapping: Columns) -> list[Labelled]:
    """Return all texts of the files in their order, labelled or not, each with what came before it."""
    found: list[Labelled] = []
    for path in paths:
        texts: list[str] = []
        speakers: list[str] = []
        session = ""
        for item in _interactions(path, mapping):
            if item.session != session:
                session, texts, speakers = item.session, [], []
            speaker = item.actor.native_id or item.actor.name
            found.append(
                Labelled(
                    _said(item.text, speaker, item.actor.side, texts, speakers),
                    session,
                    _labels(item),
                )
            )
            texts.append(item.text)
            speakers.append(speaker)
    return found


def folds(labelled: Sequence[Labelled], count: int) -> list[list[int]]:
    """Return `count` disjoint lists of numbers that keep dialogues whole, about equal in size.

    A file of one long dialogue is cut into runs of 500 texts. The same input gives the same folds.
    """
    groups: dict[str, list[int]] = {}
    for number, one in enumerate(labelled):
        groups.setdefault(f"{one.dialogue}#{one.said.position // 500}", []).append(number)
    found: list[list[int]] = [[] for _ in range(count)]
    for name in sorted(groups, key=lambda name: (-len(groups[name]), _shuffled(name))):
        min(found, key=len).extend(groups[name])
    return [sorted(fold) for fold in found]


def _shuffled(name: str) -> int:
    """Return a number that puts names in an order that has nothing to do with their own."""
    value = 0
    for byte in name.encode():
        value = (value * 1_099_511_628_211 + byte + 1) % (1 << 61)
    return value * 0x9E3779B97F4A7C15 % (1 << 61)


def _interactions(path: Path, mapping: Columns) -> Iterator[Interaction]:
    for step in connector("eventlog").parse(path, Options(roster=Roster(), mapping=mapping)):
        if isinstance(step.item, Interaction) and step.item.text:
            yield step.item


def _said(text: str, speaker: str, side: Side, texts: list[str], speakers: list[str]) -> Said:
    before = texts[-1] if texts else ""
    one = bool(speakers) and speakers[-1] == speaker
    two = len(speakers) > 1 and speakers[-2] == speaker
    return Said(text, before, (one, two), len(texts), side)


def _labels(item: Interaction) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in item.attributes.items():
        if value and name.startswith(_MANY):
            parts = tuple(part.strip() for part in value.split(","))
            found[name.removeprefix(_MANY)] = tuple(part for part in parts if part)
        elif value and name.startswith(_ONE):
            found[name.removeprefix(_ONE)] = (value,)
    return found
