"""Which interactions are taken in: checks that need nothing but the interaction itself and the time."""

import re
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Side
from dealgraph.stream.identity import person_id
from dealgraph.stream.interaction import (
    MAX_TEXT,
    ClockCorrection,
    ConsentChange,
    Detail,
    Entity,
    FieldChange,
    Interaction,
    InteractionKind,
    Merge,
    Reason,
    Recall,
    Rejected,
    Split,
    StageChange,
)

_Fault = tuple[Reason, str] | None

# Control characters part the pieces of an action id; halves of characters cannot be stored.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MAX_PART: Final = 2**32 - 1

_DETAILS: Final[dict[InteractionKind, type[Detail]]] = {
    InteractionKind.STAGE_CHANGE: StageChange,
    InteractionKind.FIELD_CHANGE: FieldChange,
    InteractionKind.CONSENT: ConsentChange,
    InteractionKind.RECALL: Recall,
    InteractionKind.DELETE: Recall,
    InteractionKind.MERGE: Merge,
    InteractionKind.SPLIT: Split,
    InteractionKind.CLOCK: ClockCorrection,
}


class Limits(Struct, frozen=True):
    """What is taken in at most. Lengths are in characters, times in milliseconds.

    `max_clock_skew_ms` is how far in the future an event may lie; `oldest` is the earliest event time.
    """

    max_clock_skew_ms: int = 300_000
    oldest: int = 631_152_000_000  # 1990-01-01: what is older is no time in milliseconds
    max_duration_ms: int = 366 * 86_400_000
    max_text: int = MAX_TEXT
    max_id: int = 512
    max_recipients: int = 1_000
    max_attributes: int = 100
    max_attribute: int = 10_000


def check(interaction: Interaction, tenant: str, now: int, limits: Limits) -> Rejected | None:
    """Return why `tenant` does not take the interaction in at time `now`, None when it does.

    The answer holds no payload.
    """
    fault = (
        _check_ids(interaction, tenant, limits)
        or _check_times(interaction, now, limits)
        or _check_sizes(interaction, limits)
        or _check_people(interaction, limits)
        or _check_detail(interaction, limits)
    )
    if fault is None:
        return None
    position = interaction.provenance.position or interaction.native_id
    return Rejected(interaction.source, position, *fault, channel=interaction.channel)


def _check_ids(i: Interaction, tenant: str, limits: Limits) -> _Fault:
    if i.tenant and i.tenant != tenant:
        return Reason.OTHER_TENANT, f"this server holds tenant {tenant!r} only"
    if not i.source or not i.native_id:
        name = "native_id" if i.source else "source"
        return Reason.MISSING_ID, f"{name} is empty; source and native_id identify an interaction"
    if not 0 <= i.part <= _MAX_PART:
        return Reason.WRONG_TYPE, f"part is {i.part}; it lies between 0 and {_MAX_PART}"
    ids = (i.source, i.native_id, i.session, i.opportunity, i.customer, i.contact, i.rep)
    return None if _fit("".join(ids), limits.max_id) else _unfit_ids(i, limits)


def _fit(ids: str, longest: int) -> bool:
    # A plain, short text needs no search, and nearly all are such.
    return len(ids) <= longest and ((ids.isascii() and ids.isprintable()) or not _UNFIT.search(ids))


def _unfit_ids(i: Interaction, limits: Limits) -> _Fault:
    """Say which id cannot be taken; each may have the length that they have together at most."""
    for name in ("source", "native_id", "session", "opportunity", "customer", "contact", "rep"):
        fault = _check_id(name, getattr(i, name), limits)
        if fault:
            return fault
    return None


def _check_id(name: str, value: str, limits: Limits) -> _Fault:
    if len(value) > limits.max_id:
        return Reason.TOO_LARGE, f"{name} has {len(value)} characters; at most {limits.max_id}"
    if not _fit(value, limits.max_id):
        return Reason.BAD_ENCODING, f"{name} holds a control character or half a character"
    return None


def _check_times(i: Interaction, now: int, limits: Limits) -> _Fault:
    if i.occurred_at > now + limits.max_clock_skew_ms:
        return (
            Reason.FUTURE_TIMESTAMP,
            f"occurred_at is {_when(i.occurred_at)}, in the future; "
            "times are milliseconds since 1970 UTC",
        )
    if i.occurred_at < limits.oldest:
        return (
            Reason.ANCIENT_TIMESTAMP,
            f"occurred_at is {_when(i.occurred_at)}; is it empty, or in seconds? "
            "Times are milliseconds since 1970 UTC",
        )
    if i.recorded_at < 0:
        return Reason.BAD_TIMESTAMP, "recorded_at is negative; 0 means on arrival"
    if not 0 <= i.duration_ms <= limits.max_duration_ms:
        return (
            Reason.BAD_TIMESTAMP,
            f"duration is {i.duration_ms} ms; it lies between 0 and {limits.max_duration_ms}",
        )
    return None


