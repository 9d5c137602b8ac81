"""What happened to an opportunity and is not in the graph yet: it is laid over what the graph says."""

from collections.abc import Iterable, Mapping

from dealgraph.graph.model import SignalState
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.told import Change, Name, Told


class InFlight:
    """Actions, recalls and told episodes, with the sequence number of the record that brought them."""

    __slots__ = ("_actions", "_recalls", "_told")

    def __init__(self) -> None:
        self._actions: list[tuple[int, Observed]] = []
        self._recalls: list[tuple[int, str]] = []
        self._told: list[tuple[int, Name, Told | None]] = []

    def __len__(self) -> int:
        return len(self._actions)

    def settle(self, committed: int) -> None:
        """Forget what records up to `committed` brought: the graph holds it now."""
        if self._actions and self._actions[0][0] <= committed:
            self._actions = [entry for entry in self._actions if entry[0] > committed]
        if self._recalls and self._recalls[0][0] <= committed:
            self._recalls = [entry for entry in self._recalls if entry[0] > committed]
        if self._told and self._told[0][0] <= committed:
            self._told = [entry for entry in self._told if entry[0] > committed]

    def add(self, sequence: int, action: Observed) -> None:
        """Note an action."""
        self._actions.append((sequence, action))

    def recall(self, sequence: int, action: str) -> None:
        """Note that an action was taken back."""
        self._recalls.append((sequence, action))

    def tell(self, sequence: int, change: Change) -> None:
        """Note what is told of an episode."""
        episode = change.episode
        name = (change.detector.rule, change.session, episode.kind, episode.form, episode.number)
        gone = change.state is SignalState.RETRACTED
        self._told.append((sequence, name, None if gone else Told(episode, change.rep)))

    def drop(self, sequence: int) -> None:
        """Forget what a record brought: it was rejected."""
        self._actions = [entry for entry in self._actions if entry[0] != sequence]
        self._recalls = [entry for entry in self._recalls if entry[0] != sequence]
        self._told = [entry for entry in self._told if entry[0] != sequence]

    def knows(self, action: Observed) -> bool:
        """Say whether this very action is among those noted."""
        return any(noted.id == action.id for _, noted in self._actions)

    def involves(self, people: frozenset[str]) -> bool:
        """Say whether any of `people` acted in what was noted."""
        return any(action.person in people for _, action in self._actions)

    def actions(self, stored: Iterable[Observed]) -> list[Observed]:
        """Return the actions that stand, in the order (at, id), given those that the graph holds."""
        found = {action.id: action for action in stored}
        found.update((action.id, action) for _, action in self._actions)
        for _, recalled in self._recalls:
            found.pop(recalled, None)
        return sorted(found.values(), key=lambda action: (action.at, action.id))

    def told(self, stored: Mapping[Name, Told]) -> dict[Name, Told]:
        """Return what was told, given what the graph holds."""
        told = dict(stored)
        for _, name, newest in self._told:
            if newest is None:
                told.pop(name, None)
            else:
                told[name] = newest
        return told
