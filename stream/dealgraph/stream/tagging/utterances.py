"""Utterances labelled by hand, one a line, for training and judging the live tagger.

    ## trade; channel; what happens
    c QUESTION PRICE . is that per chair or per practice

Side (`c` customer, `r` rep), kind, topics (`-` for none), mood (`+`, `-`, `.`; `?` where nobody said) and the
text. A scene begins with `##`; what is in it must not be torn apart.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dealgraph.graph.model import ActionKind, Side, Topic
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.tagging.features import Said
from dealgraph.stream.tagging.labelled import Labelled, Question
from dealgraph.stream.tagging.measures import Measure

TOPICS: Final = Question("topics", several=True)
KIND: Final = Question("kind", several=False, measure=Measure.ACCURACY)
MOOD: Final = Question("mood", several=False)
ASKED: Final = (TOPICS, KIND, MOOD)
"""What the lines say of each utterance."""

_SIDES: Final = {"c": Side.CUSTOMER, "r": Side.REP}
_MOODS: Final = {"+": ("good",), "-": ("bad",), ".": ("neutral",), "?": None}


def read_utterances(paths: Sequence[Path]) -> list[Labelled]:
    """Return the utterances of the files in their order. Raises SourceError, which names the line."""
    found: list[Labelled] = []
    for path in paths:
        scene, position = 0, 0
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.startswith("## "):
                scene, position = scene + 1, 0
            elif line.strip():
                where = f"{path.name}, line {number}"
                found.append(
                    _labelled(line, f"{path.parent.name}/{path.name}#{scene}", position, where)
                )
                position += 1
    return found


def _labelled(line: str, scene: str, position: int, where: str) -> Labelled:
    parts = line.split(" ", 4)
    if len(parts) < 5 or parts[0] not in _SIDES or parts[3] not in _MOODS:
        raise SourceError(
            f"{where}: write side, kind, topics, mood and text, with a space between."
        )
    side, kind, stated, mood, text = parts
    topics = () if stated == "-" else tuple(stated.split(","))
    for name, known in ((kind, ActionKind.__members__), *((t, Topic.__members__) for t in topics)):
        if name not in known:
            raise SourceError(f"{where}: {name!r} is none of {', '.join(known)}.")
    labels = {TOPICS.name: topics, KIND.name: (kind,)}
    if (felt := _MOODS[mood]) is not None:
        labels[MOOD.name] = felt
    return Labelled(Said(text, "", (False, False), position, _SIDES[side]), scene, labels)