def _when(at: int) -> str:
    try:
        return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return f"{at} ms"


def _check_sizes(i: Interaction, limits: Limits) -> _Fault:
    if len(i.text) > limits.max_text:
        return Reason.TOO_LARGE, f"text has {len(i.text)} characters; at most {limits.max_text}"
    if len(i.language) > limits.max_id or len(i.consent_basis) > limits.max_attribute:
        return Reason.TOO_LARGE, "language or consent_basis is too long"
    if not i.attributes:
        return None
    if len(i.attributes) > limits.max_attributes:
        count = len(i.attributes)
        return Reason.TOO_LARGE, f"{count} attributes; at most {limits.max_attributes}"
    for name, value in i.attributes.items():
        if not name:
            return Reason.MISSING_FIELD, "an attribute has no name"
        if len(name) > limits.max_id or len(value) > limits.max_attribute:
            return (
                Reason.TOO_LARGE,
                f"an attribute has a name of {len(name)} and a value of {len(value)} characters; "
                f"at most {limits.max_id} and {limits.max_attribute}",
            )
    return None


def _check_people(i: Interaction, limits: Limits) -> _Fault:
    if len(i.recipients) > limits.max_recipients:
        count = len(i.recipients)
        return Reason.TOO_LARGE, f"{count} recipients; at most {limits.max_recipients}"
    for person in (i.actor, *i.recipients):
        if not 0 <= person.confidence <= 1:
            return Reason.WRONG_TYPE, "the confidence of a person lies between 0 and 1"
        if len(person.name) > limits.max_attribute:
            return Reason.TOO_LARGE, f"a name has {len(person.name)} characters"
        fault = _check_id("id of a person", person.native_id, limits)
        if fault:
            return fault
    return None


def _check_detail(i: Interaction, limits: Limits) -> _Fault:
    wanted = _DETAILS.get(i.kind)
    detail = i.detail
    if wanted is None:
        if detail is None:
            return None
        return Reason.WRONG_TYPE, f"{i.kind.name} has no detail {type(detail).__name__}"
    if detail is None:
        return Reason.MISSING_FIELD, f"{i.kind.name} needs the detail {wanted.__name__}"
    if type(detail) is not wanted:
        return (
            Reason.WRONG_TYPE,
            f"{i.kind.name} needs the detail {wanted.__name__}, not {type(detail).__name__}",
        )
    return _check_change(i, detail, limits)


def _check_change(i: Interaction, detail: Detail, limits: Limits) -> _Fault:
    match detail:
        case StageChange(stage):
            return _check_needed("stage", stage, limits)
        case FieldChange(field, value, previous):
            if max(len(value), len(previous)) > limits.max_attribute:
                return Reason.TOO_LARGE, f"a value has more than {limits.max_attribute} characters"
            return _check_needed("field", field, limits)
        case ConsentChange(subject):
            return _check_needed("subject", subject, limits)
        case Recall(native_id, part):
            if (native_id, part) == (i.native_id, i.part):
                return Reason.UNKNOWN_VALUE, f"{i.kind.name} takes itself back"
            return _check_needed("native_id of what is taken back", native_id, limits)
        case ClockCorrection(source, offset_ms, margin_ms, pairs):
            if abs(offset_ms) > limits.max_duration_ms or min(margin_ms, pairs) < 0:
                return Reason.WRONG_TYPE, "a clock is off by a year at most; no count is negative"
            if max(margin_ms, pairs) > _MAX_PART // 2:
                return Reason.WRONG_TYPE, "margin or pairs of a clock is too large"
            return _check_needed("source of the clock", source, limits)
        case Merge() | Split():
            return _check_pair(i, detail, limits)


def _check_pair(i: Interaction, change: Merge | Split, limits: Limits) -> _Fault:
    name, native_id, other = i.kind.name, change.native_id, change.other_native_id
    fault = _check_needed("native_id", native_id, limits) or _check_needed(
        "other_native_id", other, limits
    )
    if fault:
        return fault
    if change.entity is Entity.PERSON and change.side not in (Side.CUSTOMER, Side.REP):
        return Reason.MISSING_FIELD, f"{name} of people needs a side: CUSTOMER or REP"
    if native_id == other or (
        change.entity is Entity.PERSON
        and person_id(i.source, native_id) == person_id(i.source, other)
    ):
        return Reason.UNKNOWN_VALUE, f"{name} names the same id twice"
    if isinstance(change, Merge) and not 0 <= change.confidence <= 1:
        return Reason.WRONG_TYPE, "the confidence of a merge lies between 0 and 1"
    return _check_id("rule", change.rule, limits)


def _check_needed(name: str, value: str, limits: Limits) -> _Fault:
    if not value:
        return Reason.MISSING_ID, f"{name} is empty"
    return _check_id(name, value, limits)
