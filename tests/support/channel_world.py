"""A sales organisation to which twelve channels are added, some of them planted bad.

A core source knows all deals and people. Half of the deals are hot: their customers name competitors again
and again. What follows is judged by whether each deal has the alert that it should have. A bad channel
brings the words of hot deals in a way that puts them where they do not belong.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dealgraph.graph.model import Channel, Side, SignalState
from dealgraph.stream.interaction import Interaction, InteractionKind, Person
from tests.support.dealgraphs import alerts_of
from tests.support.interactions import DAY, MINUTE, SECOND
from tests.support.server import RunningServer

BEGIN: Final = 1_780_000_000_000
ROUNDS: Final = 4
_CALM: Final = (
    "Thank you, that was helpful and clear, number",
    "We will look at the document tonight, part",
    "The team was glad about the visit, group",
    "Please send the minutes to all of us, copy",
)
_HOT: Final = (
    "We are also talking to a competitor of yours, round",
    "Another vendor offered us the same, offer",
    "Your competitor does this out of the box, case",
)


class Deal(Struct, frozen=True):
    """A deal with its people; hot ones should raise an alert."""

    id: str
    customer: str
    contact: str
    rep: str
    hot: bool


class Planted(Struct, frozen=True):
    """A channel that is added. `spoil` changes its records from round `since` on; None: it is good."""

    name: str
    spoil: Callable[[Interaction, Random, list[Deal]], Interaction] | None = None
    since: int = 0


def deals_of(count: int) -> list[Deal]:
    """Deals, every second of them hot."""
    return [
        Deal(
            f"deal-{n}",
            f"customer-{n}",
            f"p{n}@c{n}.example",
            f"r{n % 6}@seller.example",
            n % 2 == 0,
        )
        for n in range(count)
    ]


def _talk(source: str, deal: Deal, day: int, hot: bool, random: Random) -> Iterator[Interaction]:
    """A chat of eight turns of the customer."""
    at = BEGIN + day * DAY + random.randrange(DAY // 2)
    session = f"{source}/{deal.id}/{day}"
    for turn in range(8):
        words = random.choice(_HOT if hot and turn > 3 else _CALM)
        yield Interaction(
            source=source,
            native_id=f"{session}/{turn}",
            kind=InteractionKind.MESSAGE,
            channel=Channel.CHAT,
            occurred_at=at + turn * MINUTE,
            actor=Person(Side.CUSTOMER, deal.contact, confidence=1.0),
            session=session,
            opportunity=deal.id,
            customer=deal.customer,
            rep=deal.rep,
            text=f"{words} {random.randrange(10**6)}.",
            duration_ms=20 * SECOND,
        )


def core(deals: list[Deal], seed: int) -> list[Interaction]:
    """What the core source brings: calm talk of all deals, and the hot talk of half of the hot ones."""
    random = Random(seed)
    told: list[Interaction] = []
    for n, deal in enumerate(deals):
        told += _talk("core", deal, 0, False, random)
        told += _talk("core", deal, 40, deal.hot and n % 4 == 0, random)
    return told


def brought(channel: Planted, deals: list[Deal], round_: int, seed: int) -> list[Interaction]:
    """What a channel brings in a round: a chat of each deal, hot where the deal is hot."""
    random = Random(f"{channel.name}/{round_}/{seed}")
    told = [
        one
        for deal in deals
        for one in _talk(channel.name, deal, 10 + round_, deal.hot and round_ == 3, random)
    ]
    if channel.spoil is None or round_ < channel.since:
        return told
    # What is spoilt is hot talk, whosesoever it is.
    hot = [one for deal in deals for one in _talk(channel.name, deal, 10 + round_, True, random)]
    return [channel.spoil(one, random, deals) for one in hot]


def _shuffled(one: Interaction, random: Random, deals: list[Deal]) -> Interaction:
    number = int(one.opportunity.removeprefix("deal-"))
    wrong = deals[(number * 7 + 3) % len(deals)]
    return replace(one, opportunity=wrong.id)


def _strangers(one: Interaction, random: Random, deals: list[Deal]) -> Interaction:
    actor = Person(Side.CUSTOMER, f"u{random.randrange(10**9)}", confidence=1.0)
    return replace(one, actor=actor)


def _other_side(one: Interaction, random: Random, deals: list[Deal]) -> Interaction:
    return replace(one, actor=Person(Side.CUSTOMER, one.rep, confidence=1.0))


def _last_year(one: Interaction, random: Random, deals: list[Deal]) -> Interaction:
    return replace(one, occurred_at=one.occurred_at - 365 * DAY)


def _broken(one: Interaction, random: Random, deals: list[Deal]) -> Interaction:
    return replace(one, occurred_at=0) if random.random() < 0.3 else one


PLANTED: Final = (
    *(Planted(f"good-{n}") for n in range(7)),
    Planted("shuffled", _shuffled),
    Planted("strangers", _strangers),
    Planted("other-side", _other_side),
    Planted("broken", _broken),
    Planted("turns-bad", _last_year, since=3),
)
"""Twelve channels, five of them bad; the last only after it was promoted."""


def accuracy(server: RunningServer, deals: list[Deal]) -> float:
    """Return the share of deals that have an alert exactly when they should."""
    standing: dict[str, str] = {}
    for alert in alerts_of(server.embedded):
        if alert.signal.state is SignalState.RETRACTED:
            standing.pop(alert.signal.id, None)
        else:
            standing[alert.signal.id] = alert.signal.opportunity
    alarmed = set(standing.values())
    return sum((deal.id in alarmed) == deal.hot for deal in deals) / len(deals)
