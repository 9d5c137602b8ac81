"""Stages of the standard sequence, and the names that CRMs give them (`stages.yaml`, data per tenant)."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Final

import msgspec

from dealgraph.graph.model import Stage

CLOSED: Final = frozenset({Stage.WON, Stage.LOST, Stage.ONBOARDING})
"""Stages at which a deal is no longer open."""


@cache
def _names() -> Mapping[str, Stage]:
    raw = resources.files(__package__).joinpath("stages.yaml").read_bytes()
    listed = msgspec.yaml.decode(raw, type=dict[str, list[str]])
    names = {_plain(stage.name): stage for stage in Stage}
    for name, aliases in listed.items():
        names.update((_plain(alias), Stage[name]) for alias in aliases)
    return names


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


@cache
def stage_of(name: str) -> Stage:
    """Return the stage that a CRM calls `name`, without regard to capitals; UNKNOWN for other names."""
    return _names().get(_plain(name), Stage.UNKNOWN)


def stage_set(names: Iterable[str]) -> frozenset[Stage]:
    """Return the stages with these names. Raises ValueError for a name that no stage has."""
    found = {name: stage_of(name) for name in names}
    unknown = sorted(name for name, stage in found.items() if stage is Stage.UNKNOWN)
    if unknown:
        known = ", ".join(Stage.__members__)
        raise ValueError(f"no stage is called {', '.join(unknown)}; stages are {known}")
    return frozenset(found.values())
