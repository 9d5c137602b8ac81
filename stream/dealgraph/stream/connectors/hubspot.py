"""The connector of HubSpot webhooks: arrays of events, as they were sent, or one event a line.

HubSpot sends an event again until it is answered, under the same `subscriptionId`, object, time, property and
source but with another `attemptNumber`; so these name it. The privacy deletion of a contact withdraws every
consent and asks for erasure.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from msgspec.structs import replace

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.crm_records import DELETED, LIVE, RECORD_STATE, CrmRecord
from dealgraph.stream.connectors.json_fields import text_of, time_of
from dealgraph.stream.connectors.json_records import JsonRecords
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.identity import person_id
from dealgraph.stream.interaction import (
    ConsentChange,
    Entity,
    Interaction,
    InteractionKind,
    Merge,
    Person,
    Provenance,
    Purpose,
    Reason,
    Recall,
)

_NAME: Final = "hubspot"
_OBJECTS: Final = {"0-1": "contact", "0-2": "company", "0-3": "deal"}
_ENTITIES: Final = {
    "contact": Entity.PERSON,
    "company": Entity.CUSTOMER,
    "deal": Entity.OPPORTUNITY,
}
_STATES: Final = {"creation": LIVE, "restore": LIVE, "deletion": DELETED}
_NAMED_BY: Final = (
    "subscriptionType", "subscriptionId", "objectId", "occurredAt", "propertyName", "propertyValue",
    "sourceId", "primaryObjectId", "newObjectId", "associationType", "fromObjectId", "toObjectId",
    "associationRemoved", "messageId",
)  # fmt: skip
_FACTS: Final = ("changeSource", "objectTypeId", "messageType", "associationType")
_MAX_MERGED: Final = 10_000


def _event(value: Mapping[str, Any], origin: Provenance, options: Options) -> list[Interaction]:
    kind, _, what = text_of(value, "subscriptionType").partition(".")
    if not kind or not what:
        raise RecordError(Reason.MISSING_FIELD, "subscriptionType is empty, or names no event")
    entity = _OBJECTS.get(text_of(value, "objectTypeId"), kind)
    if what == "associationChange":
        return [_association(value, options, origin)]
    if what == "merge":
        return _merge(value, entity, options, origin)
    record = _record(value, entity, _needed(value, "objectId"), options)
    if what == "privacyDeletion":
        return _erasure(record, options, origin)
    if what == "propertyChange":
        return [_property(value, record, options, origin)]
    if what in _STATES:
        return [record.field(RECORD_STATE, _STATES[what], origin)]
    return [record.activity(what[:80], origin)]


def _property(
    value: Mapping[str, Any], record: CrmRecord, options: Options, origin: Provenance
) -> Interaction:
    name, stated = _needed(value, "propertyName"), text_of(value, "propertyValue")
    if record.entity == "deal" and name == "dealstage" and stated:
        return record.stage(stated, origin)
    if value.get("isSensitive") is True:
        hidden = record.field(name, "", origin)
        return replace(hidden, attributes={**hidden.attributes, "withheld": "sensitive"})
    return record.field(name, stated, origin)


def _merge(
    value: Mapping[str, Any], entity: str, options: Options, origin: Provenance
) -> list[Interaction]:
    """Return that records are one: contacts, companies or deals; others point to the one that is left."""
    primary = _needed(value, "primaryObjectId")
    left = text_of(value, "newObjectId") or primary
    merged = value.get("mergedObjectIds") or []
    if not isinstance(merged, list) or len(merged) > _MAX_MERGED:
        raise RecordError(Reason.WRONG_TYPE, "mergedObjectIds is no list, or a very long one")
    gone = sorted({text_of({"id": one}, "id") for one in [primary, *merged]} - {left, ""})
    found = []
    for other in gone:
        record = _record(value, entity, other, options)
        if entity not in _ENTITIES:
            found.append(record.field("merged_into", f"{_NAME}:{left}", origin))
            continue
        joined = record.interaction(f"merge/{other}", InteractionKind.MERGE, origin)
        ids = (f"{_NAME}:{left}", f"{_NAME}:{other}")
        change = Merge(*ids, Side.CUSTOMER, _ENTITIES[entity], rule="merged in HubSpot")
        found.append(replace(joined, detail=change))
    return found


def _association(value: Mapping[str, Any], options: Options, origin: Provenance) -> Interaction:
    """Return that two records belong together; one that ended joins nothing."""
    kind = text_of(value, "associationType")
    ends = kind.lower().split("_to_")
    if len(ends) != 2:
        raise RecordError(Reason.UNKNOWN_VALUE, f"{kind[:80]!r} is no associationType")
    places = zip(ends, ("fromObjectId", "toObjectId"), strict=True)
    ids = {entity: _needed(value, name) for entity, name in places}
    entity = "deal" if "deal" in ids else ends[0]
    record = _record(value, entity, ids[entity], options)
    removed = value.get("associationRemoved") is True
    if not removed:
        record = replace(record, **_links(ids.items()))
    facts = {f"{other}_id": f"{_NAME}:{id_}" for other, id_ in ids.items()}
    record = replace(record, facts={**record.facts, **facts})
    return record.activity("association_removed" if removed else "association", origin)


def _erasure(record: CrmRecord, options: Options, origin: Provenance) -> list[Interaction]:
    """Return that every consent is withdrawn, and that the source deleted the record for privacy."""
    subject = f"{_NAME}:{record.id}"
    bare = replace(record, contact="", actor=Person(Side.SYSTEM), facts={})
    base = bare.interaction("privacy", InteractionKind.CONSENT, origin)
    withdrawn = [
        replace(
            base,
            part=part,
            channel=channel,
            detail=ConsentChange(subject, channel, purpose, False),
            consent_basis="HubSpot privacy deletion",
        )
        for part, (channel, purpose) in enumerate(
            (channel, purpose) for channel in Channel for purpose in Purpose
        )
    ]
    asked = bare.interaction("erasure", InteractionKind.DELETE, origin)
    wish = {"request": "erasure", "subject": subject, **asked.attributes}
    return [*withdrawn, replace(asked, attributes=wish, detail=Recall(subject))]


def _record(value: Mapping[str, Any], entity: str, record_id: str, options: Options) -> CrmRecord:
    stated = [f"{name}={text_of(value, name)}" for name in _NAMED_BY if value.get(name) is not None]
    links = _links([(entity, record_id)])
    return CrmRecord(
        source=_NAME,
        key=sha256("\x1f".join(stated).encode("utf-8", "surrogatepass")).hexdigest()[:32],
        entity=entity,
        id=record_id,
        at=time_of(value, "occurredAt", 1),
        actor=_actor(text_of(value, "sourceId"), options),
        facts={name: fact for name in _FACTS if (fact := text_of(value, name))},
        **links,
    )


def _links(ids: Iterable[tuple[str, str]]) -> dict[str, Any]:
    names = {"deal": "opportunity", "company": "customer", "contact": "contact"}
    return {names[entity]: f"{_NAME}:{id_}" for entity, id_ in ids if entity in names}


def _actor(source_id: str, options: Options) -> Person:
    user = source_id.removeprefix("userId:")
    if not user or user == source_id:
        return Person(Side.SYSTEM)
    stated = options.roster.person(_NAME, user)
    return stated or Person(Side.REP, person_id(_NAME, user), confidence=1.0)


def _needed(value: Mapping[str, Any], name: str) -> str:
    found = text_of(value, name)
    if not found:
        raise RecordError(Reason.MISSING_ID, f"{name} is empty")
    return found


CONNECTOR: Final = JsonRecords(
    _NAME, "HubSpot webhooks: arrays of events, as they were sent, in JSON", Channel.CRM, _event
)
