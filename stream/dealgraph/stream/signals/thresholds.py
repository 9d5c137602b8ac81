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

PER_TEAM: Final = (
    "competitor_rate",
    "over_promise",
    "price_sensitivity",
    "sensitive_term",
    "unanswered_question",
)
"""Sections that may differ per team: the hints, since a talk has one rep and a deal may have many."""


class ThresholdError(ValueError):
    """Thresholds cannot be used; the message names section and value."""


class Team(Struct, frozen=True, forbid_unknown_fields=True):
    """Reps, by id as actions carry it or by what follows its colon, and the values that differ for them."""

    reps: tuple[str, ...]
    thresholds: Mapping[str, _Values] = {}


_NO_TEAMS: Final[Mapping[str, Team]] = {}


class Thresholds(Struct, frozen=True):
    """Sections of thresholds by the name of the detector's module, and the teams for which they differ."""

    sections: Mapping[str, _Values]
    teams: Mapping[str, Team] = {}

    def section(self, name: str, form: type[_Section]) -> _Section:
        """Return the section `name` as `form`. Raises ThresholdError when it does not fit."""
        try:
            return msgspec.convert(self.sections.get(name, {}), form)
        except msgspec.ValidationError as error:
            names = ", ".join(form.__struct_fields__)
            raise ThresholdError(f"thresholds, section {name}: {error}. Names: {names}") from error

    def of_teams(self, name: str) -> dict[str, "Thresholds"]:
        """Return the thresholds of each team whose section `name` differs."""
        return {
            team: Thresholds({name: {**self.sections.get(name, {}), **stated.thresholds[name]}})
            for team, stated in sorted(self.teams.items())
            if name in stated.thresholds
        }

    def members(self) -> dict[str, str]:
        """Return the team of each rep who has one."""
        return {rep: name for name, team in sorted(self.teams.items()) for rep in team.reps}


def load_thresholds(
    changes: Mapping[str, _Values] = _NO_CHANGES, teams: Mapping[str, Team] = _NO_TEAMS
) -> Thresholds:
    """Return the shipped thresholds with single values replaced by `changes` per section, and by teams.

    Raises ThresholdError for a rep in two teams, and for a section that a team cannot change.
    """
    raw = (resources.files("dealgraph.stream.signals") / "thresholds.yaml").read_bytes()
    sections = msgspec.yaml.decode(raw, type=dict[str, dict[str, object]])
    for name, values in changes.items():
        sections[name] = {**sections.get(name, {}), **values}
    _check_teams(teams)
    return Thresholds(sections, teams)


def version_of(definition: int, section: Struct) -> str:
    """Return the version of a detector: number of its definition and digest of its thresholds."""
    digest = hashlib.sha256(msgspec.json.encode(section)).hexdigest()[:12]
    return f"{definition}-{digest}"


def _check_teams(teams: Mapping[str, Team]) -> None:
    team_of: dict[str, str] = {}
    for name, team in sorted(teams.items()):
        for section in team.thresholds:
            if section not in PER_TEAM:
                known = ", ".join(PER_TEAM)
                raise ThresholdError(
                    f"thresholds of team {name}: a team cannot change {section}, but {known}"
                )
        for rep in team.reps:
            if rep in team_of:
                raise ThresholdError(
                    f"thresholds: a rep is in two teams, {team_of[rep]} and {name}"
                )
            team_of[rep] = name
