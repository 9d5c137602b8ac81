"""Values of the graph as messages of the contract."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from dealgraph.api.v1 import graph_service_pb2 as pb
from dealgraph.api.v1 import interaction_pb2
from dealgraph.graph.model import Action, Edge, Node, NodeRef, topics_of
from dealgraph.graph.paths import Path
from dealgraph.graph.store import CommitteeMember


def node_ref(ref: NodeRef) -> pb.NodeRef:
    """Return the message of a reference."""
    return pb.NodeRef(kind=int(ref.kind), id=ref.id)  # type: ignore[arg-type]


def node(value: Node) -> pb.Node:
    """Return the message of a node."""
    message = pb.Node(
        attributes=value.attributes,
        valid_from_ms=value.valid_from,
        recorded_at_ms=value.recorded_at,
    )
    message.ref.kind, message.ref.id = int(value.ref.kind), value.ref.id  # type: ignore[assignment]
    return message


def edge(value: Edge) -> pb.Edge:
    """Return the message of an edge."""
    message = pb.Edge(
        kind=int(value.kind),  # type: ignore[arg-type]
        valid_from_ms=value.valid_from,
        valid_to_ms=value.valid_to,
        recorded_at_ms=value.recorded_at,
    )
    if value.rule or value.confidence:
        message.confidence, message.rule = value.confidence, value.rule
    # Filled in place: messages of their own would be copied, at twice the cost of all else here.
    source, target = message.source, message.target
    source.kind, source.id = int(value.source.kind), value.source.id  # type: ignore[assignment]
    target.kind, target.id = int(value.target.kind), value.target.id  # type: ignore[assignment]
    return message


def path(value: Path) -> pb.Path:
    """Return the message of a path."""
    return pb.Path(
        nodes=[node_ref(ref) for ref in value.nodes], edges=[edge(one) for one in value.edges]
    )


def committee_member(value: CommitteeMember) -> pb.CommitteeMember:
    """Return the message of a person of the buying committee."""
    return pb.CommitteeMember(
        contact=node_ref(value.contact),
        same_as=[node_ref(ref) for ref in value.same_as],
        name=value.name,
        roles=[int(role) for role in value.roles],  # type: ignore[misc]
        action_counts=[
            pb.ActionCount(kind=int(kind), count=count)  # type: ignore[arg-type]
            for kind, count in sorted(value.action_counts.items())
        ],
        first_seen_ms=value.first_seen,
        last_seen_ms=value.last_seen,
        sentiment=value.sentiment,
    )


class Stages:
    """The stages of opportunities over event time."""

    def __init__(self, changes: Iterable[tuple[str, Sequence[tuple[int, str]]]]) -> None:
        self._changes = dict(changes)

    def at(self, opportunity: str, at: int) -> str:
        """Return the stage of an opportunity at a time in ms, "" when none was known then."""
        changes = self._changes.get(opportunity, ())
        index = bisect_right(changes, at, key=lambda change: change[0])
        return changes[index - 1][1] if index else ""


def tagged(
    action: Action,
    interaction: interaction_pb2.Interaction,
    person: NodeRef | None,
    stage: str,
) -> interaction_pb2.TaggedInteraction:
    """Return an action with the interaction it came from; `person` is who acted, after merges."""
    emotion = action.emotion
    return interaction_pb2.TaggedInteraction(
        action_id=action.id,
        interaction=interaction,
        action_kind=int(action.kind),  # type: ignore[arg-type]
        action_confidence=action.confidence,
        topics=[int(topic) for topic in topics_of(action.topics)],  # type: ignore[misc]
        emotion=(
            None
            if emotion is None
            else interaction_pb2.Emotion(
                valence=emotion.valence,
                arousal=emotion.arousal,
                confidence=emotion.confidence,
                feeling=int(emotion.feeling),  # type: ignore[arg-type]
            )
        ),
        language=action.language,
        person_id=person.id if person is not None else "",
        role=int(action.role),  # type: ignore[arg-type]
        stage=stage,
        tagger_version=action.tagger,
        recalled_at_ms=action.recalled_at,
    )


def pieces(facts: Iterable[Node | Edge], size: int) -> Iterator[pb.ExportSubgraphResponse]:
    """Yield nodes and edges in messages of at most `size` facts."""
    piece, count = pb.ExportSubgraphResponse(), 0
    for fact in facts:
        if isinstance(fact, Node):
            piece.nodes.append(node(fact))
        else:
            piece.edges.append(edge(fact))
        count += 1
        if count == size:
            yield piece
            piece, count = pb.ExportSubgraphResponse(), 0
    if count:
        yield piece
