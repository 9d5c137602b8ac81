"""Takes interactions in: nothing is acknowledged before it is durable, nothing refused in silence."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, Final

from msgspec import Struct

from dealgraph.api.v1 import ingest_service_pb2 as pb
from dealgraph.api.v1 import ingest_service_pb2_grpc
from dealgraph.graph.model import Channel
from dealgraph.server.commit_queue import CommitQueue
from dealgraph.server.errors import check_tenant, invalid
from dealgraph.server.interceptor import seconds_left
from dealgraph.server.readers import Readers
from dealgraph.server.requests import page_size, reused_request
from dealgraph.server.requests import request_id as check_request_id
from dealgraph.server.tokens import Tokens
from dealgraph.stream import codec
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.stated_options import MAX_STATED, decode_stated
from dealgraph.stream.dead_letters import DeadLetters, Kept
from dealgraph.stream.ingest import Gate, Outcome, Receipt, RequestReusedError
from dealgraph.stream.interaction import Interaction, Reason, Rejected

_OUTCOMES: Final = {
    Outcome.ACCEPTED: pb.PUBLISH_OUTCOME_ACCEPTED,
    Outcome.DUPLICATE: pb.PUBLISH_OUTCOME_DUPLICATE,
    Outcome.REJECTED: pb.PUBLISH_OUTCOME_REJECTED,
}
_CHANNELS: Final = frozenset(int(channel) for channel in Channel)
_MAX_SOURCE: Final = 512
_MAX_REPLAYED: Final = 1000


class DeadLetterKey(Struct, frozen=True, array_like=True):
    """Where a page of dead letters begins: after this offset."""

    after: int


class IngestService(ingest_service_pb2_grpc.IngestServiceServicer):
    """`IngestService` of the contract; `max_items` bounds one request."""

    def __init__(
        self,
        tenant: str,
        gate: Gate,
        dead_letters: DeadLetters,
        commits: CommitQueue,
        readers: Readers,
        tokens: Tokens,
        *,
        max_items: int,
        deadline_seconds: float,
    ) -> None:
        self._tenant = tenant
        self._gate = gate
        self._dead_letters = dead_letters
        self._commits = commits
        self._readers = readers
        self._tokens = tokens
        self._max_items = max_items
        self._deadline_seconds = deadline_seconds

    async def Publish(  # noqa: N802 - the contract names it
        self, request: pb.PublishRequest, context: Any
    ) -> pb.PublishResponse:
        """Store a batch and answer per interaction, once it is durable."""
        check_tenant(request.tenant, self._tenant)
        self._check_size(request)
        check_request_id(request.request_id)
        receipts = await self._commits.submit(partial(self._publish, request))
        return pb.PublishResponse(results=[publish_result(receipt) for receipt in receipts])

    async def PublishStream(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.PublishStreamRequest], context: Any
    ) -> pb.PublishStreamResponse:
        """Store batch after batch and answer with totals, once all is durable."""
        outcomes: Counter[Outcome] = Counter()
        reasons: Counter[str] = Counter()
        async for request in request_iterator:
            check_tenant(request.tenant, self._tenant)
            self._check_size(request)
            receipts = await self._commits.submit(partial(self._publish_items, request))
            outcomes.update(receipt.outcome for receipt in receipts)
            reasons.update(receipt.reason for receipt in receipts if receipt.reason)
        return pb.PublishStreamResponse(
            accepted=outcomes[Outcome.ACCEPTED],
            duplicates=outcomes[Outcome.DUPLICATE],
            rejected=outcomes[Outcome.REJECTED],
            rejected_by_reason=reasons,
        )

    async def ListDeadLetters(  # noqa: N802
        self, request: pb.ListDeadLettersRequest, context: Any
    ) -> pb.ListDeadLettersResponse:
        """List records that could not be taken in, oldest first."""
        check_tenant(request.tenant, self._tenant)
        size = page_size(request.page_size)
        key = self._tokens.page_key(request, DeadLetterKey) or DeadLetterKey(0)

        def read() -> list[Kept]:
            return self._dead_letters.page(
                source=request.source, reason=request.reason, after=key.after, limit=size + 1
            )

        found = await self._readers.run(read, seconds_left(context, self._deadline_seconds))
        shown, token = found[:size], ""
        if len(found) > size:
            token = self._tokens.page(request, DeadLetterKey(shown[-1].offset))
        return pb.ListDeadLettersResponse(
            dead_letters=[_dead_letter(kept) for kept in shown], next_page_token=token
        )

    async def ReplayDeadLetters(  # noqa: N802
        self, request: pb.ReplayDeadLettersRequest, context: Any
    ) -> pb.ReplayDeadLettersResponse:
        """Try dead letters again; those that fail stay as they are."""
        check_tenant(request.tenant, self._tenant)
        if len(request.ids) > _MAX_REPLAYED:
            raise invalid("ids", f"may be {_MAX_REPLAYED} at most")
        check_read_with(request.read_with)
        if request.ids and (request.source or request.reason):
            raise invalid("ids", "cannot be given together with source or reason")
        replayed = await self._commits.submit(
            lambda: self._dead_letters.replay(
                list(request.ids) or self._open(request), request.read_with
            )
        )
        return pb.ReplayDeadLettersResponse(
            results=[
                pb.ReplayResult(id=one.id, result=publish_result(one.receipt)) for one in replayed
            ]
        )

    def _open(self, request: pb.ReplayDeadLettersRequest) -> list[str]:
        """Return the ids of the oldest letters that fit and were not replayed yet."""
        found: list[str] = []
        after = 0
        while len(found) < _MAX_REPLAYED:
            page = self._dead_letters.page(
                source=request.source, reason=request.reason, after=after, limit=_MAX_REPLAYED
            )
            if not page:
                break
            after = page[-1].offset
            found += [kept.letter.id for kept in page if not kept.replayed]
        return found[:_MAX_REPLAYED]

    def _publish_items(
        self, request: pb.PublishRequest | pb.PublishStreamRequest
    ) -> Sequence[Receipt]:
        return self._gate.publish(_items(request))

    def _publish(self, request: pb.PublishRequest) -> Sequence[Receipt]:
        if not request.request_id:
            return self._publish_items(request)[: len(request.interactions)]
        try:
            receipts = self._gate.publish_once(
                request.request_id, _digest(request), _items(request)
            )
        except RequestReusedError:
            raise reused_request() from None
        return receipts[: len(request.interactions)]

    def _check_size(self, request: pb.PublishRequest | pb.PublishStreamRequest) -> None:
        if len(request.interactions) + len(request.rejected_records) > self._max_items:
            raise invalid(
                "interactions", f"may be {self._max_items} at most, rejected ones included"
            )
        check_read_with(request.read_with)
        for index, record in enumerate(request.rejected_records):
            field = f"rejected_records[{index}]"
            if record.reason not in Reason.__members__.values():
                raise invalid(f"{field}.reason", "is not a reason of dead letters")
            if record.channel and record.channel not in _CHANNELS:
                raise invalid(f"{field}.channel", "is not a channel")
            if len(record.source) > _MAX_SOURCE or len(record.position) > _MAX_SOURCE:
                raise invalid(field, f"source and position have {_MAX_SOURCE} characters at most")


def check_read_with(read_with: bytes) -> None:
    """Raise INVALID_ARGUMENT unless the options of raw records can be kept and read."""
    if len(read_with) > MAX_STATED:
        raise invalid("read_with", f"has {MAX_STATED} bytes at most")
    try:
        decode_stated(read_with)
    except SourceError as error:
        raise invalid("read_with", f"is not what a connector encodes: {error}") from error


def publish_result(receipt: Receipt) -> pb.PublishResult:
    """Return the message of a receipt."""
    return pb.PublishResult(
        outcome=_OUTCOMES[receipt.outcome],
        action_id=receipt.action_id,
        reason=receipt.reason,
        detail=receipt.detail,
    )


def _dead_letter(kept: Kept) -> pb.DeadLetter:
    letter = kept.letter
    return pb.DeadLetter(
        id=letter.id,
        source=letter.source,
        position=letter.position,
        reason=letter.reason.value,
        detail=letter.detail,
        recorded_at_ms=letter.recorded_at,
        payload=letter.payload,
        replayed=kept.replayed,
        truncated=letter.truncated,
    )


def _items(
    request: pb.PublishRequest | pb.PublishStreamRequest,
) -> list[Interaction | Rejected]:
    items = [codec.interaction_from_message(message) for message in request.interactions]
    for record in request.rejected_records:
        channel = Channel(record.channel) if record.channel else None
        reason, payload = Reason(record.reason), record.payload
        items.append(
            Rejected(
                record.source,
                record.position,
                reason,
                record.detail,
                payload,
                channel=channel,
                read_with=request.read_with,
            )
        )
    return items


def _digest(request: pb.PublishRequest) -> bytes:
    body = pb.PublishRequest()
    body.CopyFrom(request)
    body.ClearField("request_id")
    return hashlib.sha256(body.SerializeToString(deterministic=True)).digest()
