"""Whole deals as detectors of an opportunity see them: stages, meetings, chats and mails in order of time."""

import random
from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, Channel, Role, Side, Stage, Topic, topic_set
from dealgraph.stream.signals.detector import Observed
from tests.support.observed import DAY, HOUR, MINUTE, observed

MONDAY: Final = 1_772_416_800_000
"""2 March 2026, 10:00 in China, in ms: a working hour of a working day."""

_ROLES: Final = (Role.CHAMPION, Role.TECH_LEAD, Role.USER, Role.UNKNOWN)
_PAPER: Final = (Role.LEGAL, Role.PROCUREMENT, Role.INFOSEC)
_COURSE: Final = (
    Stage.CONTACT, Stage.DISCOVERY, Stage.QUALIFICATION, Stage.DEMO, Stage.VALIDATION,
    Stage.PROPOSAL, Stage.NEGOTIATION, Stage.LEGAL,
)  # fmt: skip


def said(
    number: int,
    at: int,
    side: Side = Side.CUSTOMER,
    channel: Channel = Channel.CHAT,
    *,
    role: Role = Role.UNKNOWN,
    session: str = "room",
    kind: ActionKind = ActionKind.STATEMENT,
    topics: int = 0,
    person: str = "mail:li@acme.example",
) -> Observed:
    """Something said in a deal; `role` counts on the customer's side."""
    action = observed(number, at, side=side, kind=kind, session=session, person=person)
    role = role if side is Side.CUSTOMER else Role.UNKNOWN
    return replace(action, channel=channel, role=role, topics=topics)


def moved(number: int, at: int, stage: Stage, segment: str = "") -> Observed:
    """A change of stage, as the CRM notes it."""
    action = said(number, at, Side.SYSTEM, Channel.CRM, session="", kind=ActionKind.STAGE_CHANGE)
    return replace(action, stage=stage, segment=segment, person="")


def random_deal(length: int, seed: int, *, paper: float = 0.1) -> list[Observed]:
    """A deal that goes through some of its stages: bursts of talk, hours to days apart.

    Legal takes part in `paper` of the later bursts; the customer's pace of answering changes now and then.
    """
    chance = random.Random(seed)
    at = MONDAY
    stream: list[Observed] = []
    stages = [stage for stage in _COURSE if chance.random() < 0.8]
    turns = sorted(chance.randrange(length + 1) for _ in stages)
    closes = chance.choice([length + 1, length * 9 // 10])
    pace = 1.0
    while len(stream) < length:
        at += round(chance.choice([2, 20, 30, 70]) * HOUR * chance.random())
        if chance.random() < 0.1:
            pace = chance.choice([0.1, 1.0, 10.0])
        for action in _burst(chance, at, pace, len(stream), paper=paper):
            while turns and len(stream) >= turns[0]:
                turns.pop(0)
                stream.append(moved(len(stream), action.at, stages.pop(0)))
            if len(stream) == closes:
                stream.append(moved(len(stream), action.at, Stage.WON))
                turns.clear()
            stream.append(replace(action, id=f"{len(stream):06}"))
            at = action.at
    return stream[:length]


def _burst(
    chance: random.Random, at: int, pace: float, number: int, *, paper: float
) -> list[Observed]:
    channel = chance.choice([Channel.VOICE, Channel.CHAT, Channel.CHAT, Channel.MAIL])
    session = "room" if channel is Channel.CHAT else f"{channel.name}-{chance.randrange(4)}"
    with_legal = chance.random() < paper
    burst = []
    for _ in range(chance.randint(1, 7)):
        side = chance.choice([Side.CUSTOMER, Side.REP])
        role = chance.choice(_PAPER if with_legal and chance.random() < 0.4 else _ROLES)
        kind = chance.choice([ActionKind.STATEMENT, ActionKind.QUESTION, ActionKind.SMALL_TALK])
        topics = topic_set(Topic.LEGAL) if chance.random() < 0.05 + 0.5 * with_legal else 0
        burst.append(
            said(number, at, side, channel, role=role, session=session, kind=kind, topics=topics)
        )
        at += round(pace * chance.choice([1, 10, 60, 300]) * MINUTE * chance.random())
    return burst


def deals(length: int = 200, paper: float = 0.1) -> st.SearchStrategy[list[Observed]]:
    """Random deals, built from a seed."""
    return st.builds(
        lambda size, seed: random_deal(size, seed, paper=paper),
        st.integers(0, length),
        st.integers(0, 2**32 - 1),
    )


def later(stream: Sequence[Observed], days: float) -> int:
    """Return the moment so many days after the newest action."""
    return stream[-1].at + round(days * DAY)
