"""The answers of ingest: a receipt per item, and the answers to requests that may come again."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from dealgraph.stream.interaction import Interaction, Rejected, action_id
from dealgraph.stream.log import EventLog, NewRecord, Topic

_KEPT: Final = 100_000


class Outcome(StrEnum):
    """What became of an item."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """The answer for one item. `reason` and `detail` are empty unless it was rejected."""

    outcome: Outcome
    action_id: str
    reason: str = ""
    detail: str = ""


class RequestReusedError(Exception):
    """A request id came again with another body; nothing was done."""


class Requests:
    """The newest 100,000 requests with their answers, in the log."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def answer(
        self, request_id: str, digest: bytes, items: Sequence[Interaction | Rejected]
    ) -> list[Receipt] | None:
        """Return the receipts that the request got before, None when it is new.

        Raises RequestReusedError when it came with another body, of which `digest` is the digest.
        """
        answer = self._find(request_id, digest)
        return None if answer is None else answer.receipts(items)

    def knows(self, request_id: str, digest: bytes) -> bool:
        """Say whether a request was answered before; raises as `answer`."""
        return self._find(request_id, digest) is not None

    def _find(self, request_id: str, digest: bytes) -> "_Answer | None":
        record = self._log.find(Topic.REQUESTS, [request_id]).get(request_id)
        if record is None:
            return None
        answer = _answers.decode(record.body)
        if answer.digest != digest:
            raise RequestReusedError(f"request_id {request_id} came before with another body")
        return answer

    def keep(self, request_id: str, digest: bytes, now: int, receipts: Sequence[Receipt]) -> None:
        """Remember the receipts of a new request."""
        body = msgspec.msgpack.encode(_Answer.of(digest, receipts))
        self._log.append(Topic.REQUESTS, [NewRecord(request_id, digest, now, body)])
        self._log.trim(Topic.REQUESTS, self._log.end(Topic.REQUESTS) - _KEPT)


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    """The receipts of a request in short: action ids follow from the items."""

    digest: bytes
    outcomes: bytes
    rejections: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, digest: bytes, receipts: Sequence[Receipt]) -> "_Answer":
        return cls(
            digest,
            bytes(_CODES[receipt.outcome] for receipt in receipts),
            tuple((r.reason, r.detail) for r in receipts if r.outcome is Outcome.REJECTED),
        )

    def receipts(self, items: Sequence[Interaction | Rejected]) -> list[Receipt]:
        rejections = iter(self.rejections)
        outcomes = [_OUTCOMES[code] for code in self.outcomes]
        return [
            Receipt(
                outcome,
                ""
                if isinstance(item, Rejected)
                else action_id(item.source, item.native_id, item.part),
                *(next(rejections) if outcome is Outcome.REJECTED else ()),
            )
            for item, outcome in zip(items, outcomes, strict=True)
        ]


_OUTCOMES: Final = (Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.REJECTED)
_CODES: Final = {outcome: code for code, outcome in enumerate(_OUTCOMES)}
_answers: Final = msgspec.msgpack.Decoder(_Answer)
