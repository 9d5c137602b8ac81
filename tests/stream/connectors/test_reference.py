"""The README of the connectors is a whole reference."""

import re
from pathlib import Path

import msgspec
import pytest

import dealgraph.stream.connectors as package
from dealgraph.stream.connectors.mapping import (
    ActorMapping,
    Choice,
    DurationMapping,
    FieldMapping,
    Mapping,
    TimeMapping,
)
from dealgraph.stream.connectors.metric_schemas import MetricSchema
from dealgraph.stream.connectors.registry import connectors
from dealgraph.stream.connectors.roster import RosterDocument, RosterPerson
from dealgraph.stream.connectors.statements import Grant

TEXT = Path(package.__path__[0], "README.md").read_text("utf-8")
WRITTEN = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`[^`]+`", TEXT))))
DOCUMENTS = [
    Mapping, TimeMapping, ActorMapping, DurationMapping, FieldMapping, Choice, Grant,
    RosterDocument, RosterPerson, MetricSchema,
]  # fmt: skip


@pytest.mark.parametrize("kind", DOCUMENTS, ids=lambda kind: str(kind.__name__))
def test_each_key_is_explained(kind: type[msgspec.Struct]) -> None:
    keys = {field.encode_name for field in msgspec.structs.fields(kind)}
    assert keys - WRITTEN == set()


def test_each_source_is_explained() -> None:
    assert [name for name in connectors() if f"| `{name}` |" not in TEXT] == []
