"""The port of detectors: what a detector sees, what it finds, and how it is found by the registry.

A detector is a pure, incremental function over the tagged actions of one scope (a session or an
opportunity) in the order (at, id). It never sees arrival order: when an action arrives late, the keyed
state starts the detector anew and replays the scope, so the result depends only on the set of actions.
"""

from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from dealgraph.graph.model import ActionKind, Channel, Role, Severity, Side, SignalKind


class Scope(StrEnum):
    """What a detector watches."""

    SESSION = "session"
    OPPORTUNITY = "opportunity"


class Observed(Struct, frozen=True, gc=False):
    """A tagged action as detectors see it: no text, no clock.

    `person` is the person behind the actor after merges ("" when unknown). `exposure_ms` is the
    observed talk: the duration, or an estimate from the length of the text. `valence` and `arousal` are 0
    with `emotion_confidence` 0 when no emotion was inferred. `rep` is who can act upon what is found.
    """

    id: str
    at: int
    session: str
    person: str
    side: Side
    channel: Channel
    kind: ActionKind
    confidence: float
    topics: int
    exposure_ms: int
    valence: float
    arousal: float
    emotion_confidence: float
    role: Role
    stage: str
    rep: str = ""


class Episode(Struct, frozen=True):
    """One time that a signal was on, as far as it is known. A later value replaces an earlier one.

    `number` counts from 0 within (detector, kind, scope). `cleared_at` is None while it lasts.
    `at` is the event time of the newest change. `evidence` holds at most ten action ids in order of time.
    `explanation` is one sentence for people.
    """

    kind: SignalKind
    number: int
    severity: Severity
    raised_at: int
    at: int
    cleared_at: int | None
    statistic: float
    threshold: float
    baseline: float
    exposure_minutes: float
    window_ms: int
    evidence: tuple[str, ...]
    explanation: str


class Watch(Protocol):
    """The running half of a detector: the state of one scope."""

    def observe(self, action: Observed) -> Episode | None:
        """Take the next action; return an episode that began, grew by evidence or ended, or None."""
        ...


class Detector(Protocol):
    """The fixed half of a detector: its name, its version and its thresholds."""

    @property
    def rule(self) -> str:
        """Name of the rule, for example "R1"."""
        ...

    @property
    def version(self) -> str:
        """Version of definition and thresholds; it changes when any of them changes."""
        ...

    @property
    def scope(self) -> Scope:
        """What it watches."""
        ...

    @property
    def topics(self) -> int:
        """Set of topics it needs: an action with none of them is not shown to it; 0 shows all."""
        ...

    def watch(self) -> Watch:
        """Start watching a scope."""
        ...
