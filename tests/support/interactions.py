"""Builders of interactions for tests, and hypothesis strategies that make them.

A builder's default values are a valid interaction of the deal "deal-1" between li@acme.example and the
rep "rep-1". Two calls with the same session and time make the same native id: name `native_id` to differ.
"""

from typing import Any, Final

from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, Channel, Role, Side
from dealgraph.stream.interaction import (
    ClockCorrection,
    ConsentChange,
    Detail,
    Entity,
    FieldChange,
    Interaction,
    InteractionKind,
    Merge,
    Person,
    Provenance,
    Purpose,
    Recall,
    Split,
    StageChange,
)

TENANT: Final = "acme-sales"
MONDAY: Final = 1_772_442_000_000
"""2026-03-02 09:00 UTC, when the sessions of most tests begin."""
SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

LI: Final = Person(
    side=Side.CUSTOMER,
    native_id="li@acme.example",
    name="Li Wei",
    role=Role.ECONOMIC_BUYER,
    confidence=1.0,
)
CHEN: Final = Person(
    side=Side.CUSTOMER,
    native_id="chen@acme.example",
    name="Chen Jie",
    role=Role.TECH_LEAD,
    confidence=1.0,
)
REP: Final = Person(side=Side.REP, native_id="rep-1", name="Wang Fang", confidence=1.0)
STRANGER: Final = Person(name="Speaker 3")
_BY_SIDE: Final = {Side.CUSTOMER: LI, Side.REP: REP, Side.UNKNOWN: STRANGER}


def utterance(
    text: str = "hello",
    at: int = MONDAY,
    session: str = "call-1",
    side: Side = Side.CUSTOMER,
    **changes: Any,
) -> Interaction:
    """A turn of speech in a call."""
    base = Interaction(
        source="webvtt",
        native_id=f"{session}/{at}",
        kind=InteractionKind.UTTERANCE,
        channel=Channel.VOICE,
        occurred_at=at,
        actor=_BY_SIDE.get(side, Person(side=side)),
        session=session,
        opportunity="deal-1",
        customer="acme",
        rep="rep-1",
        duration_ms=4 * SECOND,
        text=text,
    )
    return replace(base, **changes)


def message(
    text: str = "hello",
    at: int = MONDAY,
    session: str = "chat-1",
    side: Side = Side.CUSTOMER,
    **changes: Any,
) -> Interaction:
    """A chat message; it needs no consent unless that was withdrawn."""
    own: dict[str, Any] = {
        "source": "wecom",
        "kind": InteractionKind.MESSAGE,
        "channel": Channel.CHAT,
        "duration_ms": 0,
    }
    return utterance(text, at, session, side, **(own | changes))


def mail(
    text: str = "Dear all",
    at: int = MONDAY,
    session: str = "thread-1",
    side: Side = Side.CUSTOMER,
    **changes: Any,
) -> Interaction:
    """A mail."""
    own: dict[str, Any] = {
        "source": "mail",
        "kind": InteractionKind.MAIL,
        "channel": Channel.MAIL,
        "duration_ms": 0,
    }
    return utterance(text, at, session, side, **(own | changes))


def consent(
    granted: bool = True,
    at: int = MONDAY - DAY,
    subject: str = "rep-1",
    channel: Channel = Channel.VOICE,
    purpose: Purpose = Purpose.CAPTURE,
    side: Side = Side.REP,
    **changes: Any,
) -> Interaction:
    """A grant or withdrawal of consent by `subject`."""
    word = "grant" if granted else "withdraw"
    own: dict[str, Any] = {
        "source": "webvtt",
        "native_id": f"{word}/{subject}/{channel.name}/{purpose.name}/{at}",
        "kind": InteractionKind.CONSENT,
        "channel": channel,
        "actor": Person(side=side, native_id=subject, confidence=1.0),
        "detail": ConsentChange(subject=subject, channel=channel, purpose=purpose, granted=granted),
    }
    return _record(at, own | changes)


def voice_grants(
    at: int = MONDAY - DAY, subject: str = "rep-1", **changes: Any
) -> list[Interaction]:
    """Grants of every purpose on the voice channel: what a rep gives before calls are captured."""
    return [consent(at=at, subject=subject, purpose=purpose, **changes) for purpose in Purpose]


def stage_change(stage: str = "proposal", at: int = MONDAY, **changes: Any) -> Interaction:
    """The opportunity moves to `stage`."""
    own: dict[str, Any] = {
        "native_id": f"stage/{stage}/{at}",
        "kind": InteractionKind.STAGE_CHANGE,
        "detail": StageChange(stage=stage),
    }
    return _record(at, own | changes)


def field_change(
    field: str = "amount", value: str = "1000", at: int = MONDAY, **changes: Any
) -> Interaction:
    """A field of the opportunity's record changes."""
    own: dict[str, Any] = {
        "native_id": f"field/{field}/{at}",
        "kind": InteractionKind.FIELD_CHANGE,
        "detail": FieldChange(field=field, value=value),
    }
    return _record(at, own | changes)


