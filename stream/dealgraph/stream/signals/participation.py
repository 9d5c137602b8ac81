"""Who takes part in the conversations of a deal, weighed by seniority.

A conversation is what is said in a session until it rests for `pause_minutes`, on one of `channels`. What
the customer's people say in it whose role is known is its talk; with seniority weights v(role)

    w̄ = Σ v·talk / Σ talk        y = min(1, w̄ / full_share)      participation of buyers, 0 to 1

Conversations with less talk than `minimum_talk_seconds` are none. Somebody whose role nobody knows may be
the buyer, so their talk counts on neither side. On channels where buyers are seldom heard anyway (they
rarely write in chats) their silence says nothing; so only what is spoken counts by default.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Annotated, Final, TypeVar

from msgspec import Meta, Struct, field

from dealgraph.graph.model import Channel, Role, Side
from dealgraph.stream.signals.course import MAX_EVIDENCE, MINUTE
from dealgraph.stream.signals.detector import NEVER, Detector, Observed, State
from dealgraph.stream.signals.thresholds import Positive, Share, ThresholdError, Thresholds

_SECTION: Final = "participation"
_MOST_OPEN: Final = 8
_PRESENT: Final = 0.5
_Named = TypeVar("_Named", bound=IntEnum)
Weight = Annotated[float, Meta(gt=0, le=1)]


class ParticipationThresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """What a conversation is, and whose participation counts how much."""

    channels: tuple[str, ...]
    seniority: dict[str, Weight]
    full_share: Share
    minimum_talk_seconds: Positive
    pause_minutes: Positive


class Conversation(Struct):
    """A conversation that goes on: its talk, and its first action and the first one of a buyer."""

    at: int
    id: str
    last_at: int
    talk_ms: int = 0
    weighted_ms: float = 0.0
    buyer_at: int = 0
    buyer_id: str = ""


class Heard(Struct, frozen=True, gc=False):
    """A conversation that is over. `at` and `id` are its first action, of a buyer if one took part."""

    at: int
    id: str
    participation: float
    talk_ms: int

    @property
    def attended(self) -> bool:
        """Whether a buyer took part."""
        return self.participation >= _PRESENT


class Listening(Struct):
    """The conversations that go on, by session; a part of a detector's state."""

    open: dict[str, Conversation] = field(default_factory=dict)


class Listener:
    """Follows conversations; whoever owns it asks to be woken at `due`."""

    def __init__(self, thresholds: ParticipationThresholds) -> None:
        """Raise ThresholdError for a channel or role that does not exist."""
        self.thresholds: Final = thresholds
        self.channels: Final = frozenset(_named(Channel, name) for name in thresholds.channels)
        self.weights: Final = {_named(Role, n): v for n, v in thresholds.seniority.items()}
        roles = [role.name.lower().replace("_", " ") for role in sorted(self.weights)]
        self.who: Final = " or ".join(roles)
        self._pause_ms: Final = round(thresholds.pause_minutes * MINUTE)
        self._least_ms: Final = thresholds.minimum_talk_seconds * 1000.0
        self._full_share: Final = thresholds.full_share

    def weight(self, action: Observed) -> float:
        """Return how much it counts that this person is heard; 0 for all who are no buyers."""
        return self.weights.get(action.role, 0.0) if action.side is Side.CUSTOMER else 0.0

    def hear(self, state: Listening, action: Observed) -> bool:
        """Take the next action; say whether a conversation began with it."""
        if action.side is not Side.CUSTOMER or action.channel not in self.channels:
            return False
        role = action.role
        if role is Role.UNKNOWN:
            return False
        talk = state.open.get(action.session)
        began = talk is None
        if talk is None:
            if len(state.open) == _MOST_OPEN:
                del state.open[next(iter(state.open))]
            talk = state.open[action.session] = Conversation(action.at, action.id, action.at)
        talk.last_at = action.at
        talk.talk_ms += action.exposure_ms
        weight = self.weights.get(role)
        if weight is not None:
            talk.weighted_ms += weight * action.exposure_ms
            if not talk.buyer_id:
                talk.buyer_at, talk.buyer_id = action.at, action.id
        return began

    def due(self, state: Listening) -> int:
        """Return when the next conversation is over, as far as it is known; NEVER when none goes on."""
        return min((t.last_at + self._pause_ms for t in state.open.values()), default=NEVER)

    def over(self, state: Listening, at: int) -> list[Heard]:
        """Take out the conversations that are over at `at`, and return those that count."""
        ended = [n for n, talk in state.open.items() if talk.last_at + self._pause_ms <= at]
        talks = [state.open.pop(name) for name in ended]
        return [self._heard(talk) for talk in talks if talk.talk_ms >= self._least_ms]

    def _heard(self, talk: Conversation) -> Heard:
        y = min(1.0, talk.weighted_ms / talk.talk_ms / self._full_share)
        if y >= _PRESENT:
            return Heard(talk.buyer_at, talk.buyer_id, y, talk.talk_ms)
        return Heard(talk.at, talk.id, y, talk.talk_ms)


def listener(thresholds: Thresholds) -> Listener:
    """Return the listener of a tenant."""
    return Listener(thresholds.section(_SECTION, ParticipationThresholds))


def minutes(talks: Iterable[Heard]) -> float:
    """Return the talk of conversations in minutes."""
    return sum(talk.talk_ms for talk in talks) / MINUTE


def newest(talks: Iterable[Heard]) -> tuple[str, ...]:
    """Return the ids of the ten newest conversations, each once, in order of time."""
    places = sorted({(talk.at, talk.id) for talk in talks})
    return tuple(id_ for _, id_ in places[-MAX_EVIDENCE:])


def moments(actions: Iterable[Observed], listener: Listener) -> tuple[int, float, float]:
    """Return number, sum and sum of squares of the participation in the conversations of a history."""
    state, talks = Listening(), list[Heard]()
    for action in actions:
        talks += listener.over(state, action.at)
        listener.hear(state, action)
    talks += listener.over(state, NEVER)
    shares = [talk.participation for talk in talks]
    return len(shares), sum(shares), sum(share * share for share in shares)


def detectors(thresholds: Thresholds) -> tuple[Detector[State], ...]:
    """Return none: this module has a section of thresholds that detectors share, and it is checked here."""
    listener(thresholds)
    return ()


def _named(kinds: type[_Named], name: str) -> _Named:
    try:
        return kinds[name]
    except KeyError:
        known = ", ".join(kinds.__members__)
        raise ThresholdError(
            f"thresholds, section {_SECTION}: there is no {kinds.__name__.lower()} {name!r}; "
            f"there are {known}"
        ) from None
