"""Brings what connectors read into dealgraph: in batches, to a data directory or to a server, counted."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

from msgspec.structs import replace

from dealgraph.api.v1 import ingest_service_pb2, interaction_pb2
from dealgraph.server.client import Client
from dealgraph.stream import codec
from dealgraph.stream.connectors.connector import Parsed
from dealgraph.stream.ingest import Gate
from dealgraph.stream.interaction import Interaction, Reason, Rejected
from dealgraph.stream.receipts import Outcome, Receipt

BATCH_ITEMS: Final = 5_000
"""Most items of a batch."""

BATCH_CHARACTERS: Final = 4_000_000
"""Characters and bytes after which a batch is sent although it has few items."""


class Sink(Protocol):
    """Takes batches in; what it accepted is durable when it returns."""

    def deliver(self, items: Sequence[Interaction | Rejected]) -> list[Receipt]:
        """Deliver a batch and return a receipt for each item."""
        ...


class GateSink:
    """Delivers to a data directory that this process has opened."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def deliver(self, items: Sequence[Interaction | Rejected]) -> list[Receipt]:
        """Deliver through the ingest gate; raises StorageError when nothing could be stored."""
        return self._gate.publish(items)


_OUTCOMES: Final = {
    ingest_service_pb2.PUBLISH_OUTCOME_ACCEPTED: Outcome.ACCEPTED,
    ingest_service_pb2.PUBLISH_OUTCOME_DUPLICATE: Outcome.DUPLICATE,
    ingest_service_pb2.PUBLISH_OUTCOME_REJECTED: Outcome.REJECTED,
}


class ServerSink:
    """Delivers to a server over gRPC."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def deliver(self, items: Sequence[Interaction | Rejected]) -> list[Receipt]:
        """Deliver through IngestService; raises RpcError when the server cannot be reached."""
        encoded = [_message(item) if isinstance(item, Interaction) else item for item in items]
        messages = [item for item in encoded if isinstance(item, interaction_pb2.Interaction)]
        letters = [_letter(item) for item in encoded if isinstance(item, Rejected)]
        options = (item.read_with for item in items if isinstance(item, Rejected))
        results = iter(self._client.publish(messages, letters, read_with=next(options, b"")))
        return [
            Receipt(Outcome.REJECTED, "", item.reason.value, item.detail)
            if isinstance(item, Rejected)
            else _receipt(next(results))
            for item in encoded
        ]


def _message(item: Interaction) -> interaction_pb2.Interaction | Rejected:
    try:
        return codec.interaction_to_message(item)
    except ValueError:
        position = item.provenance.position
        detail = "holds what the contract cannot, such as half a character"
        return Rejected(item.source, position, Reason.BAD_ENCODING, detail, channel=item.channel)


def _letter(item: Rejected) -> ingest_service_pb2.RejectedRecord:
    return ingest_service_pb2.RejectedRecord(
        source=item.source,
        position=item.position,
        reason=item.reason.value,
        detail=item.detail,
        payload=item.payload,
        channel=_channel(item),
    )


def _channel(item: Rejected) -> "interaction_pb2.Channel.ValueType":
    name = "UNSPECIFIED" if item.channel is None else item.channel.name
    return interaction_pb2.Channel.Value(f"CHANNEL_{name}")


def _receipt(result: ingest_service_pb2.PublishResult) -> Receipt:
    return Receipt(_OUTCOMES[result.outcome], result.action_id, result.reason, result.detail)


class Tally:
    """Counts of an import. `unreadable` and `rejected` count by reason, `refused` by (rep, channel)."""

    def __init__(self) -> None:
        self.read = 0
        self.accepted = 0
        self.duplicates = 0
        self.unreadable: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()

    @property
    def left_out(self) -> int:
        """Number of records that did not come in."""
        return self.unreadable.total() + self.rejected.total() + self.refused.total()

    def note(self, item: Interaction | Rejected, receipt: Receipt) -> None:
        """Count what became of an item."""
        self.read += 1
        if isinstance(item, Rejected):
            self.unreadable[receipt.reason] += 1
        elif receipt.outcome is Outcome.ACCEPTED:
            self.accepted += 1
        elif receipt.outcome is Outcome.DUPLICATE:
            self.duplicates += 1
        elif receipt.reason == Reason.NO_CONSENT:
            self.refused[item.rep, item.channel.name.lower()] += 1
        else:
            self.rejected[receipt.reason] += 1


def read_with(steps: Iterable[Parsed], options: bytes) -> Iterator[Parsed]:
    """Yield the steps, with the encoded options of the import noted on what was rejected."""
    for step in steps:
        item = step.item
        if isinstance(item, Rejected):
            step = Parsed(replace(item, read_with=options), step.bytes_read)
        yield step


def bring_in(
    steps: Iterable[Parsed], sink: Sink, tally: Tally, advance: Callable[[int], None]
) -> None:
    """Deliver what a parser yields; `advance` is told the bytes of the file that are done with.

    Stopped half-way, what was delivered is in; delivering it again only counts duplicates.
    """
    for batch in batches(steps):
        items = [step.item for step in batch]
        for item, receipt in zip(items, sink.deliver(items), strict=True):
            tally.note(item, receipt)
        advance(batch[-1].bytes_read)


def batches(steps: Iterable[Parsed]) -> Iterator[list[Parsed]]:
    """Yield the steps in batches that are bounded in number and in size."""
    batch: list[Parsed] = []
    size = 0
    for step in steps:
        batch.append(step)
        item = step.item
        size += len(item.text) if isinstance(item, Interaction) else len(item.payload)
        if len(batch) >= BATCH_ITEMS or size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
