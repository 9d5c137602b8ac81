"""What the demo tells at its end, asked from the server as any client would ask."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from dealgraph.api.v1 import alert_pb2, graph_service_pb2, ingest_service_pb2
from dealgraph.graph.model import ActionKind, EdgeKind, NodeKind, Role
from dealgraph.graph.store import Counts
from dealgraph.server.cli.alert_words import Quote, bare_id
from dealgraph.server.cli.intake import Tally
from dealgraph.server.client import Client

_ANSWER_SECONDS: Final = 10.0
_MOST_DEALS: Final = 3
_MOST_WITHDRAWN: Final = 2
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

    nodes: Mapping[NodeKind, int]
    edges: int
    customers_people: int
    reps: int
    taken_back: int
    deals: Sequence[Deal]
    alerts: Sequence[Arrived]
    tally: Tally
    dead_letters: Sequence[ingest_service_pb2.DeadLetter]


def collect(
    client: Client, counts: Counts, tally: Tally, alerts: Sequence[Arrived], taken_back: int
) -> Recap:
    """Ask the server about the deals that matter most, and what it could not take in."""
    letters = client.ingest.ListDeadLetters(
        ingest_service_pb2.ListDeadLettersRequest(), timeout=_ANSWER_SECONDS
    )
    newest = newest_alerts(alerts)
    deals = {arrived.alert.opportunity_id: arrived.alert for arrived in reversed(newest)}
    chosen = list(dict.fromkeys(arrived.alert.opportunity_id for arrived in newest))[:_MOST_DEALS]
    nodes = counts.nodes
    return Recap(
        nodes=nodes,
        edges=sum(counts.edges.values()),
        # Every SAME_AS edge joins two ids of a person; nearly all of them are of contacts.
        customers_people=nodes.get(NodeKind.CONTACT, 0) - counts.edges.get(EdgeKind.SAME_AS, 0),
        reps=nodes.get(NodeKind.REP, 0),
        taken_back=taken_back,
        deals=[_deal(client, deals[opportunity]) for opportunity in chosen if opportunity],
        alerts=alerts,
        tally=tally,
        dead_letters=letters.dead_letters,
    )


def newest_alerts(alerts: Sequence[Arrived]) -> list[Arrived]:
    """Return the newest alert of each signal, what matters most first: taken back, severe, recent."""
    newest = {arrived.alert.signal_id: arrived for arrived in alerts}
    found = sorted(
        newest.values(),
        key=lambda arrived: (
            arrived.alert.state != alert_pb2.SIGNAL_STATE_RETRACTED,
            -arrived.alert.severity,
            -len(arrived.quotes),
            arrived.alert.occurred_at_ms,
        ),
    )
    withdrawn = [a for a in found if a.alert.state == alert_pb2.SIGNAL_STATE_RETRACTED]
    return withdrawn[:_MOST_WITHDRAWN] + [a for a in found if a not in withdrawn]


def _deal(client: Client, alert: alert_pb2.Alert) -> Deal:
    """Return the deal of an alert as the graph knows it."""
    ref = graph_service_pb2.NodeRef(
        kind=graph_service_pb2.NODE_KIND_OPPORTUNITY, id=alert.opportunity_id
    )
    node = client.graph.GetNode(
        graph_service_pb2.GetNodeRequest(ref=ref), timeout=_ANSWER_SECONDS
    ).node
    request = graph_service_pb2.ListBuyingCommitteeRequest(opportunity_id=alert.opportunity_id)
    answer = client.graph.ListBuyingCommittee(request, timeout=_ANSWER_SECONDS)
    return Deal(
        opportunity=alert.opportunity_id,
        customer=alert.customer_id,
        stage=node.attributes.get("stage", ""),
        members=[_member(member) for member in answer.members],
    )


def _member(member: graph_service_pb2.CommitteeMember) -> Member:
    telling = [count for count in member.action_counts if ActionKind(count.kind) not in _PLAIN]
    most = max(telling, key=lambda count: count.count, default=None)
    stands_out = f"{ActionKind(most.kind).name.lower()} ({most.count})" if most else ""
    return Member(
        name=member.name or bare_id(member.contact.id),
        roles=[Role(role).name.lower().replace("_", " ") for role in member.roles],
        actions=sum(count.count for count in member.action_counts),
        stands_out=stands_out.replace("_", " "),
        mood=member.sentiment if member.HasField("sentiment") else None,
    )
