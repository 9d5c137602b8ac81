"""Damaged files that fuzzing found to reach code that nothing else did: each is read, and nothing raises."""

from pathlib import Path

import pytest

from dealgraph.stream.codec import interaction_to_record
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.registry import connector, connectors
from dealgraph.stream.interaction import Interaction
from tests.support.golden import CORPUS, goldens

FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("kept", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_file_of_the_corpus_is_read(tmp_path: Path, kept: Path) -> None:
    source = kept.parent.name
    golden = next(one for one in goldens() if one.source == source)
    stated, reader = golden.options(), connector(source)
    path = tmp_path / golden.path.name
    path.write_bytes(kept.read_bytes())
    try:
        items = [step.item for step in reader.parse(path, stated)]
    except SourceError as error:
        assert str(error)
        return
    for item in items:
        if isinstance(item, Interaction):
            interaction_to_record(item)
        else:
            reader.parse_record(item.payload, item.position, stated)


def test_the_corpus_knows_nothing_but_connectors() -> None:
    assert {path.parent.name for path in FILES} <= set(connectors())
    assert all(path.stat().st_size <= 1500 for path in FILES)
