"""LiveSessionService.Converse: receipts once durable, hints while the call runs, on one stream."""

from collections.abc import Iterator, Sequence
from queue import Queue
from typing import Any

import grpc
import pytest

from dealgraph.api.v1 import alert_pb2, alert_service_pb2, interaction_pb2
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


def asking(count: int) -> list[pb.ConverseRequest]:
    """Turns in which the customer asks about delivery, and nobody answers."""
    return [said(number, "When will the delivery arrive?") for number in range(count)]


def snooze(kind: alert_pb2.SignalKind.ValueType, minutes: int = 0) -> pb.ConverseRequest:
    return pb.ConverseRequest(snooze=pb.SnoozeHints(id="z", kind=kind, minutes=minutes))


def hints_of(answers: Sequence[Any]) -> list[tuple[str, str]]:
    return [(one.hint.rule, one.hint.session_id) for one in answers if one.HasField("hint")]


def test_what_its_utterances_say_of_the_whole_deal_comes_too(server: RunningServer) -> None:
    earlier = [start("call-20"), *asking(2)]
    earlier[0].start.opportunity_id = "deal-20"
    assert hints_of(converse(server, earlier)) == []
    later = [start("call-21"), *asking(6)[2:]]
    later[0].start.opportunity_id = "deal-20"
    assert ("S5", "") in hints_of(converse(server, later))


def test_what_another_talk_says_of_the_deal_does_not_come(server: RunningServer) -> None:
    requests: Queue[pb.ConverseRequest | None] = Queue()
    listening = start("call-30")
    listening.start.opportunity_id = "deal-30"
    requests.put(listening)
    call = server.live.Converse(iter(requests.get, None), timeout=TIMEOUT)
    requests.put(said(0, "Hello."))
    assert next(call).HasField("receipt")
    for session, turns in (("call-31", asking(2)), ("call-32", asking(6)[2:])):
        other = [start(session), *turns]
        other[0].start.opportunity_id = "deal-30"
        converse(server, other)
    requests.put(None)
    assert hints_of(list(call)) == []


def test_a_snoozed_kind_comes_no_more_in_this_session_and_the_receipt_says_so(
    server: RunningServer,
) -> None:
    kind = alert_pb2.SIGNAL_KIND_COMPETITOR_RATE
    answers = converse(server, [start("call-40"), snooze(kind), *heated()])
    receipt = answers[0].snoozed
    assert (receipt.id, receipt.accepted) == ("z", True)
    assert (receipt.snooze.session_id, receipt.snooze.until_ms) == ("call-40", 0)
    assert hints_of(answers) == []
    assert hints_of(converse(server, [start("call-41"), *heated()])) == [("R1", "call-41")]


def test_a_hint_is_dismissed_where_it_was_shown(server: RunningServer) -> None:
    requests: Queue[pb.ConverseRequest | None] = Queue()
    for request in [start("call-50"), *heated()]:
        requests.put(request)
    call = server.live.Converse(iter(requests.get, None), timeout=TIMEOUT)
    hint = next(answer.hint for answer in call if answer.HasField("hint"))
    known = alert_pb2.DISMISS_REASON_KNOWN
    dismiss = pb.DismissHint(alert_id=hint.id, reason_class=known)
    requests.put(pb.ConverseRequest(dismiss=dismiss))
    requests.put(None)
    (receipt,) = [answer.dismissed for answer in call if answer.HasField("dismissed")]
    assert (receipt.alert_id, receipt.accepted) == (hint.id, True)
    listing = alert_service_pb2.ListAlertsRequest(
        filter=alert_service_pb2.AlertFilter(session_ids=["call-50"])
    )
    (alert,) = server.client.alert.ListAlerts(listing).alerts
    assert alert.status == alert_pb2.ALERT_STATUS_DISMISSED
    assert alert.dismiss_reason_class == known


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.ConverseRequest(snooze=pb.SnoozeHints(id="z")), "INVALID_FIELD"),
        (pb.ConverseRequest(dismiss=pb.DismissHint(alert_id="none")), "MISSING_FIELD"),
        (
            pb.ConverseRequest(dismiss=pb.DismissHint(alert_id="none", reason="not so")),
            "ALERT_NOT_FOUND",
        ),
    ],
)
def test_a_wrong_snooze_or_dismissal_is_refused_and_the_session_goes_on(
    server: RunningServer, request_: pb.ConverseRequest, reason: str
) -> None:
    refused, receipt = converse(server, [start("call-60"), request_, said(0, "Hello.")])
    answer = refused.snoozed if refused.HasField("snoozed") else refused.dismissed
    assert (answer.accepted, answer.reason) == (False, reason)
    assert answer.detail
    assert receipt.receipt.accepted
