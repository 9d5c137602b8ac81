from pathlib import Path

import pytest

from dealgraph.graph.model import Side
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.tagging.utterances import read_utterances


def written(folder: Path, text: str) -> list[Path]:
    path = folder / "lines.txt"
    path.write_text(text, encoding="utf-8")
    return [path]


def test_a_line_holds_side_kind_topics_mood_and_text_and_scenes_stay_together(
    tmp_path: Path,
) -> None:
    lines = (
        "## a\nc QUESTION PRICE,BUDGET - what: now\nr ANSWER - ? ten\n\n## b\nr STATEMENT - . so\n"
    )
    first, second, third = read_utterances(written(tmp_path, lines))
    assert first.said.text == "what: now"
    assert first.said.side is Side.CUSTOMER
    assert first.labels == {"topics": ("PRICE", "BUDGET"), "kind": ("QUESTION",), "mood": ("bad",)}
    assert second.labels == {"topics": (), "kind": ("ANSWER",)}
    assert first.dialogue == second.dialogue != third.dialogue


@pytest.mark.parametrize(
    "line",
    ["c QUESTION PRICE what", "x QUESTION - . what", "c HUM - . what", "c QUESTION MONEY . a"],
)
def test_a_line_that_is_no_utterance_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(SourceError, match=r"lines\.txt, line 2"):
        read_utterances(written(tmp_path, f"## a\n{line}\n"))
