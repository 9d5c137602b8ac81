"""Tagged actions as detectors see them, and streams of them."""

import random
from collections.abc import Sequence

from hypothesis import strategies as st

from dealgraph.graph.model import ActionKind, Channel, Role, Side, Stage, Topic, topic_set
from dealgraph.stream.signals.detector import Observed

START = 1_772_532_000_000
"""3 March 2026, 10:00 UTC, in ms."""
SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def observed(
    number: int,
    at: int,
    *topics: Topic,
    side: Side = Side.CUSTOMER,
    kind: ActionKind = ActionKind.STATEMENT,
    session: str = "s1",
    person: str = "mail:li@acme.example",
    talk_ms: int = 10 * SECOND,
    valence: float = 0.0,
    emotion_confidence: float = 0.5,
    stage: Stage = Stage.UNKNOWN,
    role: Role = Role.UNKNOWN,
) -> Observed:
    """An action with id `number` in six digits, so that ids sort like numbers."""
    return Observed(
        id=f"{number:06}",
        at=at,
        session=session,
        person=person,
        side=side,
        channel=Channel.VOICE,
        kind=kind,
        confidence=0.8,
        topics=topic_set(*topics),
        exposure_ms=talk_ms,
        valence=valence,
        arousal=0.2,
        emotion_confidence=emotion_confidence if side is Side.CUSTOMER else 0.0,
        role=role,
        stage=stage,
    )


def random_stream(gaps: Sequence[int], length: int, seed: int) -> list[Observed]:
    """A stream of all sides in order (at, id): now and then a phase with one topic and one mood."""
    chance = random.Random(seed)
    at, stream = START, []
    topics, mood, people = _TOPICS[0], 0.0, _CROWDS[0]
    for number in range(length):
        if number % 12 == 0:
            topics, mood = chance.choice(_TOPICS), chance.choice([-0.9, -0.4, 0.0, 0.4])
            people = chance.choice(_CROWDS)
        at += chance.choice(gaps)
        side, kind = chance.choice(people)
        stream.append(
            observed(
                number,
                at,
                *(topics if chance.random() < 0.7 else chance.choice(_TOPICS)),
                side=side,
                kind=kind,
                session=chance.choice(["", "s1", "s2", "s3"]),
                person=chance.choice(["", "mail:a@x.example", "mail:b@x.example"]),
                talk_ms=chance.choice([0, 2 * SECOND, 10 * SECOND, 40 * SECOND]),
                valence=max(-1.0, min(1.0, mood + chance.uniform(-0.5, 0.5))),
                emotion_confidence=chance.choice([0.0, 0.3, 0.8, 0.8]),
                stage=chance.choice([Stage.UNKNOWN, Stage.DISCOVERY, Stage.NEGOTIATION]),
            )
        )
    return stream


def streams(gaps: Sequence[int], length: int = 150) -> st.SearchStrategy[list[Observed]]:
    """Random streams: built from a seed, because drawn item by item they stay too short to raise."""
    return st.builds(
        random_stream, st.just(gaps), st.integers(0, length), st.integers(0, 2**32 - 1)
    )


_Who = tuple[Side, ActionKind]
_CUSTOMER: list[_Who] = [
    (Side.CUSTOMER, ActionKind.DELIVERY_CONCERN),
    (Side.CUSTOMER, ActionKind.QUESTION),
    (Side.CUSTOMER, ActionKind.STATEMENT),
    (Side.UNKNOWN, ActionKind.QUESTION),
]
_CROWDS: list[list[_Who]] = [
    _CUSTOMER,
    [
        *_CUSTOMER,
        (Side.REP, ActionKind.ANSWER),
        (Side.REP, ActionKind.QUESTION),
        (Side.SYSTEM, ActionKind.ACTIVITY),
    ],
]
_TOPICS: list[tuple[Topic, ...]] = [
    (),
    (Topic.PRICE,),
    (Topic.PRICE, Topic.COMPETITOR),
    (Topic.COMPETITOR,),
    (Topic.DELIVERY,),
    (Topic.DELIVERY, Topic.OWNERSHIP),
    (Topic.TECHNICAL,),
]
