"""What reps list in Salesforce of their work: meetings, calls and mails, as the change that made them says.

A listed activity stands at the time when it took place, beside the field changes that stand at the time of
the commit. One that lies in the future is a plan and no activity.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from dealgraph.stream.connectors.crm_records import CrmRecord
from dealgraph.stream.connectors.event_keys import mail_key, meeting_key
from dealgraph.stream.connectors.json_fields import text_of
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.times import epoch_ms, iso_ms
from dealgraph.stream.interaction import Interaction, InteractionKind, Provenance, Reason

_STARTS: Final = {
    "Event": "StartDateTime",
    "Task": "CompletedDateTime",
    "EmailMessage": "MessageDate",
}
_KINDS: Final = {
    "Event": InteractionKind.MEETING,
    "Task": InteractionKind.CALL,
    "EmailMessage": InteractionKind.MAIL,
}
_MAX_SUBJECT: Final = 1_000
_PREFIXES: Final = {"006": "opportunity", "001": "customer", "003": "contact"}


def listed_activity(
    record: CrmRecord, payload: Mapping[str, Any], origin: Provenance
) -> list[Interaction]:
    """Return the activity that a new record lists; nothing for other records. Raises RecordError."""
    start = text_of(payload, _STARTS.get(record.entity, ""))
    if not start or (record.entity == "Task" and text_of(payload, "TaskSubtype") != "Call"):
        return []
    at = moment(start)
    if at > record.at:
        return []
    owner = text_of(payload, "OwnerId")
    facts = {"subject": text_of(payload, "Subject")[:_MAX_SUBJECT], "event_key": _key(payload, at)}
    done = replace(record, at=at, **_links(record, payload)).interaction(
        "listed", _KINDS[record.entity], origin
    )
    return [
        replace(
            done,
            rep=f"{record.source}:{owner}" if owner.startswith("005") else "",
            duration_ms=_duration(payload),
            attributes={**done.attributes, **{name: fact for name, fact in facts.items() if fact}},
        )
    ]


def moment(value: str) -> int:
    """Return a time in ms: a number in Avro, a text in JSON. Raises RecordError."""
    try:
        return epoch_ms(value, 1) if value.lstrip("-").isdecimal() else iso_ms(value)
    except (ValueError, OverflowError) as error:
        raise RecordError(Reason.BAD_TIMESTAMP, str(error)[:200]) from error


def _links(record: CrmRecord, payload: Mapping[str, Any]) -> dict[str, str]:
    found = {
        "opportunity": record.opportunity,
        "customer": record.customer,
        "contact": record.contact,
    }
    for name in ("WhatId", "RelatedToId", "WhoId"):
        id_ = text_of(payload, name)
        place = _PREFIXES.get(id_[:3])
        if place:
            found[place] = f"{record.source}:{id_}"
    return found


def _key(payload: Mapping[str, Any], at: int) -> str:
    message_id = text_of(payload, "MessageIdentifier").strip("<>")
    if message_id:
        return mail_key(message_id)
    fields = ("Location", "Description", "CallObject")
    return next((key for name in fields if (key := meeting_key(text_of(payload, name), at))), "")


def _duration(payload: Mapping[str, Any]) -> int:
    for name, unit in (("DurationInMinutes", 60_000), ("CallDurationInSeconds", 1_000)):
        stated = text_of(payload, name)
        if stated:
            try:
                return max(epoch_ms(stated, unit), 0)
            except (ValueError, OverflowError) as error:
                raise RecordError(Reason.WRONG_TYPE, f"{name}: {error}"[:200]) from error
    return 0
