"""Detectors at work on one scope: a whole opportunity, or one session of it."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dealgraph.graph.model import SignalKind
from dealgraph.stream.signals.detector import NEVER, Episode, Observed, State
from dealgraph.stream.told import Bound

Numbers = Mapping[tuple[str, SignalKind, str], int]
"""How many episodes there were of each (rule, kind, form)."""

NO_EPISODES: Final[Numbers] = {}
_NEVER_WOKEN: Final = -(1 << 62)
_encode: Final = msgspec.msgpack.Encoder().encode

Found = tuple[Bound, Episode]


class Saved(Struct, frozen=True):
    """Detectors at work as they are kept: a state as bytes each, in the order of the detectors."""

    states: tuple[bytes, ...]
    base: Numbers
    numbers: Numbers
    last_at: int


class AtWork:
    """A state per detector.

    `due` is the earliest waking that any asked for, or an earlier moment; `awake` is the latest
    moment at which one was woken since this was made. A session that starts anew goes on counting
    episodes from `base`; `numbers` are those until now.
    """

    __slots__ = (
        "_bounds",
        "_loop",
        "_saved",
        "awake",
        "base",
        "due",
        "last_at",
        "numbers",
        "session",
    )

    def __init__(
        self, bounds: Sequence[Bound], session: str = "", base: Numbers = NO_EPISODES
    ) -> None:
        self._bounds = bounds
        self.session = session
        self.base = base
        self.numbers = dict(base)
        self.last_at = 0
        self._take([bound.detector.begin() for bound in bounds])

    def _take(self, states: Sequence[State]) -> None:
        self._loop = [
            (bound.needs, bound.detector.observe, state, bound)
            for bound, state in zip(self._bounds, states, strict=True)
        ]
        self.due = min((state.due for state in states), default=NEVER)
        self.awake = _NEVER_WOKEN
        self._saved: Saved | None = None

    def observe(self, seen: Observed, *, staged: bool) -> list[Found]:
        """Show the next action to the detectors that ask for it; a change of stage (`staged`) to all."""
        found: list[Found] = []
        topics, due = seen.topics, self.due
        for needs, observe, state, bound in self._loop:
            if needs and not needs & topics and not staged:
                continue
            for episode in observe(state, seen):
                found.append((bound, self._numbered(bound, episode)))
            if state.due < due:
                due = state.due
        self.due = due
        self.last_at = seen.at
        self._saved = None
        return found

    def wake(self, until: int) -> list[tuple[int, int, Found]]:
        """Wake the detectors at the moments they asked for; return (moment, place of the detector, found).

        Raises ValueError when a detector asks for a moment that has passed.
        """
        found: list[tuple[int, int, Found]] = []
        due = NEVER
        for place, (_, _, state, bound) in enumerate(self._loop):
            while state.due <= until:
                at, self._saved = state.due, None
                self.awake = max(self.awake, at)
                for episode in bound.detector.wake(state, at):
                    found.append((at, place, (bound, self._numbered(bound, episode))))
                if state.due <= at:
                    raise ValueError(f"{bound.rule} was woken at {at} and asks for {state.due}")
            due = min(due, state.due)
        self.due = due
        return found

    def _numbered(self, bound: Bound, episode: Episode) -> Episode:
        form = (bound.rule, episode.kind, episode.form)
        earlier = self.base.get(form, 0)
        if earlier:
            episode = replace(episode, number=episode.number + earlier)
        self.numbers[form] = episode.number + 1
        return episode

    def save(self) -> Saved:
        """Return the states as bytes."""
        if self._saved is None:
            states = tuple(_encode(state) for _, _, state, _ in self._loop)
            self._saved = Saved(states, self.base, dict(self.numbers), self.last_at)
        return self._saved

    @classmethod
    def resumed(cls, bounds: Sequence[Bound], session: str, saved: Saved) -> "AtWork":
        """Return detectors as they were saved."""
        self = cls.__new__(cls)
        self._bounds, self.session = bounds, session
        self.base, self.numbers = saved.base, dict(saved.numbers)
        self.last_at = saved.last_at
        pairs = zip(bounds, saved.states, strict=True)
        self._take([bound.decode(stored) for bound, stored in pairs])
        self._saved = saved
        return self
