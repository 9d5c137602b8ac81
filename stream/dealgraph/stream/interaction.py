"""The canonical interaction: one thing that happened between a customer and the selling side.

Connectors make interactions, ingest checks and stores them, the dataflow reads them. A record that
cannot become one is a `Rejected` value with a reason; nothing in the stream raises for bad input.

The log holds these values as MessagePack arrays, so fields are only ever added at the end, with a default.
"""

import hashlib
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import ActionKind, Channel, Role, Side

MAX_TEXT: Final = 1_000_000
"""Longest text of an interaction, in characters."""


class InteractionKind(IntEnum):
    """What an interaction is; the numbers equal those of the contract."""

    UTTERANCE = 1
    MESSAGE = 2
    MAIL = 3
    CALL = 4
    MEETING = 5
    STAGE_CHANGE = 6
    FIELD_CHANGE = 7
    CONSENT = 8
    METRIC = 9
    RECALL = 10
    MERGE = 11
    DELETE = 12
    ACTIVITY = 13
    SPLIT = 14
    CLOCK = 15


STATEMENTS: Final = frozenset(
    {
        InteractionKind.CONSENT,
        InteractionKind.MERGE,
        InteractionKind.SPLIT,
        InteractionKind.CLOCK,
        InteractionKind.RECALL,
        InteractionKind.DELETE,
    }
)
"""Kinds that say something of people, records or clocks, and are no contact with a customer themselves."""


class Purpose(IntEnum):
    """What consent is given for."""

    CAPTURE = 1
    ANALYSE = 2
    EMOTION = 3


class Reason(StrEnum):
    """Why a record was rejected: the reason of its dead letter."""

    UNREADABLE = "UNREADABLE"
    BAD_ENCODING = "BAD_ENCODING"
    TRUNCATED = "TRUNCATED"
    TOO_LARGE = "TOO_LARGE"
    TOO_DEEP = "TOO_DEEP"
    WRONG_TYPE = "WRONG_TYPE"
    UNKNOWN_VALUE = "UNKNOWN_VALUE"
    MISSING_ID = "MISSING_ID"
    MISSING_FIELD = "MISSING_FIELD"
    BAD_TIMESTAMP = "BAD_TIMESTAMP"
    FUTURE_TIMESTAMP = "FUTURE_TIMESTAMP"
    ANCIENT_TIMESTAMP = "ANCIENT_TIMESTAMP"
    OTHER_TENANT = "OTHER_TENANT"
    ID_REUSED = "ID_REUSED"
    NO_CONSENT = "NO_CONSENT"
    FAILED = "FAILED"
    CHANNEL_EXPIRED = "CHANNEL_EXPIRED"


class Rejected(Struct, frozen=True):
    """A record that could not be taken in, and why.

    `payload` is the record as far as kept: as the source wrote it, or `encoded` as an interaction.
    `channel` is the way it took place, when known: what may hold voice is not kept without consent.
    `read_with` are the options it was read with, as the connectors encode them.
    """

    source: str
    position: str
    reason: Reason
    detail: str
    payload: bytes = b""
    encoded: bool = False
    channel: Channel | None = None
    read_with: bytes = b""


class DeadLetter(Struct, frozen=True, array_like=True):
    """A record that could not be taken in, as the log keeps it.

    `payload` is as in `Rejected`; `truncated` says that it is not whole, so that it cannot be tried
    again. `recorded_at` is in milliseconds since 1970 UTC. `read_with` is the id of the options that it
    was read with, "" when none are known.
    """

    id: str
    source: str
    position: str
    reason: Reason
    detail: str
    recorded_at: int
    payload: bytes
    encoded: bool
    truncated: bool
    read_with: str = ""


class Person(Struct, frozen=True, gc=False, array_like=True):
    """A person as a source names them. `confidence` 0 means that nobody mapped the speaker."""

    side: Side = Side.UNKNOWN
    native_id: str = ""
    name: str = ""
    role: Role = Role.UNKNOWN
    confidence: float = 0.0


