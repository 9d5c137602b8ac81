"""What the demo tells at its end, asked from the server as any client would ask."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from dealgraph.api.v1 import alert_pb2, graph_service_pb2, ingest_service_pb2
from dealgraph.graph.model import ActionKind, EdgeKind, NodeKind, Role
from dealgraph.server.cli.alert_words import Quote, bare_id
from dealgraph.server.cli.intake import Tally
from dealgraph.server.client import Client

_ANSWER_SECONDS: Final = 10.0
_PLAIN: Final = (ActionKind.STATEMENT, ActionKind.SMALL_TALK)


class Arrived(Struct, frozen=True):
    """An alert that a subscriber received, with the words it rests on."""

    alert: alert_pb2.Alert
    quotes: Sequence[Quote]


class Member(Struct, frozen=True):
    """A person of a buying committee.

    `stands_out` is what the person did most, besides plain talk. `mood` is the mean valence in [-1, 1],
    None when unknown.
    """

    name: str
    roles: Sequence[str]
    actions: int
    stands_out: str
    mood: float | None


class Deal(Struct, frozen=True):
    """An opportunity with its customer, its stage and the customer's people in it."""

    opportunity: str
    customer: str
    stage: str
    members: Sequence[Member]


class Recap(Struct, frozen=True):
    """All that the summary tells. `customers_people` and `reps` are persons, under whatever ids."""

    nodes: Counter[NodeKind]
    edges: int
    customers_people: int
    reps: int
    taken_back: int
    deals: Sequence[Deal]
    alerts: Sequence[Arrived]
    tally: Tally
    dead_letters: Sequence[ingest_service_pb2.DeadLetter]


def collect(client: Client, tally: Tally, alerts: Sequence[Arrived]) -> Recap:
    """Ask the server what its graph holds and what it could not take in."""
    nodes: list[graph_service_pb2.Node] = []
    edges: list[graph_service_pb2.Edge] = []
    request = graph_service_pb2.ExportSubgraphRequest()
    for piece in client.graph.ExportSubgraph(request, timeout=_ANSWER_SECONDS):
        nodes.extend(piece.nodes)
        edges.extend(piece.edges)
    kinds = Counter(NodeKind(node.ref.kind) for node in nodes)
    names = {
        node.attributes["actor"]: node.attributes["speaker"]
        for node in nodes
        if "actor" in node.attributes and "speaker" in node.attributes
    }
    letters = client.ingest.ListDeadLetters(
        ingest_service_pb2.ListDeadLettersRequest(), timeout=_ANSWER_SECONDS
    )
    return Recap(
        nodes=kinds,
        edges=len(edges),
        customers_people=_persons(NodeKind.CONTACT, kinds, edges),
        reps=_persons(NodeKind.REP, kinds, edges),
        taken_back=sum("recalled_at" in node.attributes for node in nodes),
        deals=[_deal(client, node, edges, names) for node in nodes if _is_deal(node)],
        alerts=alerts,
        tally=tally,
        dead_letters=letters.dead_letters,
    )


def _is_deal(node: graph_service_pb2.Node) -> bool:
    return NodeKind(node.ref.kind) is NodeKind.OPPORTUNITY


def _persons(
    kind: NodeKind, kinds: Counter[NodeKind], edges: Iterable[graph_service_pb2.Edge]
) -> int:
    """Return the number of persons: every SAME_AS edge of a tree joins two ids into one."""
    same = sum(
        EdgeKind(edge.kind) is EdgeKind.SAME_AS and NodeKind(edge.source.kind) is kind
        for edge in edges
    )
    return kinds[kind] - same


def _deal(
    client: Client,
    node: graph_service_pb2.Node,
    edges: Iterable[graph_service_pb2.Edge],
    names: Mapping[str, str],
) -> Deal:
    owners = [
        edge.source.id
        for edge in edges
        if EdgeKind(edge.kind) is EdgeKind.HAS_OPPORTUNITY and edge.target.id == node.ref.id
    ]
    request = graph_service_pb2.ListBuyingCommitteeRequest(opportunity_id=node.ref.id)
    answer = client.graph.ListBuyingCommittee(request, timeout=_ANSWER_SECONDS)
    return Deal(
        opportunity=node.ref.id,
        customer=owners[0] if owners else "",
        stage=node.attributes.get("stage", ""),
        members=[_member(member, names) for member in answer.members],
    )


def _member(member: graph_service_pb2.CommitteeMember, names: Mapping[str, str]) -> Member:
    ids = [member.contact.id, *(ref.id for ref in member.same_as)]
    known = [names[person] for person in ids if person in names]
    telling = [count for count in member.action_counts if ActionKind(count.kind) not in _PLAIN]
    most = max(telling, key=lambda count: count.count, default=None)
    stands_out = f"{ActionKind(most.kind).name.lower()} ({most.count})" if most else ""
    return Member(
        name=member.name or (known[0] if known else bare_id(member.contact.id)),
        roles=[Role(role).name.lower().replace("_", " ") for role in member.roles],
        actions=sum(count.count for count in member.action_counts),
        stands_out=stands_out.replace("_", " "),
        mood=member.sentiment if member.HasField("sentiment") else None,
    )
