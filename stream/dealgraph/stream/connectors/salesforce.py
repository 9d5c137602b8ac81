"""The connector of Salesforce Change Data Capture: events of the Streaming API, or Avro of the Pub/Sub API.

A change becomes one interaction per record and field. A gap (GAP_*) marks its records dirty, an overflow or a
wildcard asks for a resync of the entity. Within a transaction the sequence number orders changes: it moves
them by 1 ms each. A record of the REST API says that it was fetched again.
"""

from collections.abc import Mapping
from typing import Any, Final

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.crm_records import (
    DELETED,
    DIRTY,
    LIVE,
    RECORD_STATE,
    RESYNC,
    SYNC_STATE,
    CrmRecord,
)
from dealgraph.stream.connectors.json_fields import object_of, text_of, time_of
from dealgraph.stream.connectors.json_records import JsonRecords
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.salesforce_activities import listed_activity
from dealgraph.stream.connectors.salesforce_avro import from_pubsub, is_from_pubsub
from dealgraph.stream.connectors.salesforce_records import is_record, refetched
from dealgraph.stream.connectors.salesforce_values import changed_values
from dealgraph.stream.identity import person_id
from dealgraph.stream.interaction import Interaction, Person, Provenance, Reason

_NAME: Final = "salesforce"
_HEADER: Final = "ChangeEventHeader"
_CHANGES: Final = ("CREATE", "UPDATE", "DELETE", "UNDELETE")
_MAX_RECORDS: Final = 10_000
_MAX_STEP: Final = 999


def _event(value: Mapping[str, Any], origin: Provenance, options: Options) -> list[Interaction]:
    if is_record(value):
        return refetched(value, origin)
    payload = from_pubsub(value) if is_from_pubsub(value) else _payload(value)
    header = object_of(payload, _HEADER)
    change = text_of(header, "changeType")
    key, entity = text_of(header, "transactionKey"), text_of(header, "entityName")
    for name, stated in (("transactionKey", key), ("entityName", entity), ("changeType", change)):
        if not stated:
            raise RecordError(Reason.MISSING_ID, f"{name} is empty")
    if change.removeprefix("GAP_") not in (*_CHANGES, "OVERFLOW"):
        raise RecordError(Reason.UNKNOWN_VALUE, f"{change[:80]!r} is no type of a change")
    found: list[Interaction] = []
    for record_id in _record_ids(header):
        record = _record(header, payload, entity, record_id, options)
        if change == "GAP_OVERFLOW" or record_id.endswith("*") or not record_id:
            found.append(record.activity(RESYNC, origin))
        elif change.startswith("GAP_"):
            found.append(record.field(SYNC_STATE, DIRTY, origin))
        else:
            found += _changes(record, change, payload, options, origin)
    return found


def _payload(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the payload within the envelopes that clients and relays write, or leave away."""
    for name in ("data", "detail", "payload"):
        inner = value.get(name)
        if isinstance(inner, dict):
            value = inner
    return value


def _record_ids(header: Mapping[str, Any]) -> list[str]:
    ids = header.get("recordIds") or [""]
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise RecordError(Reason.WRONG_TYPE, "recordIds is no list of texts")
    if len(ids) > _MAX_RECORDS:
        raise RecordError(Reason.TOO_LARGE, f"{len(ids)} records; at most {_MAX_RECORDS}")
    return ids


def _record(
    header: Mapping[str, Any],
    payload: Mapping[str, Any],
    entity: str,
    record_id: str,
    options: Options,
) -> CrmRecord:
    sequence = text_of(header, "sequenceNumber")
    if sequence and not (sequence.isascii() and sequence.isdecimal()):
        raise RecordError(Reason.WRONG_TYPE, "sequenceNumber is no number")
    step = min(max(int(sequence or 1) - 1, 0), _MAX_STEP)
    account = text_of(payload, "AccountId")
    known = f"{_NAME}:{record_id}" if record_id and not record_id.endswith("*") else ""
    facts = {
        "change_type": text_of(header, "changeType"),
        "change_origin": text_of(header, "changeOrigin"),
        "record_ids": record_id if record_id.endswith("*") else "",
    }
    return CrmRecord(
        source=_NAME,
        key=f"{text_of(header, 'transactionKey')}/{sequence or 1}/{record_id or entity}",
        entity=entity,
        id=record_id.removesuffix("*") if known else "",
        at=time_of(header, "commitTimestamp", 1) + step,
        actor=_actor(text_of(header, "commitUser"), options),
        opportunity=known if entity == "Opportunity" else "",
        customer=known if entity == "Account" else f"{_NAME}:{account}" if account else "",
        contact=known if entity == "Contact" else "",
        facts={name: value for name, value in facts.items() if value},
    )


def _actor(user: str, options: Options) -> Person:
    if not user:
        return Person(Side.SYSTEM)
    stated = options.roster.person(_NAME, user)
    return stated or Person(Side.REP, person_id(_NAME, user), confidence=1.0)


def _changes(
    record: CrmRecord,
    change: str,
    payload: Mapping[str, Any],
    options: Options,
    origin: Provenance,
) -> list[Interaction]:
    found: list[Interaction] = []
    if change != "UPDATE":
        state = DELETED if change == "DELETE" else LIVE
        found.append(record.field(RECORD_STATE, state, origin))
    if change == "DELETE":
        return found
    if change == "CREATE":
        found += listed_activity(record, payload, origin)
    for name, value in changed_values(payload, object_of(payload, _HEADER)).items():
        if record.entity == "Opportunity" and name == "StageName" and value:
            found.append(record.stage(value, origin))
        else:
            found.append(record.field(name, value, origin))
    return found


CONNECTOR: Final = JsonRecords(
    _NAME,
    "Salesforce Change Data Capture (JSON, or Avro in JSON lines); records fetched again",
    Channel.CRM,
    _event,
    lists=("records",),
)
