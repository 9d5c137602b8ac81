"""LiveSessionService.Converse: receipts once durable, hints while the call runs, on one stream."""

from collections.abc import Iterator, Sequence
from queue import Queue
from typing import Any

import grpc
import pytest

from dealgraph.api.v1 import interaction_pb2
from dealgraph.api.v1 import live_session_service_pb2 as pb
from dealgraph.stream import codec
from dealgraph.stream.interaction import action_id
from dealgraph.stream.log import Topic
from tests.support.interactions import MINUTE, MONDAY, SECOND, voice_grants
from tests.support.server import TIMEOUT, RunningServer, reason_of, serving

REP = "anna@sell.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("data")) as running:
        grants = [codec.interaction_to_message(one) for one in voice_grants(subject=REP)]
        running.client.publish(grants)
        yield running


def start(session: str, rep: str = REP, tenant: str = "") -> pb.ConverseRequest:
    return pb.ConverseRequest(
        start=pb.SessionStart(
            tenant=tenant,
            session_id=session,
            opportunity_id=f"deal of {session}",
            customer_id="acme",
            rep_id=rep,
        )
    )


def said(number: int, text: str, id_: str | None = None) -> pb.ConverseRequest:
    speaker = interaction_pb2.Actor(
        side=interaction_pb2.SIDE_CUSTOMER,
        native_id="li@acme.example",
        name="Li Wei",
        confidence=1.0,
    )
    return pb.ConverseRequest(
        utterance=pb.Utterance(
            id=f"u{number}" if id_ is None else id_,
            speaker=speaker,
            occurred_at_ms=MONDAY + number * MINUTE,
            duration_ms=20 * SECOND,
            text=text,
        )
    )


def heated(count: int = 8) -> list[pb.ConverseRequest]:
    """Turns that raise an alert: the customer suddenly names competitors."""
    calm, naming = "Thank you, that was helpful.", "We are also talking to a competitor of yours."
    return [said(number, calm if number < 4 else naming) for number in range(count)]


def converse(server: RunningServer, requests: Sequence[pb.ConverseRequest]) -> list[Any]:
    return list(server.live.Converse(iter(requests), timeout=TIMEOUT))


def test_every_utterance_gets_a_receipt_and_is_stored_as_part_of_the_session(
    server: RunningServer,
) -> None:
    answers = converse(server, [start("call-1"), said(0, "Hello."), said(1, "How are you?")])
    receipts = [answer.receipt for answer in answers]
    assert [(one.utterance_id, one.accepted) for one in receipts] == [("u0", True), ("u1", True)]
    stored = action_id("live", "call-1/u1")
    assert stored in server.embedded.log.find(Topic.INTERACTIONS, [stored])
    action = server.embedded.graph.actions([stored])[stored]
    assert (action.session, action.opportunity) == ("call-1", "deal of call-1")


def test_a_hint_comes_while_the_call_still_runs(server: RunningServer) -> None:
    requests: Queue[pb.ConverseRequest | None] = Queue()
    for request in [start("call-2"), *heated()]:
        requests.put(request)
    call = server.live.Converse(iter(requests.get, None), timeout=TIMEOUT)
    hint = next(answer.hint for answer in call if answer.HasField("hint"))
    assert hint.session_id == "call-2"
    assert hint.suggestion
    requests.put(None)
    list(call)


def test_the_hints_of_the_last_utterance_come_before_the_stream_ends(
    server: RunningServer,
) -> None:
    answers = converse(server, [start("call-3"), *heated()])
    assert len([one for one in answers if one.HasField("receipt")]) == 8
    hints = [one.hint for one in answers if one.HasField("hint")]
    assert [hint.session_id for hint in hints] == ["call-3"]


def test_an_utterance_sent_again_changes_nothing(server: RunningServer) -> None:
    converse(server, [start("call-4"), said(0, "Hello.")])
    end = server.embedded.log.end(Topic.INTERACTIONS)
    (answer,) = converse(server, [start("call-4"), said(0, "Hello.")])
    assert answer.receipt.accepted
    assert server.embedded.log.end(Topic.INTERACTIONS) == end


def test_without_the_consent_of_the_rep_nothing_is_stored_and_the_receipt_says_so(
    server: RunningServer,
) -> None:
    end = server.embedded.log.end(Topic.INTERACTIONS)
    (answer,) = converse(server, [start("call-5", rep="max@sell.example"), said(0, "Hello.")])
    assert (answer.receipt.accepted, answer.receipt.reason) == (False, "NO_CONSENT")
    assert server.embedded.log.end(Topic.INTERACTIONS) == end


def test_an_utterance_without_an_id_is_refused_alone(server: RunningServer) -> None:
    answers = converse(server, [start("call-6"), said(0, "Hello.", id_=""), said(1, "Hi.")])
    assert [one.receipt.reason for one in answers] == ["MISSING_ID", ""]


@pytest.mark.parametrize(
    ("requests", "code"),
    [
        ([], grpc.StatusCode.INVALID_ARGUMENT),
        ([said(0, "Hello.")], grpc.StatusCode.INVALID_ARGUMENT),
        ([start("")], grpc.StatusCode.INVALID_ARGUMENT),
        ([start("call-7"), start("call-8")], grpc.StatusCode.INVALID_ARGUMENT),
        ([start("call-7", tenant="globex")], grpc.StatusCode.NOT_FOUND),
    ],
)
def test_a_stream_that_does_not_begin_and_go_on_as_it_should_is_refused(
    server: RunningServer, requests: Sequence[pb.ConverseRequest], code: grpc.StatusCode
) -> None:
    with pytest.raises(grpc.RpcError) as error:
        converse(server, requests)
    assert error.value.code() is code
    assert reason_of(error.value)
