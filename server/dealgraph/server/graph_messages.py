"""Values of the graph as messages of the contract."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from dealgraph.api.v1 import graph_service_pb2 as pb
from dealgraph.api.v1 import interaction_pb2
from dealgraph.graph.model import Action, Edge, Node, NodeRef, topics_of
from dealgraph.graph.paths import Path
from dealgraph.graph.queries import Neighborhood
from dealgraph.graph.store import CommitteeMember


def node_ref(ref: NodeRef) -> pb.NodeRef:
    """Return the message of a reference."""
    return pb.NodeRef(kind=int(ref.kind), id=ref.id)  # type: ignore[arg-type]


def node(value: Node) -> pb.Node:
    """Return the message of a node."""
    message = pb.Node()
    _fill_node(message, value)
    return message


def edge(value: Edge) -> pb.Edge:
    """Return the message of an edge."""
    message = pb.Edge()
    _fill_edge(message, value)
    return message


def neighborhood(value: Neighborhood) -> pb.GetNeighborhoodResponse:
    """Return the message of what lies around a node."""
    message = pb.GetNeighborhoodResponse(truncated=value.truncated)
    _add(message, (*value.nodes, *value.edges))
    return message


# Messages are filled where they belong: one that is made apart and put in is copied, through its bytes.


def _add(
    message: pb.GetNeighborhoodResponse | pb.ExportSubgraphResponse, facts: Iterable[Node | Edge]
) -> None:
    for fact in facts:
        if isinstance(fact, Node):
            _fill_node(message.nodes.add(), fact)
        else:
            _fill_edge(message.edges.add(), fact)


def _fill_node(message: pb.Node, value: Node) -> None:
    _fill_ref(message.ref, value.ref)
    attributes = message.attributes
    for name, fact in value.attributes.items():  # update() would be slower
        attributes[name] = fact
    message.valid_from_ms = value.valid_from
    message.recorded_at_ms = value.recorded_at


def _fill_edge(message: pb.Edge, value: Edge) -> None:
    message.kind = value.kind  # type: ignore[assignment]
    _fill_ref(message.source, value.source)
    _fill_ref(message.target, value.target)
    message.valid_from_ms = value.valid_from
    message.valid_to_ms = value.valid_to
    message.recorded_at_ms = value.recorded_at
    if value.rule or value.confidence:
        message.confidence, message.rule = value.confidence, value.rule


def _fill_ref(message: pb.NodeRef, value: NodeRef) -> None:
    message.kind = value.kind  # type: ignore[assignment]
    message.id = value.id


def path(value: Path) -> pb.Path:
    """Return the message of a path."""
    message = pb.Path(nodes=[node_ref(ref) for ref in value.nodes])
    for one in value.edges:
        _fill_edge(message.edges.add(), one)
    return message


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
    rest = iter(facts)
    while some := list(islice(rest, size)):
        piece = pb.ExportSubgraphResponse()
        _add(piece, some)
        yield piece
