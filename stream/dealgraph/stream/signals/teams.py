"""Thresholds per team: a hint is judged by the limits of the team of the rep who holds the talk.

One detector per team, all over one form of state, so what was seen so far still counts when the next
action is of a rep of another team.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from dealgraph.stream.signals.detector import Detector, Episode, Observed, State
from dealgraph.stream.signals.thresholds import ThresholdError, Thresholds


class HintState(State):
    """What the detector of a hint remembers; `team` is that of the newest action, "" without a team."""

    team: str = ""


_Section = TypeVar("_Section", bound=Struct)
_Hint = TypeVar("_Hint", bound=HintState)


class ByTeam(Generic[_Hint]):
    """A detector that looks at each action with the thresholds of its rep's team.

    `usual` is for reps without a team, `teams` has a detector per team that differs, and `members` the
    team of a rep: by the id as actions carry it ("chat:wang"), or by what follows its first colon.
    """

    def __init__(
        self,
        usual: Detector[_Hint],
        teams: Mapping[str, Detector[_Hint]],
        members: Mapping[str, str],
    ) -> None:
        self._detectors: Final = {"": usual, **teams}
        self._members: Final = {rep: team for rep, team in members.items() if team in teams}
        self.rule = usual.rule
        self.scope = usual.scope
        self.topics = usual.topics
        self.version = _version(self._detectors, self._members)

    def begin(self) -> _Hint:
        """Start watching a session."""
        return self._detectors[""].begin()

    def observe(self, state: _Hint, action: Observed) -> Sequence[Episode]:
        """Take the next action of the session."""
        rep, members = action.rep, self._members
        team = members.get(rep) or members.get(rep.partition(":")[2], "")
        state.team = team
        return self._detectors[team].observe(state, action)

    def wake(self, state: _Hint, at: int) -> Sequence[Episode]:
        """Take note of the time, for the team that spoke last."""
        return self._detectors[state.team].wake(state, at)


def by_team(
    thresholds: Thresholds,
    name: str,
    section: type[_Section],
    make: Callable[[_Section], Detector[_Hint]],
) -> Detector[_Hint]:
    """Return the detector of a hint that `make` makes of its section `name`, per team where teams differ.

    Raises ThresholdError for a section that does not fit, of all or of a team.
    """
    usual = make(thresholds.section(name, section))
    teams = {}
    for team, changed in thresholds.of_teams(name).items():
        try:
            teams[team] = make(changed.section(name, section))
        except ThresholdError as error:
            raise ThresholdError(f"team {team}: {error}") from error
    return ByTeam(usual, teams, thresholds.members()) if teams else usual


def _version(detectors: Mapping[str, Detector[_Hint]], members: Mapping[str, str]) -> str:
    """Return the version of the usual detector with a digest of the teams' versions and members."""
    versions = {team: detector.version for team, detector in detectors.items()}
    content = msgspec.json.encode([versions, dict(members)], order="deterministic")
    return f"{versions['']}-{hashlib.sha256(content).hexdigest()[:8]}"