def recall(of: Interaction, at: int | None = None, **changes: Any) -> Interaction:
    """The interaction `of` is taken back."""
    own: dict[str, Any] = {
        "source": of.source,
        "native_id": f"recall/{of.native_id}",
        "kind": InteractionKind.RECALL,
        "channel": of.channel,
        "actor": of.actor,
        "session": of.session,
        "detail": Recall(native_id=of.native_id, part=of.part),
    }
    return _record(of.occurred_at + MINUTE if at is None else at, own | changes)


def merge(
    native_id: str,
    other: str,
    at: int = MONDAY,
    side: Side = Side.CUSTOMER,
    **changes: Any,
) -> Interaction:
    """Two native ids turn out to be one person."""
    own: dict[str, Any] = {
        "native_id": f"merge/{native_id}/{other}",
        "kind": InteractionKind.MERGE,
        "detail": Merge(native_id=native_id, other_native_id=other, side=side),
    }
    return _record(at, own | changes)


def split(
    native_id: str,
    other: str,
    at: int = MONDAY + DAY,
    side: Side = Side.CUSTOMER,
    **changes: Any,
) -> Interaction:
    """Two native ids turn out not to be one person."""
    own: dict[str, Any] = {
        "native_id": f"split/{native_id}/{other}",
        "kind": InteractionKind.SPLIT,
        "detail": Split(native_id=native_id, other_native_id=other, side=side),
    }
    return _record(at, own | changes)


def _record(at: int, changes: dict[str, Any]) -> Interaction:
    base = Interaction(
        source="crm",
        native_id=f"record/{at}",
        kind=InteractionKind.ACTIVITY,
        channel=Channel.CRM,
        occurred_at=at,
        actor=Person(side=Side.SYSTEM),
        opportunity="deal-1",
        customer="acme",
        rep="rep-1",
    )
    return replace(base, **changes)


_WORDS: Final = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
_IDS: Final = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
_TIMES: Final = st.integers(MONDAY, MONDAY + 30 * DAY)

people: Final = st.builds(
    Person,
    side=st.sampled_from(Side),
    native_id=st.just("") | _IDS,
    name=_WORDS,
    role=st.sampled_from(Role),
    confidence=st.floats(0, 1, width=32),
)
"""Any person that a source may name."""

_DETAILS: Final[dict[InteractionKind, st.SearchStrategy[Detail]]] = {
    InteractionKind.STAGE_CHANGE: st.builds(StageChange, stage=_IDS, previous_stage=_WORDS),
    InteractionKind.FIELD_CHANGE: st.builds(
        FieldChange, field=_IDS, value=_WORDS, previous_value=_WORDS
    ),
    InteractionKind.CONSENT: st.builds(
        ConsentChange,
        subject=_IDS,
        channel=st.sampled_from(Channel),
        purpose=st.sampled_from(Purpose),
        granted=st.booleans(),
    ),
    # Longer than any native id drawn below: nothing takes itself back.
    InteractionKind.RECALL: st.builds(Recall, native_id=_IDS.map("something said ".__add__)),
    InteractionKind.DELETE: st.builds(Recall, native_id=_IDS.map("something kept ".__add__)),
    InteractionKind.MERGE: st.builds(
        Merge,
        native_id=_IDS.map("a-".__add__),
        other_native_id=_IDS.map("b-".__add__),
        side=st.sampled_from((Side.CUSTOMER, Side.REP)),
        entity=st.sampled_from(Entity),
        confidence=st.floats(0, 1, width=32),
        rule=_WORDS,
    ),
    InteractionKind.CLOCK: st.builds(
        ClockCorrection,
        source=_IDS,
        offset_ms=st.integers(-DAY, DAY),
        margin_ms=st.integers(0, DAY),
        pairs=st.integers(0, 1000),
        reference=_WORDS,
    ),
    InteractionKind.SPLIT: st.builds(
        Split,
        native_id=_IDS.map("a-".__add__),
        other_native_id=_IDS.map("b-".__add__),
        side=st.sampled_from((Side.CUSTOMER, Side.REP)),
        entity=st.sampled_from(Entity),
        rule=_WORDS,
    ),
}


@st.composite
def interactions(draw: st.DrawFn, tenant: str = TENANT) -> Interaction:
    """Any valid interaction of `tenant`, of any kind, on any channel."""
    kind = draw(st.sampled_from(InteractionKind))
    return Interaction(
        source=draw(_IDS),
        native_id=draw(_IDS),
        kind=kind,
        channel=draw(st.sampled_from(Channel)),
        occurred_at=draw(_TIMES),
        actor=draw(people),
        part=draw(st.integers(0, 2**32 - 1)),
        tenant=tenant,
        session=draw(_WORDS),
        opportunity=draw(_WORDS),
        customer=draw(_WORDS),
        contact=draw(_WORDS),
        rep=draw(_WORDS),
        recipients=tuple(draw(st.lists(people, max_size=2))),
        recorded_at=draw(_TIMES),
        duration_ms=draw(st.integers(0, DAY)),
        text=draw(_WORDS),
        language=draw(st.sampled_from(("", "zh", "en"))),
        action_kind=draw(st.none() | st.sampled_from(ActionKind)),
        provenance=draw(st.builds(Provenance, parser=_WORDS, position=_WORDS)),
        consent_basis=draw(_WORDS),
        attributes=draw(st.dictionaries(_IDS, _WORDS, max_size=3)),
        detail=draw(_DETAILS[kind]) if kind in _DETAILS else None,
    )
