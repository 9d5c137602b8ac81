"""Actions with the interactions they came from, the stage at their time, and who is behind the actor."""

from collections.abc import Callable, Sequence

from dealgraph.api.v1 import interaction_pb2
from dealgraph.graph.model import Action
from dealgraph.graph.storage import StorageCorruptError, StorageLockedError
from dealgraph.graph.store import GraphStore
from dealgraph.server import graph_messages
from dealgraph.server.graph_messages import Stages
from dealgraph.stream import codec
from dealgraph.stream.interaction import Rejected
from dealgraph.stream.log import EventLog, Record, Topic


class Timelines:
    """Completes actions of the graph by what the log holds: the interaction exactly as it came.

    `erasing` says whether the log is ahead of the graph, as somebody was taken out of it.
    """

    def __init__(
        self, graph: GraphStore, log: EventLog, erasing: Callable[[], bool] = lambda: False
    ) -> None:
        self._graph = graph
        self._log = log
        self._erasing = erasing

    def snapshot(self) -> int:
        """Return the recorded time up to which the graph knows everything: pages as of it are stable.

        What waits for the dataflow, and what is stored from now on, is recorded later.
        """
        position = self._graph.position()
        records = self._log.read(Topic.INTERACTIONS, position - 1, 2)
        waiting = [record.recorded_at for record in records if record.offset > position]
        if waiting:
            return waiting[0] - 1
        return records[0].recorded_at if records else 0

    def tagged(
        self, actions: Sequence[Action], as_of: int
    ) -> list[interaction_pb2.TaggedInteraction]:
        """Return the actions as the contract shows them, as known at `as_of`, in the same order."""
        opportunities = {action.opportunity for action in actions if action.opportunity}
        stages = Stages((name, self._graph.stages(name, as_of)) for name in opportunities)
        actors = {action.actor for action in actions if action.actor is not None}
        people = self._graph.same_as(actors, as_of)
        interactions = self._interactions([action.id for action in actions])
        return [
            graph_messages.tagged(
                action,
                interaction,
                people.get(action.actor, action.actor) if action.actor is not None else None,
                stages.at(action.opportunity, action.at),
            )
            for action, interaction in zip(actions, interactions, strict=True)
        ]

    def _interactions(self, ids: Sequence[str]) -> list[interaction_pb2.Interaction]:
        found = self._log.find(Topic.INTERACTIONS, ids)
        missing = len(ids) - len(found)
        if missing and self._erasing():
            raise StorageLockedError(
                "A person is being erased here: the log is done, the graph follows. Try again soon."
            )
        if missing:
            raise StorageCorruptError(
                f"{missing} actions of the graph are not in the log: the two do not belong together. "
                "Run `dealgraph rebuild --data DIR`."
            )
        return [_message(found[id_]) for id_ in ids]


def _message(record: Record) -> interaction_pb2.Interaction:
    interaction = codec.interaction_from_record(record.body)
    if isinstance(interaction, Rejected):
        raise StorageCorruptError(
            f"Record {record.offset} of the log cannot be read: {interaction.detail}. Start the version "
            "of dealgraph that wrote it, or restore the log from a backup."
        )
    return codec.interaction_to_message(interaction)
