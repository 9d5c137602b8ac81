"""Thresholds as data: shipped defaults, single values replaced per tenant, unknown names refused.

Each detector states the names, types and ranges of its thresholds as a Struct of its own and takes its
section from here, so a new detector needs no change in this module.
"""

import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(gt=0, lt=1)]

_Section = TypeVar("_Section", bound=Struct)
_Values = Mapping[str, object]
_NO_CHANGES: Final[Mapping[str, _Values]] = {}


class ThresholdError(ValueError):
    """Thresholds cannot be used; the message names section and value."""


class Thresholds(Struct, frozen=True):
    """Sections of thresholds by the name of the detector's module."""

    sections: Mapping[str, _Values]

    def section(self, name: str, form: type[_Section]) -> _Section:
        """Return the section `name` as `form`. Raises ThresholdError when it does not fit."""
        try:
            return msgspec.convert(self.sections.get(name, {}), form)
        except msgspec.ValidationError as error:
            names = ", ".join(form.__struct_fields__)
            raise ThresholdError(f"thresholds, section {name}: {error}. Names: {names}") from error


def load_thresholds(changes: Mapping[str, _Values] = _NO_CHANGES) -> Thresholds:
    """Return the shipped thresholds with single values replaced by `changes` per section."""
    raw = (resources.files("dealgraph.stream.signals") / "thresholds.yaml").read_bytes()
    sections = msgspec.yaml.decode(raw, type=dict[str, dict[str, object]])
    for name, values in changes.items():
        sections[name] = {**sections.get(name, {}), **values}
    return Thresholds(sections)


def version_of(definition: int, section: Struct) -> str:
    """Return the version of a detector: number of its definition and digest of its thresholds."""
    digest = hashlib.sha256(msgspec.json.encode(section)).hexdigest()[:12]
    return f"{definition}-{digest}"
