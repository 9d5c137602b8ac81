"""GraphService over gRPC: answers, pages that stay a snapshot, and errors that say what is wrong."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from dealgraph.api.v1 import graph_service_pb2 as pb
from dealgraph.api.v1 import interaction_pb2
from tests.support.interactions import (
    CHEN,
    LI,
    MINUTE,
    MONDAY,
    merge,
    message,
    recall,
    stage_change,
)
from tests.support.server import RunningServer, alarming, detail_of, reason_of, serving

OPPORTUNITY = pb.NODE_KIND_OPPORTUNITY
CONTACT = pb.NODE_KIND_CONTACT


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("data")) as running:
        running.publish(deal())
        running.publish(alarming("deal-hot"))
        yield running


def deal() -> list[Any]:
    """Twenty messages of two people in deal-1; one is taken back; the stage changes in the middle."""
    said = [
        message(
            f"What does number {turn} cost?",
            at=MONDAY + turn * MINUTE,
            actor=LI if turn % 2 else CHEN,
        )
        for turn in range(20)
    ]
    return [
        *said,
        stage_change("proposal", at=MONDAY + 10 * MINUTE),
        recall(said[3], at=MONDAY + 30 * MINUTE, opportunity="deal-1"),
        merge("li@acme.example", "wecom:wm-li"),
    ]


def ref(kind: Any, id_: str) -> pb.NodeRef:
    return pb.NodeRef(kind=kind, id=id_)


def code_of(call: Any, request: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as error:
        call(request)
    return error.value.code(), reason_of(error.value)


def pages(server: RunningServer, **fields: Any) -> Iterator[pb.GetTimelineResponse]:
    request = pb.GetTimelineRequest(ref=ref(OPPORTUNITY, "deal-1"), **fields)
    while True:
        page = server.client.graph.GetTimeline(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def test_a_node_is_given_with_the_other_ids_of_the_person(server: RunningServer) -> None:
    answer = server.client.graph.GetNode(
        pb.GetNodeRequest(ref=ref(CONTACT, "mail:li@acme.example"))
    )
    assert answer.node.ref.id == "mail:li@acme.example"
    assert [other.id for other in answer.same_as] == ["wecom:wm-li"]


def test_a_neighbourhood_holds_the_node_itself_first_and_says_when_it_was_cut(
    server: RunningServer,
) -> None:
    whole = server.client.graph.GetNeighborhood(
        pb.GetNeighborhoodRequest(ref=ref(OPPORTUNITY, "deal-1"), hops=2)
    )
    assert whole.nodes[0].ref.id == "deal-1"
    assert not whole.truncated
    assert {edge.kind for edge in whole.edges} >= {pb.EDGE_KIND_ABOUT, pb.EDGE_KIND_PERFORMED}
    cut = server.client.graph.GetNeighborhood(
        pb.GetNeighborhoodRequest(ref=ref(OPPORTUNITY, "deal-1"), hops=2, node_limit=5)
    )
    assert len(cut.nodes) == 5
    assert cut.truncated


def test_a_timeline_shows_each_interaction_as_it_came_with_what_was_understood(
    server: RunningServer,
) -> None:
    (page,) = pages(server)
    first, last = page.actions[0], page.actions[19]
    assert first.interaction.text == "What does number 0 cost?"
    assert first.interaction.kind == interaction_pb2.INTERACTION_KIND_MESSAGE
    assert first.interaction.customer_id == "acme"
    assert first.language == "en"
    assert interaction_pb2.TOPIC_PRICE in first.topics
    assert (first.stage, last.stage) == ("", "proposal")


def test_the_person_behind_an_actor_is_the_same_under_all_ids(server: RunningServer) -> None:
    (page,) = pages(server)
    people = {one.interaction.actor.native_id: one.person_id for one in page.actions}
    assert people["li@acme.example"] == "mail:li@acme.example"


def test_a_recalled_action_says_when_it_was_taken_back(server: RunningServer) -> None:
    (page,) = pages(server)
    recalled = {one.interaction.text: one.recalled_at_ms for one in page.actions}
    assert recalled["What does number 3 cost?"] == MONDAY + 30 * MINUTE
    assert recalled["What does number 4 cost?"] == 0


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_give_the_same_as_one_large_page(server: RunningServer, newest_first: bool) -> None:
    (whole,) = pages(server, newest_first=newest_first)
    parts = [
        one
        for page in pages(server, page_size=6, newest_first=newest_first)
        for one in page.actions
    ]
    assert [one.action_id for one in parts] == [one.action_id for one in whole.actions]


def test_pages_stay_a_snapshot_while_more_is_written(server: RunningServer) -> None:
    (whole,) = pages(server)
    seen: list[str] = []
    for number, page in enumerate(pages(server, page_size=4)):
        seen += [one.action_id for one in page.actions]
        server.publish(
            [message(f"late {number}", at=MONDAY + number * MINUTE + 1, native_id=f"late-{number}")]
        )
    assert seen == [one.action_id for one in whole.actions]


def test_an_earlier_time_shows_what_was_known_then(server: RunningServer) -> None:
    (page,) = pages(server)
    known_at = server.embedded.graph.actions([page.actions[0].action_id])
    (first,) = known_at.values()
    answer = code_of(
        server.client.graph.GetNode,
        pb.GetNodeRequest(ref=ref(OPPORTUNITY, "deal-1"), as_of_ms=first.recorded_at - 1),
    )
    assert answer == (grpc.StatusCode.NOT_FOUND, "NODE_NOT_FOUND")


def test_the_committee_lists_people_with_what_they_did(server: RunningServer) -> None:
    members = server.client.graph.ListBuyingCommittee(
        pb.ListBuyingCommitteeRequest(opportunity_id="deal-1")
    ).members
    people = {member.contact.id: member for member in members}
    li, chen = people["mail:li@acme.example"], people["mail:chen@acme.example"]
    assert [other.id for other in li.same_as] == ["wecom:wm-li"]
    assert chen.roles == [interaction_pb2.ROLE_TECH_LEAD]
    assert sum(count.count for count in chen.action_counts) >= 10


def test_a_signal_has_a_path_to_the_actions_it_rests_on(server: RunningServer) -> None:
    around = server.client.graph.GetNeighborhood(
        pb.GetNeighborhoodRequest(
            ref=ref(OPPORTUNITY, "deal-hot"), node_kinds=[pb.NODE_KIND_DECISION_SIGNAL]
        )
    )
    signal = next(
        node.ref for node in around.nodes if node.ref.kind == pb.NODE_KIND_DECISION_SIGNAL
    )
    found = server.client.graph.FindPaths(
        pb.FindPathsRequest(source=signal, target=ref(pb.NODE_KIND_SESSION, "deal-hot-chat"))
    )
    assert found.paths[0].nodes[0] == signal
    assert found.paths[0].nodes[-1].id == "deal-hot-chat"


def test_an_export_gives_all_nodes_before_their_edges(server: RunningServer) -> None:
    kinds: list[str] = []
    nodes: set[tuple[int, str]] = set()
    for piece in server.client.graph.ExportSubgraph(pb.ExportSubgraphRequest()):
        kinds += ["node"] * len(piece.nodes) + ["edge"] * len(piece.edges)
        nodes |= {(node.ref.kind, node.ref.id) for node in piece.nodes}
        for edge in piece.edges:
            assert (edge.source.kind, edge.source.id) in nodes
            assert (edge.target.kind, edge.target.id) in nodes
    assert kinds == sorted(kinds, reverse=True)
    counts = server.embedded.graph.counts()
    assert kinds.count("node") == sum(counts.nodes.values())
    assert kinds.count("edge") == sum(counts.edges.values())


def test_an_export_around_a_node_is_bounded(server: RunningServer) -> None:
    request = pb.ExportSubgraphRequest(ref=ref(OPPORTUNITY, "deal-hot"), node_limit=7)
    pieces = list(server.client.graph.ExportSubgraph(request))
    assert sum(len(piece.nodes) for piece in pieces) == 7


UNKNOWN = ref(OPPORTUNITY, "no-such-deal")


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("GetNode", pb.GetNodeRequest(ref=UNKNOWN)),
        ("GetNeighborhood", pb.GetNeighborhoodRequest(ref=UNKNOWN)),
        ("GetTimeline", pb.GetTimelineRequest(ref=UNKNOWN)),
        ("ListBuyingCommittee", pb.ListBuyingCommitteeRequest(opportunity_id="no-such-deal")),
        ("FindPaths", pb.FindPathsRequest(source=UNKNOWN, target=UNKNOWN)),
        ("GetNode", pb.GetNodeRequest(tenant="globex", ref=UNKNOWN)),
    ],
)
def test_what_does_not_exist_is_not_found_and_named(
    server: RunningServer, method: str, request_: Any
) -> None:
    with pytest.raises(grpc.RpcError) as error:
        getattr(server.client.graph, method)(request_)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    assert detail_of(error.value, error_details_pb2.ResourceInfo).resource_name
    assert "no-such-deal" not in (error.value.details() or "")


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("GetNode", pb.GetNodeRequest(), "ref.id"),
        ("GetNode", pb.GetNodeRequest(ref=pb.NodeRef(id="a")), "ref.kind"),
        ("GetNode", pb.GetNodeRequest(ref=UNKNOWN, as_of_ms=-1), "as_of_ms"),
        ("GetNeighborhood", pb.GetNeighborhoodRequest(ref=UNKNOWN, hops=5), "hops"),
        ("GetNeighborhood", pb.GetNeighborhoodRequest(ref=UNKNOWN, node_limit=-1), "node_limit"),
        (
            "GetNeighborhood",
            pb.GetNeighborhoodRequest(ref=UNKNOWN, window=pb.TimeWindow(since_ms=5, before_ms=5)),
            "window.before_ms",
        ),
        (
            "GetNeighborhood",
            pb.GetNeighborhoodRequest(ref=UNKNOWN, edge_kinds=[pb.EDGE_KIND_UNSPECIFIED]),
            "edge_kinds[0]",
        ),
        ("GetTimeline", pb.GetTimelineRequest(ref=ref(CONTACT, "a")), "ref.kind"),
        ("GetTimeline", pb.GetTimelineRequest(ref=UNKNOWN, page_size=-1), "page_size"),
        ("GetTimeline", pb.GetTimelineRequest(ref=UNKNOWN, page_token="made up"), "page_token"),
        ("ListBuyingCommittee", pb.ListBuyingCommitteeRequest(), "opportunity_id"),
        ("FindPaths", pb.FindPathsRequest(source=UNKNOWN), "target.id"),
        ("FindPaths", pb.FindPathsRequest(source=UNKNOWN, target=UNKNOWN, max_hops=7), "max_hops"),
    ],
)
def test_a_wrong_field_is_named(
    server: RunningServer, method: str, request_: Any, field: str
) -> None:
    with pytest.raises(grpc.RpcError) as error:
        getattr(server.client.graph, method)(request_)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    (violation,) = detail_of(error.value, error_details_pb2.BadRequest).field_violations
    assert violation.field == field


def test_a_page_token_does_not_fit_another_question(server: RunningServer) -> None:
    page = next(pages(server, page_size=2))
    other = pb.GetTimelineRequest(
        ref=ref(OPPORTUNITY, "deal-hot"), page_token=page.next_page_token, page_size=2
    )
    assert code_of(server.client.graph.GetTimeline, other)[1] == "INVALID_TOKEN"
