"""IngestService over gRPC: per-item results, idempotent requests, dead letters that can be tried again."""

import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from msgspec.structs import replace

from dealgraph.api.v1 import ingest_service_pb2 as pb
from dealgraph.api.v1 import interaction_pb2
from dealgraph.stream import codec
from dealgraph.stream.interaction import Interaction
from dealgraph.stream.log import Topic
from tests.support.interactions import DAY, MONDAY, message, utterance
from tests.support.server import RunningServer, detail_of, reason_of, serving, settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("data")) as running:
        yield running


def messages(*interactions: Interaction) -> list[interaction_pb2.Interaction]:
    return [codec.interaction_to_message(interaction) for interaction in interactions]


def outcomes(results: Iterable[pb.PublishResult]) -> list[str]:
    names = pb.PublishOutcome.Name
    return [names(one.outcome).removeprefix("PUBLISH_OUTCOME_") for one in results]


def refused(server: RunningServer, request: pb.PublishRequest) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as error:
        server.client.ingest.Publish(request)
    return error.value


def test_every_item_gets_its_own_result_in_order(server: RunningServer) -> None:
    good = message(native_id="order-1")
    again = message(native_id="order-1")
    other_body = message("something else", native_id="order-1")
    unnamed = message(native_id="")
    future = message(native_id="order-2", at=MONDAY + 10_000 * DAY)
    voice = utterance(native_id="order-3", rep="rep-without-consent")
    results = server.client.publish(messages(good, again, other_body, unnamed, future, voice))
    assert outcomes(results) == [
        "ACCEPTED",
        "DUPLICATE",
        "REJECTED",
        "REJECTED",
        "REJECTED",
        "REJECTED",
    ]
    reasons = [one.reason for one in results]
    assert reasons == ["", "", "ID_REUSED", "MISSING_ID", "FUTURE_TIMESTAMP", "NO_CONSENT"]
    assert results[0].action_id == results[1].action_id != ""


def test_an_item_of_another_tenant_is_rejected_alone(server: RunningServer) -> None:
    foreign = replace(message(native_id="foreign"), tenant="globex")
    results = server.client.publish(messages(foreign, message(native_id="ours")))
    assert outcomes(results) == ["REJECTED", "ACCEPTED"]
    assert results[0].reason == "OTHER_TENANT"


def test_a_request_for_another_tenant_finds_nothing(server: RunningServer) -> None:
    error = refused(server, pb.PublishRequest(tenant="globex"))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert reason_of(error) == "TENANT_NOT_FOUND"
    assert detail_of(error, error_details_pb2.ResourceInfo).resource_type == "tenant"


def test_the_same_request_again_gets_the_same_answer_and_stores_nothing(
    server: RunningServer,
) -> None:
    request = pb.PublishRequest(
        request_id=str(uuid.uuid4()),
        interactions=messages(message(native_id="once"), message(native_id="")),
    )
    first = server.client.ingest.Publish(request)
    end = server.embedded.log.end(Topic.INTERACTIONS)
    assert server.client.ingest.Publish(request) == first
    assert outcomes(first.results) == ["ACCEPTED", "REJECTED"]
    assert server.embedded.log.end(Topic.INTERACTIONS) == end


def test_a_request_id_with_another_body_is_refused(server: RunningServer) -> None:
    request_id = str(uuid.uuid4())
    server.client.ingest.Publish(
        pb.PublishRequest(request_id=request_id, interactions=messages(message(native_id="r1")))
    )
    error = refused(
        server,
        pb.PublishRequest(request_id=request_id, interactions=messages(message(native_id="r2"))),
    )
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(error) == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.PublishRequest(request_id="not-a-uuid"), "request_id"),
        (
            pb.PublishRequest(rejected_records=[pb.RejectedRecord(reason="BECAUSE")]),
            "rejected_records[0].reason",
        ),
        (pb.PublishRequest(interactions=[interaction_pb2.Interaction()] * 10_001), "interactions"),
    ],
)
def test_a_wrong_field_is_named(
    server: RunningServer, request_: pb.PublishRequest, field: str
) -> None:
    error = refused(server, request_)
    (violation,) = detail_of(error, error_details_pb2.BadRequest).field_violations
    assert violation.field == field


def test_concurrent_requests_share_commits(server: RunningServer) -> None:
    commits = server.server.services.commits
    before = commits.commits
    with ThreadPoolExecutor(32) as threads:
        publish = server.client.publish
        calls = [
            threads.submit(publish, messages(message(native_id=f"shared-{number}")))
            for number in range(200)
        ]
        assert all(outcomes(call.result()) == ["ACCEPTED"] for call in calls)
    assert commits.commits - before < 200


