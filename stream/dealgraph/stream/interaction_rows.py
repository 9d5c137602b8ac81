"""Interactions as rows of JSON: the contract's field names, enumerations by their names in small letters.

A row is what `dealgraph import interactions` reads and `dealgraph simulate` writes, one per line. Fields
that hold nothing are left out.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from dealgraph.graph.model import ActionKind, Channel, Role, Side
from dealgraph.stream.interaction import (
    NOBODY,
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

_E = TypeVar("_E", bound=IntEnum)
_Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Part = Annotated[int, Meta(ge=0, le=2**32 - 1)]


class UnknownNameError(ValueError):
    """A row holds a name that its enumeration does not know; the message says where."""


def _names(enum: type[_E]) -> dict[_E, str]:
    return {member: member.name.lower() for member in enum}


_KINDS, _CHANNELS = _names(InteractionKind), _names(Channel)
_SIDES, _ROLES = _names(Side), _names(Role)
_ACTIONS, _PURPOSES, _ENTITIES = _names(ActionKind), _names(Purpose), _names(Entity)


class PersonRow(Struct, frozen=True, omit_defaults=True):
    """A person of a row."""

    side: str = "unknown"
    native_id: str = ""
    name: str = ""
    role: str = "unknown"
    confidence: float = 0.0


class ConsentRow(Struct, frozen=True, omit_defaults=True):
    """A change of consent."""

    subject: str
    channel: str
    purpose: str
    granted: bool = False


class PairRow(Struct, frozen=True, omit_defaults=True):
    """Two ids that are one, or are not: of a person, customer or opportunity."""

    native_id: str
    other_native_id: str
    side: str = "unknown"
    entity: str = "person"
    confidence: float = 0.0
    rule: str = ""


class StageRow(Struct, frozen=True, omit_defaults=True):
    """A change of stage."""

    stage: str
    previous_stage: str = ""


class FieldRow(Struct, frozen=True, omit_defaults=True):
    """A change of a field."""

    field: str
    value: str = ""
    previous_value: str = ""


class RecallRow(Struct, frozen=True, omit_defaults=True):
    """What was taken back."""

    native_id: str
    part: _Part = 0


class ClockRow(Struct, frozen=True, omit_defaults=True):
    """A correction of the clock of a source."""

    source: str
    offset_ms: _Whole
    margin_ms: _Whole = 0
    pairs: _Whole = 0
    reference: str = ""


class Row(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An interaction as a row; the fields mean what those of the contract mean."""

    source: str
    native_id: str
    part: _Part = 0
    kind: str
    channel: str
    occurred_at_ms: _Whole
    recorded_at_ms: _Whole = 0
    duration_ms: _Whole = 0
    tenant: str = ""
    session_id: str = ""
    opportunity_id: str = ""
    customer_id: str = ""
    contact_id: str = ""
    rep_id: str = ""
    actor: PersonRow | None = None
    recipients: tuple[PersonRow, ...] = ()
    text: str = ""
    language: str = ""
    action_kind: str = ""
    consent_basis: str = ""
    attributes: dict[str, str] = {}
    stage_change: StageRow | None = None
    field_change: FieldRow | None = None
    consent: ConsentRow | None = None
    recall: RecallRow | None = None
    merge: PairRow | None = None
    split: PairRow | None = None
    clock: ClockRow | None = None


_decoder: Final = msgspec.json.Decoder(Row)
_encoder: Final = msgspec.json.Encoder()


def encode_row(interaction: Interaction) -> bytes:
    """Return an interaction as a line of JSON, with its end of line."""
    return _encoder.encode(to_row(interaction)) + b"\n"


def decode_row(raw: bytes) -> Row:
    """Return the row in JSON bytes; raises msgspec.DecodeError, msgspec.ValidationError."""
    return _decoder.decode(raw)


def to_row(i: Interaction) -> Row:
    """Return an interaction as a row; its provenance is left out."""
    detail = i.detail
    return Row(
        source=i.source,
        native_id=i.native_id,
        part=i.part,
        kind=_KINDS[i.kind],
        channel=_CHANNELS[i.channel],
        occurred_at_ms=i.occurred_at,
        recorded_at_ms=i.recorded_at,
        duration_ms=i.duration_ms,
        tenant=i.tenant,
        session_id=i.session,
        opportunity_id=i.opportunity,
        customer_id=i.customer,
        contact_id=i.contact,
        rep_id=i.rep,
        actor=None if i.actor == NOBODY else _person_row(i.actor),
        recipients=tuple(_person_row(person) for person in i.recipients),
        text=i.text,
        language=i.language,
        action_kind="" if i.action_kind is None else _ACTIONS[i.action_kind],
        consent_basis=i.consent_basis,
        attributes=dict(i.attributes),
        stage_change=_stage_row(detail) if isinstance(detail, StageChange) else None,
        field_change=_field_row(detail) if isinstance(detail, FieldChange) else None,
        consent=_consent_row(detail) if isinstance(detail, ConsentChange) else None,
        recall=RecallRow(detail.native_id, detail.part) if isinstance(detail, Recall) else None,
        merge=_pair_row(detail) if isinstance(detail, Merge) else None,
        split=_pair_row(detail) if isinstance(detail, Split) else None,
        clock=_clock_row(detail) if isinstance(detail, ClockCorrection) else None,
    )


