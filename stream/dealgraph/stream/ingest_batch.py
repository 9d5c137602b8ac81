"""The items of one call of ingest: which wait to be stored, and what became of the others."""

from collections import Counter
from typing import Final

from dealgraph.stream.consent import EXPLANATIONS
from dealgraph.stream.dead_letters import presentable
from dealgraph.stream.interaction import Interaction, Reason, Rejected
from dealgraph.stream.log import NewRecord
from dealgraph.stream.receipts import Outcome, Receipt

_PENDING: Final = Receipt(Outcome.REJECTED, "")


class Batch:
    """The items of a call, which came at time `now`; `receipts` are in their order."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.receipts: list[Receipt] = []
        self.waiting: list[tuple[int, Interaction, NewRecord]] = []
        self.rejected: list[Rejected] = []
        self.outcomes: Counter[tuple[str, Outcome]] = Counter()
        self.refusals: Counter[str] = Counter()

    def wait(self, item: Interaction, record: NewRecord) -> None:
        """Let an item wait to be stored."""
        self.waiting.append((len(self.receipts), item, record))
        self.receipts.append(_PENDING)

    def settle(self, index: int, source: str, receipt: Receipt) -> None:
        """Note what became of an item that waited."""
        self.receipts[index] = receipt
        self.outcomes[source, receipt.outcome] += 1

    def hold(self, source: str, receipt: Receipt) -> None:
        """Note an item that is held beside the log."""
        self.receipts.append(_PENDING)
        self.settle(len(self.receipts) - 1, source, receipt)

    def refuse(self, source: str, id_: str, refusal: str) -> None:
        """Note an item that is refused for lack of consent."""
        self.receipts.append(_PENDING)
        self.refusals[refusal] += 1
        receipt = Receipt(Outcome.REJECTED, id_, Reason.NO_CONSENT.value, EXPLANATIONS[refusal])
        self.settle(len(self.receipts) - 1, source, receipt)

    def reject(self, rejected: Rejected, id_: str = "", index: int | None = None) -> None:
        """Note an item that cannot be taken in; `index` is its place if it waited."""
        if index is None:
            index = len(self.receipts)
            self.receipts.append(_PENDING)
        rejected = presentable(rejected)
        if rejected.reason is not Reason.NO_CONSENT:
            self.rejected.append(rejected)
        receipt = Receipt(Outcome.REJECTED, id_, rejected.reason.value, rejected.detail)
        self.settle(index, rejected.source, receipt)
