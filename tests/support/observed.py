"""Tagged actions as detectors see them, and streams of them."""

from collections.abc import Sequence

from hypothesis import strategies as st

from dealgraph.graph.model import ActionKind, Channel, Role, Side, Topic, topic_set
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
    stage: str = "",
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
        role=Role.UNKNOWN,
        stage=stage,
    )


@st.composite
def streams(draw: st.DrawFn, gaps: Sequence[int], max_size: int = 60) -> list[Observed]:
    """Streams of actions in order (at, id), of all sides, about topics that detectors look for."""
    steps = draw(st.lists(st.sampled_from(gaps), max_size=max_size))
    at = START
    stream = []
    for number, step in enumerate(steps):
        at += step
        stream.append(
            observed(
                number,
                at,
                *draw(st.sampled_from(_TOPICS)),
                side=draw(st.sampled_from(_SIDES)),
                kind=draw(st.sampled_from(_KINDS)),
                session=draw(st.sampled_from(["", "s1", "s2", "s3"])),
                person=draw(st.sampled_from(["", "mail:a@x.example", "mail:b@x.example"])),
                talk_ms=draw(st.sampled_from([0, 2 * SECOND, 10 * SECOND, 40 * SECOND])),
                valence=draw(st.sampled_from([-0.9, -0.5, 0.0, 0.4])),
                emotion_confidence=draw(st.sampled_from([0.0, 0.3, 0.8])),
                stage=draw(st.sampled_from(["", "Discovery", "negotiation", "other"])),
            )
        )
    return stream


_SIDES = [Side.CUSTOMER, Side.CUSTOMER, Side.CUSTOMER, Side.REP, Side.UNKNOWN, Side.SYSTEM]
_KINDS = [
    ActionKind.STATEMENT,
    ActionKind.QUESTION,
    ActionKind.DELIVERY_CONCERN,
    ActionKind.ANSWER,
    ActionKind.ACTIVITY,
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
