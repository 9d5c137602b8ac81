"""Golden files: raw files of every kind of record, each with what a connector makes of it beside it.

`python -m tests.support.golden` writes the expectations anew; read the difference before it is committed.
"""

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.mapping import load_mapping
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.connectors.roster import load_roster
from dealgraph.stream.connectors.statements import SOURCE
from dealgraph.stream.interaction import Interaction, Rejected

FOLDER: Final = Path(__file__).parents[1] / "stream" / "connectors" / "golden"
CORPUS: Final = FOLDER.with_name("corpus")
"""Small damaged files per source that once reached code that nothing else did."""

_EXPECTED: Final = ".expected.json"


class Golden(msgspec.Struct, frozen=True):
    """A raw file, the source it belongs to, and where its expectation lies."""

    source: str
    path: Path

    @property
    def expectation(self) -> Path:
        """The file that says what the connector makes of it."""
        return self.path.with_name(self.path.name + _EXPECTED)

    def options(self) -> Options:
        """The roster of all golden files, and the mapping of the same name, if there is one."""
        mapping = self.path.with_suffix(".mapping.yaml")
        return Options(
            roster=load_roster(FOLDER / "roster.yaml"),
            mapping=load_mapping(mapping) if mapping.exists() else None,
        )

    def read(self) -> list[Interaction | Rejected]:
        """What the connector makes of the file, without what the roster states."""
        steps = connector(self.source).parse(self.path, self.options())
        return [step.item for step in steps if step.item.source != SOURCE]


def goldens() -> list[Golden]:
    """All golden files, in the order of their names."""
    return [
        Golden(folder.name, path)
        for folder in sorted(FOLDER.iterdir())
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if not path.name.endswith((_EXPECTED, ".yaml"))
    ]


def shown(items: list[Interaction | Rejected]) -> str:
    """The items as JSON, one after another, without fields that say nothing."""
    return json.dumps([_fields(item) for item in items], ensure_ascii=False, indent=1) + "\n"


def _fields(item: Any) -> Any:
    if isinstance(item, msgspec.Struct):
        named = msgspec.structs.asdict(item)
        return {
            name: _fields(value)
            for name, value in named.items()
            if name not in ("provenance", "payload", "read_with")
            and value not in (None, "", 0, (), {}, False)
        } | ({"type": type(item).__name__} if isinstance(item, Rejected) else {})
    if isinstance(item, tuple):
        return [_fields(one) for one in item]
    return getattr(item, "name", item)


if __name__ == "__main__":
    for golden in goldens():
        golden.expectation.write_text(shown(golden.read()), encoding="utf-8")