class Provenance(Struct, frozen=True, gc=False, array_like=True):
    """Where an interaction came from; `raw_sha256` in hexadecimal digits."""

    parser: str = ""
    parser_version: str = ""
    raw_sha256: str = ""
    position: str = ""


class StageChange(Struct, frozen=True, gc=False, array_like=True, tag=True):
    """The opportunity moved to `stage`."""

    stage: str
    previous_stage: str = ""


class FieldChange(Struct, frozen=True, gc=False, array_like=True, tag=True):
    """A field of a record changed."""

    field: str
    value: str
    previous_value: str = ""


class ConsentChange(Struct, frozen=True, gc=False, array_like=True, tag=True):
    """A person granted or withdrew consent for a channel and a purpose."""

    subject: str
    channel: Channel
    purpose: Purpose
    granted: bool


class Recall(Struct, frozen=True, gc=False, array_like=True, tag=True):
    """The interaction (same source, `native_id`, `part`) was taken back."""

    native_id: str
    part: int = 0


class Entity(IntEnum):
    """What two ids may be one of; the numbers equal those of the contract."""

    PERSON = 0
    CUSTOMER = 1
    OPPORTUNITY = 2


class Merge(Struct, frozen=True, gc=False, array_like=True, tag=True):
    """Two native ids are one person (of a side), customer or opportunity, from the event time on.

    `confidence` lies in (0, 1]; 0 means that it is stated as a fact. `rule` names what found it.
    """

    native_id: str
    other_native_id: str
    side: Side
    entity: Entity = Entity.PERSON
    confidence: float = 0.0
    rule: str = ""


class Split(Struct, frozen=True, gc=False, array_like=True, tag=True):
    """Two native ids are not one, from the event time on: takes earlier merges of the pair back."""

    native_id: str
    other_native_id: str
    side: Side
    entity: Entity = Entity.PERSON
    rule: str = ""


class ClockCorrection(Struct, frozen=True, gc=False, array_like=True, tag=True):
    """The clock of `source` is `offset_ms` ahead of `reference`: its times are set back from now on.

    `margin_ms` is half the 95 % interval of the offset, found from `pairs` events that both saw.
    """

    source: str
    offset_ms: int
    margin_ms: int = 0
    pairs: int = 0
    reference: str = ""


Detail = StageChange | FieldChange | ConsentChange | Recall | Merge | Split | ClockCorrection

NOBODY: Final = Person()
NOWHERE: Final = Provenance()


class Interaction(Struct, frozen=True, gc=False, array_like=True):
    """One thing that happened. Times are milliseconds since 1970 UTC.

    `native_id` with `source` and `part` identifies it. `recorded_at` 0 means: on arrival. An empty
    `action_kind` (None) leaves the tagger to decide. `rep` holds the conversation, and that rep's
    consent is checked. `detail` says what changed, for the kinds that change something.
    """

    source: str
    native_id: str
    kind: InteractionKind
    channel: Channel
    occurred_at: int
    actor: Person = NOBODY
    part: int = 0
    tenant: str = ""
    session: str = ""
    opportunity: str = ""
    customer: str = ""
    contact: str = ""
    rep: str = ""
    recipients: tuple[Person, ...] = ()
    recorded_at: int = 0
    duration_ms: int = 0
    text: str = ""
    language: str = ""
    action_kind: ActionKind | None = None
    provenance: Provenance = NOWHERE
    consent_basis: str = ""
    attributes: Mapping[str, str] = {}
    detail: Detail | None = None


def action_id(source: str, native_id: str, part: int = 0) -> str:
    """Return the id that an interaction has as an action: 32 hexadecimal digits.

    The first half of SHA-256 over source, native id and part, separated by a byte that no name
    holds; 128 bits keep 10^9 ids apart with a chance of collision below 10^-20.
    """
    raw = f"{source}\x1f{native_id}\x1f{part}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(raw).hexdigest()[:32]
