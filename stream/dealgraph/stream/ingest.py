"""The gate of ingest: validate, check consent, store, and only then acknowledge.

What is refused for lack of consent is counted and kept nowhere. What cannot be taken in for another
reason becomes a dead letter, whose payload is kept only where consent allows it.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from msgspec.structs import replace

from dealgraph.graph.model import NodeKind, NodeRef, Side
from dealgraph.stream import codec
from dealgraph.stream.channel_book import ChannelBook
from dealgraph.stream.channels import Verdict
from dealgraph.stream.consent import ConsentPolicy
from dealgraph.stream.dead_letters import dead_letter_record, options_records
from dealgraph.stream.erasure import REQUEST, SUBJECT
from dealgraph.stream.erasures import Erasure, Erasures
from dealgraph.stream.identity import Identities, person_ref
from dealgraph.stream.ingest_batch import Batch
from dealgraph.stream.interaction import (
    ClockCorrection,
    ConsentChange,
    Interaction,
    InteractionKind,
    Merge,
    Purpose,
    Reason,
    Rejected,
    Split,
    action_id,
)
from dealgraph.stream.links import links_of
from dealgraph.stream.log import Appended, EventLog, NewRecord, Topic
from dealgraph.stream.meter import Meter
from dealgraph.stream.receipts import Outcome, Receipt, RequestReusedError, Requests
from dealgraph.stream.registry import Registry
from dealgraph.stream.validation import Limits, check

__all__ = ["Gate", "Outcome", "Receipt", "RequestReusedError"]


class Gate:
    """Takes interactions of one tenant in. Safe for use by several threads."""

    def __init__(
        self,
        log: EventLog,
        tenant: str,
        policy: ConsentPolicy,
        limits: Limits,
        clock: Callable[[], int],
        meter: Meter,
        channels: ChannelBook,
        erasures: Erasures,
    ) -> None:
        self._log = log
        self._tenant = tenant
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._meter = meter
        self.channels = channels
        self._registry = Registry(log, policy, erasures)
        self._requests = Requests(log)
        self._lock = threading.RLock()
        self.generation = 0
        """Grows whenever people were taken out of the log: what was counted of it must be counted anew."""

    def publish(
        self, items: Sequence[Interaction | Rejected], *, keep_rejected: bool = True
    ) -> list[Receipt]:
        """Take items in, in one commit, and return a receipt for each.

        An item sees the consent that items before it state. Without `keep_rejected` no dead letters
        are made. Raises StorageError when nothing could be stored; then nothing was.
        """
        # The log's lock comes first: callers may hold it already, around several calls.
        with self._log.transaction(Topic.INTERACTIONS), self._lock:
            self._registry.refresh()
            self.channels.refresh()
            batch = Batch(self._clock())
            for item in items:
                self._take(batch, item)
            self._store(batch)
            letters = self._keep(batch) if keep_rejected else []
        self._measure(batch, letters)
        return batch.receipts

    def publish_once(
        self, request_id: str, digest: bytes, items: Sequence[Interaction | Rejected]
    ) -> list[Receipt]:
        """Publish as `publish`; the same request again changes nothing and gets the same receipts.

        `digest` stands for the body. The newest 100,000 requests are remembered. Raises
        RequestReusedError when `request_id` came before with another body.
        """
        with self._log.transaction(Topic.REQUESTS), self._lock:
            receipts = self._requests.answer(request_id, digest, items)
            if receipts is None:
                receipts = self.publish(items)
                self._requests.keep(request_id, digest, self._clock(), receipts)
        return receipts

    def answered(self, request_id: str, digest: bytes) -> bool:
        """Say whether a request was published before; raises RequestReusedError as `publish_once`."""
        return self._requests.knows(request_id, digest)

    def _take(self, batch: Batch, item: Interaction | Rejected) -> None:
        """Settle an item that is refused, and let an item that is not wait to be stored."""
        if isinstance(item, Rejected):
            batch.reject(self._withheld(item))
            return
        id_ = action_id(item.source, item.native_id, item.part)
        rejected = check(item, self._tenant, batch.now, self._limits)
        refusal = self._registry.refusal(item, Purpose.CAPTURE)
        if rejected is not None:
            kept = refusal is None and rejected.reason is not Reason.OTHER_TENANT
            batch.reject(
                replace(rejected, payload=_payload(item) if kept else b"", encoded=True), id_
            )
        elif refusal is not None:
            batch.refuse(item.source, id_, refusal)
        else:
            try:
                record = self._record(item, id_, batch.now)
            except ValueError:
                batch.reject(_rejected(item, Reason.BAD_ENCODING, "holds half a character"), id_)
                return
            if not self.channels.idle and not self._counts(batch, item, record):
                return
            batch.wait(item, record)
            if isinstance(item.detail, ConsentChange | Merge | Split | ClockCorrection):
                self._store(batch)

    def _counts(self, batch: Batch, item: Interaction, record: NewRecord) -> bool:
        """Say whether an item counts; settle it if its channel has to show its quality first."""
        verdict = self.channels.verdict(item, batch.now)
        if verdict is Verdict.COUNT:
            return True
        if verdict is Verdict.REFUSE:
            batch.reject(_rejected(item, Reason.CHANNEL_EXPIRED, _EXPIRED), record.id)
            return False
        (before,) = self.channels.hold([item], [record])
        outcome = Outcome.DUPLICATE if before else Outcome.ACCEPTED
        batch.hold(item.source, Receipt(outcome, record.id))
        return False

    def _record(self, item: Interaction, id_: str, now: int) -> NewRecord:
        recorded_at = item.recorded_at if 0 < item.recorded_at <= now else now
        stored = replace(item, tenant=self._tenant, recorded_at=recorded_at)
        digest, body = codec.interaction_to_record(stored)
        return NewRecord(id_, digest, now, body)

    def _store(self, batch: Batch) -> None:
        """Append what waits, and let consent, merges and splits take effect."""
        outcomes = self._log.append(Topic.INTERACTIONS, [record for _, _, record in batch.waiting])
        for (index, item, record), outcome in zip(batch.waiting, outcomes, strict=True):
            if outcome is Appended.STORED:
                batch.settle(index, item.source, Receipt(Outcome.ACCEPTED, record.id))
                if isinstance(item.detail, ConsentChange | Merge | Split | ClockCorrection):
                    self._registry.add(item, record)
                elif item.attributes:
                    self._link(item, batch.now)
                    self._heed(item, batch.now)
            elif outcome is Appended.DUPLICATE:
                batch.settle(index, item.source, Receipt(Outcome.DUPLICATE, record.id))
            else:
                detail = "an interaction with this source, native_id and part has another body"
                rejected = _rejected(item, Reason.ID_REUSED, detail)
                batch.reject(rejected, record.id, index)
        batch.waiting.clear()

    def _link(self, item: Interaction, now: int) -> None:
        """Store the merges that an interaction's attributes state as facts; each is stored once."""
        for link in links_of(item):
            id_ = action_id(link.source, link.native_id)
            if id_ in self._registry.known or check(link, self._tenant, now, self._limits):
                continue
            record = self._record(link, id_, now)
            if self._log.append(Topic.INTERACTIONS, [record]) == [Appended.STORED]:
                self._registry.add(link, record)

    def _heed(self, item: Interaction, now: int) -> None:
        """Note a request for erasure that came as an interaction."""
        if item.kind is InteractionKind.DELETE and item.attributes.get(REQUEST) == "erasure":
            subject = person_ref(Side.CUSTOMER, item.source, item.attributes.get(SUBJECT, ""))
            if subject is not None:
                self.ask_erasure(subject, item.occurred_at, item.source)

    def ask_erasure(self, person: NodeRef, asked_at: int, source: str) -> Erasure:
        """Note durably that a person is to be erased, under all ids; from now on nothing of them comes in.

        `asked_at` is when the person asked, in ms since 1970 UTC, `source` where the request came from.
        """
        with self._log.transaction(Topic.ERASURES), self._lock:
            self._registry.refresh()
            ids = {ref.id for ref in self._registry.identities.members(person)}
            erasure = self._registry.erasures.ask(sorted(ids), asked_at, source, self._clock())
            self._registry.reload()
            return erasure

    def erasures(self) -> list[Erasure]:
        """Return all requests for erasure, the oldest first."""
        with self._lock:
            return self._registry.erasures.all()

    def move_erasure(self, erasure: Erasure) -> None:
        """Put a request for erasure further; in a transaction of the caller, with what was done."""
        with self._log.transaction(Topic.ERASURES), self._lock:
            self._registry.erasures.move(erasure)

    def refusal(self, interaction: Interaction, purpose: Purpose) -> str | None:
        """Return why an interaction may not be used for `purpose` by all that is known now."""
        with self._lock:
            return self._registry.refusal(interaction, purpose)

    def forget(self) -> None:
        """Read anew who is one and who consented: people were taken out of the log."""
        with self._log.transaction(Topic.INTERACTIONS), self._lock:
            self._registry.reload()
            self.generation += 1

    @contextmanager
    def deciding(self) -> Iterator[Identities]:
        """Hold ingest while the block looks at who is one and publishes what follows from it."""
        with self._log.transaction(Topic.INTERACTIONS), self._lock:
            self._registry.refresh()
            yield self._registry.identities

    @contextmanager
    def changing_channels(self) -> Iterator[ChannelBook]:
        """Hold ingest while the block changes channels."""
        with self._log.transaction(Topic.CHANNELS), self._lock:
            self.channels.refresh()
            yield self.channels

    def identities(self) -> Identities:
        """Return a copy of who is one, to be looked at beside ingest."""
        with self._lock:
            return self._registry.identities.copy()

    def _withheld(self, rejected: Rejected) -> Rejected:
        """Take the payload from a record that may hold what nobody consented to."""
        channel = rejected.channel
        if channel is None:
            kept = not rejected.encoded
        else:
            kept = self._policy.covers(NodeKind.REP, channel, Purpose.CAPTURE)
        return rejected if kept else replace(rejected, payload=b"")

    def _keep(self, batch: Batch) -> list[Rejected]:
        """Store dead letters; return those that were new."""
        self._log.append(Topic.OPTIONS, options_records(batch.rejected, batch.now))
        records = [dead_letter_record(rejected, batch.now) for rejected in batch.rejected]
        outcomes = self._log.append(Topic.DEAD_LETTERS, records)
        return [
            rejected
            for rejected, outcome in zip(batch.rejected, outcomes, strict=True)
            if outcome is Appended.STORED
        ]

    def _measure(self, batch: Batch, letters: Sequence[Rejected]) -> None:
        for (source, outcome), count in batch.outcomes.items():
            self._meter.ingested(source, outcome.value, count)
        for refusal, count in batch.refusals.items():
            self._meter.consent_drops(refusal, count)
        for (source, reason), count in Counter((r.source, r.reason) for r in letters).items():
            self._meter.dead_letters(source, reason.value, count)


_EXPIRED: Final = (
    "the time of its channel is over: its owner must register it again with a later date, then "
    "replay the dead letters"
)


def _rejected(item: Interaction, reason: Reason, detail: str) -> Rejected:
    position = item.provenance.position or item.native_id
    return Rejected(item.source, position, reason, detail, _payload(item), True, item.channel)


def _payload(item: Interaction) -> bytes:
    """Return an interaction as bytes; nothing when the contract cannot hold it."""
    try:
        return codec.interaction_to_bytes(item)
    except ValueError:
        return b""