def _person_row(person: Person) -> PersonRow:
    return PersonRow(
        _SIDES[person.side], person.native_id, person.name, _ROLES[person.role], person.confidence
    )


def _stage_row(change: StageChange) -> StageRow:
    return StageRow(change.stage, change.previous_stage)


def _field_row(change: FieldChange) -> FieldRow:
    return FieldRow(change.field, change.value, change.previous_value)


def _consent_row(change: ConsentChange) -> ConsentRow:
    names = _CHANNELS[change.channel], _PURPOSES[change.purpose]
    return ConsentRow(change.subject, *names, change.granted)


def _pair_row(pair: Merge | Split) -> PairRow:
    confidence = pair.confidence if isinstance(pair, Merge) else 0.0
    names = _SIDES[pair.side], _ENTITIES[pair.entity]
    return PairRow(pair.native_id, pair.other_native_id, *names, confidence, pair.rule)


def _clock_row(clock: ClockCorrection) -> ClockRow:
    return ClockRow(clock.source, clock.offset_ms, clock.margin_ms, clock.pairs, clock.reference)


_BY_NAME: Final[Mapping[type[IntEnum], Mapping[str, IntEnum]]] = {
    enum: {member.name.lower(): member for member in enum}
    for enum in (InteractionKind, Channel, Side, Role, ActionKind, Purpose, Entity)
}


def _named(enum: type[_E], name: str, field: str) -> _E:
    found = _BY_NAME[enum].get(name)
    if found is None:
        known = ", ".join(_BY_NAME[enum])
        raise UnknownNameError(f"{field} is {name[:40]!r}; known: {known}")
    return enum(found)


def from_row(row: Row, provenance: Provenance) -> Interaction:
    """Return the interaction of a row; raises UnknownNameError."""
    actor = NOBODY if row.actor is None else _person(row.actor, "actor")
    action = None if not row.action_kind else _named(ActionKind, row.action_kind, "action_kind")
    return Interaction(
        source=row.source,
        native_id=row.native_id,
        kind=_named(InteractionKind, row.kind, "kind"),
        channel=_named(Channel, row.channel, "channel"),
        occurred_at=row.occurred_at_ms,
        actor=actor,
        part=row.part,
        tenant=row.tenant,
        session=row.session_id,
        opportunity=row.opportunity_id,
        customer=row.customer_id,
        contact=row.contact_id,
        rep=row.rep_id,
        recipients=tuple(_person(person, "recipients") for person in row.recipients),
        recorded_at=row.recorded_at_ms,
        duration_ms=row.duration_ms,
        text=row.text,
        language=row.language,
        action_kind=action,
        provenance=provenance,
        consent_basis=row.consent_basis,
        attributes=row.attributes,
        detail=_detail(row),
    )


def _person(row: PersonRow, field: str) -> Person:
    side = _named(Side, row.side, f"{field}.side")
    role = _named(Role, row.role, f"{field}.role")
    return Person(side, row.native_id, row.name, role, row.confidence)


def _detail(row: Row) -> Detail | None:
    if row.stage_change is not None:
        return StageChange(row.stage_change.stage, row.stage_change.previous_stage)
    if (field := row.field_change) is not None:
        return FieldChange(field.field, field.value, field.previous_value)
    if (consent := row.consent) is not None:
        channel = _named(Channel, consent.channel, "consent.channel")
        purpose = _named(Purpose, consent.purpose, "consent.purpose")
        return ConsentChange(consent.subject, channel, purpose, consent.granted)
    if row.recall is not None:
        return Recall(row.recall.native_id, row.recall.part)
    if (pair := row.merge or row.split) is not None:
        ids = pair.native_id, pair.other_native_id
        side = _named(Side, pair.side, "side of a pair")
        entity = _named(Entity, pair.entity, "entity of a pair")
        if row.merge is None:
            return Split(*ids, side, entity, pair.rule)
        return Merge(*ids, side, entity, pair.confidence, pair.rule)
    if (clock := row.clock) is not None:
        return ClockCorrection(
            clock.source, clock.offset_ms, clock.margin_ms, clock.pairs, clock.reference
        )
    return None
