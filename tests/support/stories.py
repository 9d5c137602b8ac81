"""Small made-up deals whose course is known: for tests of the whole dataflow."""

from random import Random
from typing import Final

from msgspec.structs import replace

from dealgraph.graph.model import Channel, Role, Side
from dealgraph.stream.interaction import (
    FieldChange,
    Interaction,
    InteractionKind,
    Merge,
    Person,
    Recall,
    StageChange,
)

BEGIN: Final = 1_780_000_000_000
"""When all stories begin, in milliseconds since 1970 UTC."""
MINUTE: Final = 60_000
DAY: Final = 24 * 60 * MINUTE

_ASKS: Final[tuple[str, ...]] = (
    "When will the delivery arrive?",
    "How long does the rollout take after signing?",
    "Is the migration going to be finished before our audit?",
    "什么时候可以交付？",
    "上线时间能保证吗？",
)
_CALM: Final[tuple[str, ...]] = (
    "Thank you, that was helpful.",
    "We will look at the document tonight.",
    "好的，谢谢。",
)
_NAMES: Final[tuple[str, ...]] = (
    "Another vendor offered us the same.",
    "We are also talking to a competitor of yours.",
    "Your competitor does this out of the box.",
)


def delivery_story(deals: int, seed: int) -> list[Interaction]:
    """Deals in which a customer keeps asking about delivery, one beside another in order of time.

    Each deal has two people of the customer under three ids, two chats, a change of stage, one message that
    is taken back, and competitors named again and again in the second chat.
    """
    random = Random(seed)
    told = [one for number in range(deals) for one in _deal(random, f"deal-{seed}-{number}")]
    return sorted(told, key=lambda one: (one.occurred_at, one.native_id))


def long_story(weeks: int, deals: int, seed: int) -> list[Interaction]:
    """Delivery stories of so many deals begun each week; each deal is won after nine days.

    Every other deal is of segment "large".
    """
    random = Random(seed)
    told: list[Interaction] = []
    for number in range(weeks * deals):
        deal = f"deal-{seed}-{number}"
        after = number // deals * 7 * DAY
        segment = FieldChange("segment", "large" if number % 2 else "small")
        told += [
            replace(one, occurred_at=one.occurred_at + after)
            for one in (
                *_deal(random, deal),
                _event(deal, "segment", BEGIN, InteractionKind.FIELD_CHANGE, segment),
                _event(
                    deal, "won", BEGIN + 9 * DAY, InteractionKind.STAGE_CHANGE, StageChange("WON")
                ),
            )
        ]
    return sorted(told, key=lambda one: (one.occurred_at, one.native_id))


def _deal(random: Random, deal: str) -> list[Interaction]:
    at = BEGIN + random.randrange(DAY)
    told = [
        _event(deal, "stage", at, InteractionKind.STAGE_CHANGE, StageChange("PROPOSAL")),
        _event(
            deal, "one", at, InteractionKind.MERGE, Merge(f"{deal}-a", f"{deal}-c", Side.CUSTOMER)
        ),
    ]
    for chat in ("first", "second"):
        at += random.randrange(MINUTE, DAY)
        for turn in range(8):
            at += random.randrange(1_000, 4 * MINUTE)
            texts = _ASKS if turn % 2 else _CALM
            if chat == "second" and turn > 3:
                texts = _NAMES
            person = f"{deal}-{random.choice('abc')}"
            told.append(_message(deal, chat, turn, at, person, random.choice(texts)))
    taken_back = told[4].native_id
    told.append(_event(deal, "recall", at + 1, InteractionKind.RECALL, Recall(taken_back)))
    return told


def _message(deal: str, chat: str, turn: int, at: int, person: str, text: str) -> Interaction:
    return Interaction(
        source="wecom",
        native_id=f"{deal}/{chat}/{turn}",
        kind=InteractionKind.MESSAGE,
        channel=Channel.CHAT,
        occurred_at=at,
        actor=Person(Side.CUSTOMER, person, person.upper(), Role.TECH_LEAD, 1.0),
        session=f"{deal}/{chat}",
        opportunity=deal,
        customer=f"customer of {deal}",
        rep="wang",
        text=text,
        duration_ms=20_000,
    )


def _event(
    deal: str,
    name: str,
    at: int,
    kind: InteractionKind,
    detail: StageChange | FieldChange | Merge | Recall,
) -> Interaction:
    return Interaction(
        source="wecom",
        native_id=f"{deal}/{name}",
        kind=kind,
        channel=Channel.CRM,
        occurred_at=at,
        opportunity=deal,
        rep="wang",
        detail=detail,
    )
