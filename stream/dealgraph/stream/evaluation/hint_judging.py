"""Judges hints by the talks of a world: told in those where one was planted, and in those where none was."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from dealgraph.graph.model import Channel, Severity
from dealgraph.stream.evaluation.histories import Histories
from dealgraph.stream.signals.detector import Detector, Observed, Scope
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.world.scenario import Hint

LEAST_MINUTES: Final[Mapping[str, float]] = {Hint.COMPETITOR_RATE: 4.0, Hint.PRICE_SENSITIVITY: 7.0}
"""Customer talk, in minutes, that a talk must have for its hint to be asked for; 0 for the others."""

_AFTER_MS: Final = 3_600_000


class HintVerdict(Struct):
    """What was counted for one rule, in talks.

    `planted` talks have the hint and enough talk, in `found` of them it was raised. Of the `clean` talks,
    with no hint planted, `false` had it all the same, `warned` of these more than INFO.
    """

    planted: int = 0
    found: int = 0
    clean: int = 0
    false: int = 0
    warned: int = 0

    def recall(self) -> float:
        """Return the share of planted hints that were found."""
        return self.found / self.planted if self.planted else 0.0

    def false_share(self) -> float:
        """Return the share of clean talks in which the hint was raised."""
        return self.false / self.clean if self.clean else 0.0

    def even_precision(self) -> float:
        """Return the precision when as many talks have the hint as are clean."""
        both = self.recall() + self.false_share()
        return self.recall() / both if both else 0.0


class HintJudge:
    """Adds up verdicts over worlds, by rule."""

    def __init__(self, detectors: Iterable[Detector[Any]]) -> None:
        self._detectors = [one for one in detectors if one.scope is Scope.SESSION]
        self.verdicts: dict[str, HintVerdict] = defaultdict(HintVerdict)

    def add(self, world: Histories) -> None:
        """Take in the talks of a world that were recorded."""
        meetings = {meeting.session: meeting for meeting in world.meetings}
        for session, actions in _talks(world.observed.values()).items():
            meeting = meetings.get(session)
            for detector in self._detectors:
                verdict = self.verdicts[detector.rule]
                if meeting is None:
                    self._clean(verdict, detector, actions)
                elif meeting.hint == detector.rule and (
                    meeting.customer_minutes >= LEAST_MINUTES.get(meeting.hint, 0.0)
                ):
                    verdict.planted += 1
                    verdict.found += _worst(detector, actions) is not None

    def _clean(
        self, verdict: HintVerdict, detector: Detector[Any], actions: Sequence[Observed]
    ) -> None:
        worst = _worst(detector, actions)
        verdict.clean += 1
        verdict.false += worst is not None
        verdict.warned += worst is not None and worst > Severity.INFO


def _worst(detector: Detector[Any], actions: Sequence[Observed]) -> Severity | None:
    until = actions[-1].at + _AFTER_MS
    return max((episode.severity for episode in replay(detector, actions, until)), default=None)


def _talks(histories: Iterable[Sequence[Observed]]) -> dict[str, list[Observed]]:
    """Return what was said in each recorded talk, in order."""
    talks: dict[str, list[Observed]] = defaultdict(list)
    for actions in histories:
        for action in actions:
            if action.session and action.channel is Channel.VOICE:
                talks[action.session].append(action)
    return talks