def test_a_stream_of_batches_is_answered_with_totals(server: RunningServer) -> None:
    batches = [
        pb.PublishStreamRequest(interactions=messages(message(native_id=f"stream-{number}")))
        for number in range(5)
    ]
    batches.append(batches[0])
    batches.append(pb.PublishStreamRequest(interactions=messages(message(native_id=""))))
    totals = server.client.ingest.PublishStream(iter(batches))
    assert (totals.accepted, totals.duplicates, totals.rejected) == (5, 1, 1)
    assert dict(totals.rejected_by_reason) == {"MISSING_ID": 1}


def test_rejected_records_become_dead_letters_listed_in_pages(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        records = [
            pb.RejectedRecord(
                source="wecom", position=f"line {number}", reason="UNREADABLE", payload=b"{"
            )
            for number in range(7)
        ]
        server.client.publish([], records)
        request = pb.ListDeadLettersRequest(source="wecom", page_size=3)
        found: list[str] = []
        while True:
            page = server.client.ingest.ListDeadLetters(request)
            found += [letter.position for letter in page.dead_letters]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert found == [f"line {number}" for number in range(7)]
        assert (
            server.metric("dealgraph_dead_letters_total", source="wecom", reason="UNREADABLE") == 7
        )
        nothing = pb.ListDeadLettersRequest(source="mail")
        assert not server.client.ingest.ListDeadLetters(nothing).dead_letters


def test_a_dead_letter_is_taken_in_when_it_is_tried_again(tmp_path: Path) -> None:
    late = message(native_id="late", at=MONDAY + 10_000 * DAY)
    with serving(tmp_path) as server:
        server.client.publish(messages(late))
    patient = settings(ingest={"max_clock_skew_seconds": 20_000 * 86_400})
    with serving(tmp_path, patient) as server:
        (letter,) = server.client.ingest.ListDeadLetters(pb.ListDeadLettersRequest()).dead_letters
        assert (letter.reason, letter.replayed) == ("FUTURE_TIMESTAMP", False)
        (result,) = server.client.ingest.ReplayDeadLetters(
            pb.ReplayDeadLettersRequest(reason="FUTURE_TIMESTAMP")
        ).results
        assert outcomes([result.result]) == ["ACCEPTED"]
        (letter,) = server.client.ingest.ListDeadLetters(pb.ListDeadLettersRequest()).dead_letters
        assert letter.replayed
        again = pb.ReplayDeadLettersRequest(reason="FUTURE_TIMESTAMP")
        assert not server.client.ingest.ReplayDeadLetters(again).results


def test_a_letter_that_needs_a_roster_or_mapping_stays_and_the_others_are_taken_in(
    tmp_path: Path,
) -> None:
    recording = b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<v Li>Hello.\n"
    late = message(native_id="late", at=MONDAY + 10_000 * DAY)
    with serving(tmp_path) as server:
        records = [
            pb.RejectedRecord(source=source, position="1", reason="UNREADABLE", payload=payload)
            for source, payload in (("webvtt", recording), ("eventlog", b"{}"))
        ]
        server.client.publish(messages(late), records)
    patient = settings(ingest={"max_clock_skew_seconds": 20_000 * 86_400})
    with serving(tmp_path, patient) as server:
        results = server.client.ingest.ReplayDeadLetters(pb.ReplayDeadLettersRequest()).results
        assert sorted(outcomes(one.result for one in results)) == [
            "ACCEPTED",
            "REJECTED",
            "REJECTED",
        ]
        for one in results:
            if one.result.outcome == pb.PUBLISH_OUTCOME_REJECTED:
                assert one.result.reason == "UNREADABLE"
                assert "import its file again" in one.result.detail
        letters = server.client.ingest.ListDeadLetters(pb.ListDeadLettersRequest()).dead_letters
        assert {letter.source: letter.replayed for letter in letters} == {
            "webvtt": False,
            "eventlog": False,
            "wecom": True,
        }


def test_replay_names_letters_or_describes_them_but_not_both(server: RunningServer) -> None:
    with pytest.raises(grpc.RpcError) as error:
        server.client.ingest.ReplayDeadLetters(
            pb.ReplayDeadLettersRequest(ids=["a"], source="wecom")
        )
    assert reason_of(error.value) == "INVALID_FIELD"
