"""IdentityService over gRPC: proposals, merges, splits, and that all of it can be taken back."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from msgspec.structs import replace

from dealgraph.api.v1 import graph_service_pb2, identity_service_pb2, identity_service_pb2_grpc
from dealgraph.graph.hash import graph_hash
from dealgraph.graph.model import Side
from dealgraph.stream.interaction import Interaction, Person
from dealgraph.stream.log import Topic
from tests.support.interactions import MINUTE, MONDAY, mail, message
from tests.support.server import RunningServer, reason_of, serving

CONTACT = graph_service_pb2.NODE_KIND_CONTACT
SESSION = graph_service_pb2.NodeRef(kind=graph_service_pb2.NODE_KIND_SESSION, id="s")
pb = identity_service_pb2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with serving(tmp_path) as running:
        running.publish(_met(6))
        yield running


def _met(people: int) -> list[Interaction]:
    """People of acme in a chat under WeCom ids, and in mails under addresses."""
    names = ["王芳", "李娜", "张伟", "刘洋", "陈静", "赵敏"][:people]
    pinyin = ["Wang Fang", "Li Na", "Zhang Wei", "Liu Yang", "Chen Jing", "Zhao Min"]
    told = []
    for n, name in enumerate(names):
        at = MONDAY + n * MINUTE
        told.append(message(at=at, actor=Person(Side.CUSTOMER, f"wm{n}", name, confidence=1.0)))
        address = f"p{n}@acme.example"
        person = Person(Side.CUSTOMER, address, pinyin[n], confidence=1.0)
        told.append(mail(at=at, session=f"thread-{n}", actor=person))
    return told


def _stub(server: RunningServer) -> identity_service_pb2_grpc.IdentityServiceStub:
    return identity_service_pb2_grpc.IdentityServiceStub(server.channel)


def _ref(id_: str) -> graph_service_pb2.NodeRef:
    return graph_service_pb2.NodeRef(kind=CONTACT, id=id_)


def test_names_in_two_scripts_are_proposed_in_pages(server: RunningServer) -> None:
    request = pb.ListProposalsRequest(kinds=[CONTACT], page_size=4)
    first = _stub(server).ListProposals(request)
    request.page_token = first.next_page_token
    second = _stub(server).ListProposals(request)

    found = [(p.one.id, p.other.id) for p in (*first.proposals, *second.proposals)]
    assert sorted(found) == [(f"mail:p{n}@acme.example", f"wecom:wm{n}") for n in range(6)]
    assert second.next_page_token == ""
    top = first.proposals[0]
    assert top.score == pytest.approx(sum(reason.weight for reason in top.reasons), abs=1e-3)
    assert {top.one_name, top.other_name} & {"王芳", "李娜", "张伟", "刘洋", "陈静", "赵敏"}


def test_a_merge_is_followed_by_the_graph_and_a_split_takes_it_back(server: RunningServer) -> None:
    before = graph_hash(server.embedded.graph)
    one, other = _ref("wecom:wm0"), _ref("mail:p0@acme.example")

    merged = _stub(server).Merge(pb.MergeRequest(one=one, other=other, by="curator", reason="same"))
    server.catch_up()
    node = server.client.graph.GetNode(graph_service_pb2.GetNodeRequest(ref=one))
    assert [ref.id for ref in merged.ids] == [other.id, one.id]
    assert [ref.id for ref in node.same_as] == [other.id]
    listed = _stub(server).ListProposals(pb.ListProposalsRequest())
    assert one.id not in {p.other.id for p in listed.proposals}

    split = _stub(server).Split(pb.SplitRequest(ref=one))
    server.catch_up()
    assert [ref.id for ref in split.others] == [other.id]
    assert graph_hash(server.embedded.graph) == before
    listed = _stub(server).ListProposals(pb.ListProposalsRequest())
    assert one.id not in {p.other.id for p in listed.proposals}


def test_an_identity_says_on_what_it_rests(server: RunningServer) -> None:
    one, other = _ref("wecom:wm0"), _ref("mail:p0@acme.example")
    _stub(server).Merge(pb.MergeRequest(one=one, other=other))
    linked = message(at=MONDAY, native_id="linked", attributes={"contact_mail": "p9@acme.example"})
    server.publish([replace(linked, actor=Person(Side.CUSTOMER, "wm0", confidence=1.0))])

    who = _stub(server).GetIdentity(pb.GetIdentityRequest(ref=one))

    assert [ref.id for ref in who.ids] == [other.id, "mail:p9@acme.example", one.id]
    assert {(e.rule, e.confidence) for e in who.edges} == {("curator", 1.0), ("contact_mail", 1.0)}


def test_those_who_stay_stay_together_when_one_is_split_off(server: RunningServer) -> None:
    stub = _stub(server)
    for other in ("wecom:wm1", "wecom:wm2"):
        stub.Merge(pb.MergeRequest(one=_ref("wecom:wm0"), other=_ref(other)))

    stub.Split(pb.SplitRequest(ref=_ref("wecom:wm0")))
    server.catch_up()

    ask = graph_service_pb2.GetNodeRequest
    left = server.client.graph.GetNode(ask(ref=_ref("wecom:wm1")))
    alone = server.client.graph.GetNode(ask(ref=_ref("wecom:wm0")))
    assert [ref.id for ref in left.same_as] == ["wecom:wm2"]
    assert list(alone.same_as) == []


def test_a_request_may_be_repeated_and_its_id_names_one_request(server: RunningServer) -> None:
    stub, id_ = _stub(server), str(uuid4())
    merge = pb.MergeRequest(request_id=id_, one=_ref("wecom:wm0"), other=_ref("wecom:wm1"))
    first = stub.Merge(merge)
    end = server.embedded.log.end(Topic.INTERACTIONS)

    assert stub.Merge(merge) == first
    assert server.embedded.log.end(Topic.INTERACTIONS) == end
    with pytest.raises(grpc.RpcError) as caught:
        stub.Split(pb.SplitRequest(request_id=id_, ref=_ref("wecom:wm0")))
    assert reason_of(caught.value) == "REQUEST_ID_REUSED"


def test_a_rejected_proposal_is_not_made_again(server: RunningServer) -> None:
    stub = _stub(server)
    one, other = _ref("wecom:wm0"), _ref("mail:p0@acme.example")

    stub.RejectProposal(pb.RejectProposalRequest(one=one, other=other))

    found = stub.ListProposals(pb.ListProposalsRequest()).proposals
    assert len(found) == 5


@pytest.mark.parametrize(
    ("method", "request_", "code", "reason"),
    [
        ("Merge", pb.MergeRequest(tenant="x"), "NOT_FOUND", "TENANT_NOT_FOUND"),
        ("Merge", pb.MergeRequest(request_id="x"), "INVALID_ARGUMENT", "INVALID_FIELD"),
        ("Merge", pb.MergeRequest(one=_ref("wecom:wm0")), "INVALID_ARGUMENT", "MISSING_FIELD"),
        (
            "Merge",
            pb.MergeRequest(one=_ref("wecom:wm0"), other=_ref("wecom:wm0")),
            "INVALID_ARGUMENT",
            "INVALID_FIELD",
        ),
        (
            "Merge",
            pb.MergeRequest(one=_ref("wecom:wm0"), other=_ref("nobody")),
            "NOT_FOUND",
            "NODE_NOT_FOUND",
        ),
        (
            "Merge",
            pb.MergeRequest(
                one=graph_service_pb2.NodeRef(kind=graph_service_pb2.NODE_KIND_SESSION, id="s"),
                other=_ref("wecom:wm0"),
            ),
            "INVALID_ARGUMENT",
            "INVALID_FIELD",
        ),
        ("Split", pb.SplitRequest(ref=_ref("wecom:wm0")), "FAILED_PRECONDITION", "NOT_MERGED"),
        (
            "ListProposals",
            pb.ListProposalsRequest(min_score=2),
            "INVALID_ARGUMENT",
            "INVALID_FIELD",
        ),
        (
            "ListProposals",
            pb.ListProposalsRequest(page_token="x"),
            "INVALID_ARGUMENT",
            "INVALID_TOKEN",
        ),
    ],
)
def test_a_wrong_request_is_refused_with_a_reason(
    server: RunningServer, method: str, request_: object, code: str, reason: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        getattr(_stub(server), method)(request_)

    assert caught.value.code().name == code
    assert reason_of(caught.value) == reason


def test_merged_ids_cannot_be_rejected(server: RunningServer) -> None:
    one, other = _ref("wecom:wm0"), _ref("wecom:wm1")
    _stub(server).Merge(pb.MergeRequest(one=one, other=other))

    with pytest.raises(grpc.RpcError) as caught:
        _stub(server).RejectProposal(pb.RejectProposalRequest(one=one, other=other))
    assert reason_of(caught.value) == "MERGED"


def test_a_merged_opportunity_answers_with_all_its_actions_and_people(
    server: RunningServer,
) -> None:
    at = MONDAY + 90 * MINUTE
    server.publish([message(at=at, opportunity="deal-2", customer="acme", native_id="m-2")])
    kind = graph_service_pb2.NODE_KIND_OPPORTUNITY
    one, other = (graph_service_pb2.NodeRef(kind=kind, id=id_) for id_ in ("deal-1", "deal-2"))
    ask = graph_service_pb2.GetTimelineRequest(ref=other, page_size=5)
    alone = server.client.graph.GetTimeline(ask).actions
    people = graph_service_pb2.ListBuyingCommitteeRequest(opportunity_id="deal-2")
    before = server.client.graph.ListBuyingCommittee(people).members
    assert (len(alone), len(before)) == (1, 1)

    _stub(server).Merge(pb.MergeRequest(one=one, other=other))
    server.catch_up()

    shown = []
    while True:
        page = server.client.graph.GetTimeline(ask)
        shown += [action.interaction.occurred_at_ms for action in page.actions]
        ask.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert len(shown) == 13
    assert shown == sorted(shown)
    assert len(server.client.graph.ListBuyingCommittee(people).members) == 13
    node = server.client.graph.GetNode(graph_service_pb2.GetNodeRequest(ref=one))
    assert [ref.id for ref in node.same_as] == ["deal-2"]

    _stub(server).Split(pb.SplitRequest(ref=other))
    server.catch_up()
    ask.page_token = ""
    assert server.client.graph.GetTimeline(ask).actions == alone
    assert server.client.graph.ListBuyingCommittee(people).members == before
