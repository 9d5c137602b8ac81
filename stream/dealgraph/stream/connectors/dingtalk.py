"""The connector of DingTalk: frames of the stream mode and callbacks of robots, as JSON lines or an array.

A frame holds its data as JSON in a string. Someone with a staff id belongs to the selling side; whoever else
writes in a group stays unknown, unless the roster says who it is.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.dingtalk_bodies import facts, read_body
from dealgraph.stream.connectors.json_fields import object_of, objects_of, text_of, time_of
from dealgraph.stream.connectors.json_records import JsonRecords
from dealgraph.stream.connectors.participants import contact_of, customer_of, rep_of, short_id
from dealgraph.stream.connectors.raw import RecordError, decode_json
from dealgraph.stream.interaction import (
    Interaction,
    InteractionKind,
    Person,
    Provenance,
    Reason,
)

_NAME: Final = "dingtalk"
_ROBOT_TOPIC: Final = "/v1.0/im/bot/messages/get"


def _record(value: Mapping[str, Any], origin: Provenance, options: Options) -> list[Interaction]:
    if "specVersion" not in value and "headers" not in value:
        return [_message(value, origin, options)]
    headers = object_of(value, "headers")
    kind = text_of(value, "type")
    if kind == "SYSTEM":
        return []  # a ping or the end of the connection: nothing happened between people
    data = value.get("data")
    data = decode_json(data) if isinstance(data, str) and data.strip() else data or {}
    if not isinstance(data, dict):
        raise RecordError(Reason.WRONG_TYPE, "data is no JSON object")
    if kind == "CALLBACK" and text_of(headers, "topic") == _ROBOT_TOPIC:
        return [_message(data, origin, options)]
    if kind in ("CALLBACK", "EVENT"):
        return [_event(headers, data, origin, options)]
    raise RecordError(Reason.UNKNOWN_VALUE, f"{kind[:80]!r} is no type of a frame")


def _message(message: Mapping[str, Any], origin: Provenance, options: Options) -> Interaction:
    native_id = text_of(message, "msgId")
    if not native_id:
        raise RecordError(Reason.MISSING_ID, "msgId is empty")
    body = read_body(message)
    people = (_sender(message, options), *_mentioned(message, options))
    defaults = options.defaults()
    attributes = {
        "conversation_title": text_of(message, "conversationTitle"),
        "group": "true" if text_of(message, "conversationType") == "2" else "",
        **body.attributes,
    }
    return Interaction(
        source=_NAME,
        native_id=native_id,
        kind=InteractionKind.MESSAGE,
        channel=Channel.CHAT,
        occurred_at=time_of(message, "createAt", 1),
        duration_ms=body.duration_ms,
        actor=people[0],
        recipients=people[1:],
        session=_session(text_of(message, "conversationId"), native_id),
        opportunity=defaults.opportunity,
        customer=customer_of(people, options),
        contact=contact_of(people),
        rep=rep_of(people, defaults.rep, _NAME),
        text=body.text,
        provenance=origin,
        attributes={name: value for name, value in attributes.items() if value},
    )


def _event(
    headers: Mapping[str, Any], data: Mapping[str, Any], origin: Provenance, options: Options
) -> Interaction:
    native_id = text_of(headers, "eventId") or text_of(headers, "messageId")
    if not native_id:
        raise RecordError(Reason.MISSING_ID, "eventId and messageId are empty")
    born = "eventBornTime" if headers.get("eventBornTime") else "time"
    activity = text_of(headers, "eventType") or text_of(headers, "topic")
    defaults = options.defaults()
    conversation = text_of(data, "conversationId") or text_of(data, "openConversationId")
    return Interaction(
        source=_NAME,
        native_id=native_id,
        kind=InteractionKind.ACTIVITY,
        channel=Channel.CHAT,
        occurred_at=time_of(headers, born, 1),
        actor=Person(Side.SYSTEM),
        session=_session(conversation, "") if conversation else defaults.session,
        opportunity=defaults.opportunity,
        customer=defaults.customer,
        provenance=origin,
        attributes={"activity": activity, **facts(data)},
    )


def _sender(message: Mapping[str, Any], options: Options) -> Person:
    staff, other = text_of(message, "senderStaffId"), text_of(message, "senderId")
    return _person(staff, other, text_of(message, "senderNick"), options)


def _mentioned(message: Mapping[str, Any], options: Options) -> Iterator[Person]:
    robot = text_of(message, "chatbotUserId")
    for user in objects_of(message, "atUsers"):
        staff, other = text_of(user, "staffId"), text_of(user, "dingtalkId")
        if staff or other != robot:
            yield _person(staff, other, "", options)


def _person(staff: str, other: str, name: str, options: Options) -> Person:
    """Return a person by the staff id, else by the id within DingTalk, which holds colons."""
    native_id = f"{_NAME}:{staff or other}" if staff or other else ""
    stated = options.roster.person(_NAME, native_id, name) if native_id else None
    if stated is not None:
        return stated
    if staff:
        return Person(Side.REP, native_id, name, confidence=1.0)
    return Person(native_id=native_id, name=name)


def _session(conversation: str, native_id: str) -> str:
    return short_id(f"{_NAME}:{conversation or native_id}", f"{_NAME}:")


CONNECTOR: Final = JsonRecords(
    _NAME,
    "DingTalk stream frames and robot callbacks: JSON lines or a JSON array",
    Channel.CHAT,
    _record,
)
