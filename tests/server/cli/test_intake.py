from collections.abc import Sequence

from dealgraph.server.cli.import_report import consent_hint
from dealgraph.server.cli.intake import BATCH_ITEMS, Tally, batches, bring_in
from dealgraph.stream.connectors.connector import Parsed
from dealgraph.stream.interaction import Interaction, Reason, Rejected
from dealgraph.stream.receipts import Outcome, Receipt
from tests.support.interactions import message


class Counting:
    """A sink that accepts interactions and keeps what it got."""

    def __init__(self, reason: str = "") -> None:
        self.delivered: list[Sequence[Interaction | Rejected]] = []
        self._receipt = (
            Receipt(Outcome.REJECTED, "", reason) if reason else Receipt(Outcome.ACCEPTED, "a")
        )

    def deliver(self, items: Sequence[Interaction | Rejected]) -> list[Receipt]:
        self.delivered.append(items)
        return [
            Receipt(Outcome.REJECTED, "", item.reason)
            if isinstance(item, Rejected)
            else self._receipt
            for item in items
        ]


def steps(count: int) -> list[Parsed]:
    return [Parsed(message(), number) for number in range(count)]


def test_batches_are_bounded_in_number() -> None:
    assert [len(batch) for batch in batches(steps(2 * BATCH_ITEMS + 1))] == [
        BATCH_ITEMS,
        BATCH_ITEMS,
        1,
    ]


def test_batches_are_bounded_in_size() -> None:
    large = Rejected("wecom", "1", Reason.TOO_LARGE, "", b"x" * 3_000_000)
    assert [len(batch) for batch in batches([Parsed(large, 0)] * 5)] == [2, 2, 1]


def test_every_item_is_counted_by_what_became_of_it() -> None:
    tally = Tally()
    seen: list[int] = []
    cut = Rejected("wecom", "1", Reason.TRUNCATED, "cut")
    bring_in([*steps(3), Parsed(cut, 9)], Counting(), tally, seen.append)
    assert (tally.read, tally.accepted, dict(tally.unreadable)) == (4, 3, {"TRUNCATED": 1})
    assert tally.left_out == 1
    assert seen == [9]


def test_what_lacks_consent_is_counted_by_rep_and_channel() -> None:
    tally = Tally()
    bring_in(steps(2), Counting(Reason.NO_CONSENT), tally, lambda done: None)
    ((rep, channel), number), *rest = tally.refused.items()
    assert (channel, number, rest) == ("chat", 2, [])
    assert rep
    assert "consent: {chat: [" in consent_hint(tally)


def test_the_hint_asks_for_a_rep_when_none_is_named() -> None:
    tally = Tally()
    tally.refused["", "voice"] = 1
    assert "--rep" in consent_hint(tally)
