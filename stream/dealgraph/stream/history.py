"""The place of an opportunity in a shard: its state, and all that graph and log on its way say of it."""

from collections.abc import Mapping
from typing import Final

from dealgraph.graph.model import EdgeKind, NodeKind, NodeRef
from dealgraph.graph.queries import whole_timeline
from dealgraph.graph.store import EdgeQuery, GraphStore
from dealgraph.stream.in_flight import InFlight
from dealgraph.stream.observation import observed_of
from dealgraph.stream.opportunity import FIRST, OpportunityState
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.told import InForceAt, Name, Told, told_by

_OWN_WEIGHT: Final = 32
"""What a state costs beside the actions it holds, in actions."""


class Slot:
    """An opportunity (key "o:ID") or a session without one ("s:ID"); its state may not be made yet.

    It is the `History` of its state. `last_sequence` is the newest record that touched it, `recorded_at`
    the newest time at which any of it became known.
    """

    def __init__(
        self,
        key: str,
        graph: GraphStore,
        in_force_at: InForceAt,
        aliases: Mapping[str, str],
    ) -> None:
        by_opportunity = key.startswith("o:")
        kind = NodeKind.OPPORTUNITY if by_opportunity else NodeKind.SESSION
        self._ref = NodeRef(kind, key[2:])
        self._graph = graph
        self._in_force_at = in_force_at
        self._aliases = aliases
        self.state: OpportunityState | None = None
        self.in_flight = InFlight()
        self.customer = ""
        self.recorded_at = 0
        self.last_sequence = -1
        self.weight = 0

    def open(self) -> OpportunityState:
        """Make the state, before any of its actions."""
        self.state = OpportunityState(self._in_force_at, self._aliases, self)
        return self.state

    def opened(self) -> OpportunityState:
        """Return the state. Raises LookupError when it was not made."""
        if self.state is None:
            raise LookupError("the state was dropped")
        return self.state

    def weighed(self) -> int:
        """Return what it costs to hold, in actions."""
        held = len(self.state) if self.state is not None else 0
        return held + len(self.in_flight) + _OWN_WEIGHT

    def knows(self, action: Observed) -> bool:
        """Say whether this very action was taken in before."""
        if (action.at, action.id) > self.opened().newest:
            return False
        return self.in_flight.knows(action) or bool(self._graph.actions([action.id]))

    def involves(self, people: frozenset[str]) -> bool:
        """Say whether any of `people` acted lately."""
        lately = self.state is not None and self.state.involves(people)
        return lately or self.in_flight.involves(people)

    def actions(self) -> list[Observed]:
        """Return the actions that stand, in order; notes the customer and when they became known."""
        stored: list[Observed] = []
        by_opportunity = self._ref.kind is NodeKind.OPPORTUNITY
        for action in whole_timeline(self._graph, self._ref):
            if action.opportunity and not by_opportunity:
                continue
            known_at = max(action.recorded_at, action.recall_recorded_at)
            self.recorded_at = max(self.recorded_at, known_at)
            if action.stands:
                stored.append(observed_of(action))
        if stored and not self.customer:
            self.customer = self._customer()
        return self.in_flight.actions(stored)

    def told(self) -> dict[Name, Told]:
        """Return what was told of all episodes."""
        # Which rules look at sessions is the same whatever is usual.
        rules = {bound.rule: bound for bound in self._in_force_at(FIRST[0]).bounds}
        return self.in_flight.told(told_by(rules, self._graph.signals(self._ref)))

    def _customer(self) -> str:
        query = EdgeQuery(edge_kinds=frozenset({EdgeKind.HAS_OPPORTUNITY}))
        return min((edge.source.id for edge in self._graph.edges([self._ref], query)), default="")
