"""The port of detectors: what a detector sees, what it finds, and how it is found by the registry.

A detector is a definition: pure functions over the tagged actions of one scope (a session or an
opportunity) in the order (at, id), and over moments at which it asked to be woken. What it remembers is a
`State` of plain values and bounded size, which can be stored, copied and dropped. It never sees arrival
order: when an action arrives late, an earlier state is taken and what came after is replayed, so the
result depends only on the set of actions and on how far event time has come.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from dealgraph.graph.model import (
    ActionKind,
    Channel,
    Level,
    Polarity,
    Role,
    Severity,
    Side,
    SignalKind,
    Stage,
)

NEVER: Final = 1 << 62
"""Event time of a waking that nobody asked for."""


class Scope(StrEnum):
    """What a detector watches."""

    SESSION = "session"
    OPPORTUNITY = "opportunity"


class Observed(Struct, frozen=True, gc=False):
    """A tagged action as detectors see it: no text, no clock.

    `person` is the person behind the actor after merges ("" when unknown). `exposure_ms` is the
    observed talk: the duration, or an estimate from the length of the text. `valence` and `arousal` are 0
    with `emotion_confidence` 0 when no emotion was inferred. `stage` is the stage of the deal at that time;
    on a STAGE_CHANGE the new one. `segment` is that of the deal or customer ("" when unknown). `rep` is
    who can act upon what is found.
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
    stage: Stage
    rep: str = ""
    segment: str = ""


class Episode(Struct, frozen=True):
    """One time that a signal was on, as far as it is known. A later value replaces an earlier one.

    `number` counts from 0 within (detector, kind, form, scope). `cleared_at` is None while it lasts.
    `at` is the event time of the newest change. `evidence` holds at most ten action ids in order of time.
    `explanation` is one sentence for people. `minimum_effect` is the least change that could be found.
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
    form: str = ""
    polarity: Polarity = Polarity.NEUTRAL
    level: Level = Level.PUSHED
    minimum_effect: float = 0.0


class State(Struct):
    """What a detector remembers of one scope: plain values that MessagePack can hold, all with defaults.

    `due` is the event time at which the detector wants to be woken when nothing comes before.
    """

    due: int = NEVER


S = TypeVar("S", bound=State)

NOTHING: Final[tuple[Episode, ...]] = ()
"""What most actions change."""


class Detector(Protocol[S]):
    """A signal or hint: its name, its version, its thresholds, and what it makes of actions and time."""

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
        """Set of topics it needs: an action with none of them is not shown to it; 0 shows all.

        A change of stage is shown to every detector of an opportunity.
        """
        ...

    def begin(self) -> S:
        """Return the state of a scope in which nothing has happened yet."""
        ...

    def observe(self, state: S, action: Observed) -> Sequence[Episode]:
        """Take the next action; return the episodes that began, grew by evidence or ended."""
        ...

    def wake(self, state: S, at: int) -> Sequence[Episode]:
        """Take note that it is `state.due`, which is `at`, and set the next `due` (later than `at`)."""
        ...
