"""The connector of the WeCom conversation archive: decrypted messages as JSON lines or a JSON array.

Also read are answers to a pull, and what WeCom's zone for data and intelligence gives out (`wecom_zone`).
Times are in ms at the top and in s within forwarded records. Ids of external contacts begin with wm or wo;
everybody else belongs to the selling side, unless the roster says otherwise.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.json_fields import milliseconds, object_of, text_of, time_of
from dealgraph.stream.connectors.json_records import JsonRecords
from dealgraph.stream.connectors.participants import contact_of, customer_of, rep_of
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.roster import Roster
from dealgraph.stream.connectors.wecom_bodies import (
    Body,
    items_of,
    read_body,
    read_item,
    recipients_of,
)
from dealgraph.stream.connectors.wecom_zone import is_from_zone, session_of, zone_interaction
from dealgraph.stream.identity import person_id
from dealgraph.stream.interaction import (
    ConsentChange,
    Interaction,
    InteractionKind,
    Person,
    Provenance,
    Purpose,
    Reason,
    Recall,
)

_NAME: Final = "wecom"
_EXTERNAL: Final = ("wm", "wo")


def _message(message: Mapping[str, Any], origin: Provenance, options: Options) -> list[Interaction]:
    if "encrypt_chat_msg" in message:
        raise RecordError(Reason.UNREADABLE, "still encrypted; decrypt the archive first")
    if is_from_zone(message):
        return [zone_interaction(message, origin, options)]
    base = _base(message, origin, options)
    msgtype = text_of(message, "msgtype")
    if message.get("action") == "switch":
        return [base]
    if message.get("action") == "recall" or msgtype == "revoke":
        target = text_of(object_of(message, "revoke"), "pre_msgid")
        if not target:
            raise RecordError(Reason.MISSING_ID, "revoke.pre_msgid is empty")
        return [replace(base, kind=InteractionKind.RECALL, detail=Recall(target))]
    if msgtype in ("agree", "disagree"):
        return _consent(message, msgtype, base)
    if not msgtype:
        raise RecordError(Reason.MISSING_FIELD, "msgtype is empty")
    return _words(message, msgtype, base)


def _base(message: Mapping[str, Any], origin: Provenance, options: Options) -> Interaction:
    """Return the interaction with all that does not depend on the type of the message."""
    native_id = text_of(message, "msgid")
    if not native_id:
        raise RecordError(Reason.MISSING_ID, "msgid is empty")
    is_switch = message.get("action") == "switch"
    sender = _person(text_of(message, "user" if is_switch else "from"), options.roster)
    recipients = tuple(_person(to, options.roster) for to in recipients_of(message.get("tolist")))
    people = (sender, *recipients)
    defaults = options.defaults()
    return Interaction(
        source=_NAME,
        native_id=native_id,
        kind=InteractionKind.ACTIVITY if is_switch else InteractionKind.MESSAGE,
        channel=Channel.CHAT,
        occurred_at=time_of(message, "time" if is_switch else "msgtime", 1),
        actor=sender,
        recipients=recipients,
        session=session_of(text_of(message, "roomid"), people),
        opportunity=defaults.opportunity,
        customer=customer_of(people, options),
        contact=contact_of(people),
        rep=rep_of(people, defaults.rep, _NAME),
        provenance=origin,
        attributes={"activity": "switch"} if is_switch else {},
    )


def _words(message: Mapping[str, Any], msgtype: str, base: Interaction) -> list[Interaction]:
    body = read_body(message, msgtype)
    whole = replace(base, text=body.text, attributes=body.attributes)
    if msgtype == "meeting_voice_call":
        call = object_of(message, msgtype)
        ended = time_of(call, "endtime", 1_000) if call.get("endtime") else base.occurred_at
        attributes = {"voice_id": text_of(message, "voiceid"), **body.attributes}
        return [
            replace(
                whole,
                kind=InteractionKind.CALL,
                channel=Channel.VOICE,
                duration_ms=max(ended - base.occurred_at, 0),
                attributes=attributes,
            )
        ]
    if msgtype in ("voice", "video"):
        length = object_of(message, msgtype).get("play_length")
        return [replace(whole, duration_ms=milliseconds(length, 1_000) if length else 0)]
    if msgtype != "chatrecord":
        return [whole]
    items = items_of(message.get(msgtype), msgtype)
    return [whole, *(_forwarded(item, part, base) for part, item in enumerate(items, 1))]


def _forwarded(item: Mapping[str, Any], part: int, base: Interaction) -> Interaction:
    """Return an item of a forwarded record; who said it is not in the record."""
    body: Body = read_item(item, "ChatRecord")
    return replace(
        base,
        part=part,
        occurred_at=time_of(item, "msgtime", 1_000),
        actor=Person(),
        recipients=(),
        text=body.text,
        attributes={**body.attributes, "forwarded": "true"},
    )


def _consent(message: Mapping[str, Any], msgtype: str, base: Interaction) -> list[Interaction]:
    """Return what a contact's yes or no to the archive means: for chats, for every purpose."""
    body = object_of(message, msgtype)
    contact = text_of(body, "userid") or text_of(message, "from")
    if not contact:
        raise RecordError(Reason.MISSING_ID, f"{msgtype}.userid is empty")
    subject = person_id(_NAME, contact)
    granted = msgtype == "agree"
    stated_at = f"{msgtype}_time"
    at = time_of(body, stated_at, 1) if body.get(stated_at) else base.occurred_at
    return [
        replace(
            base,
            part=part,
            kind=InteractionKind.CONSENT,
            occurred_at=at,
            consent_basis=f"WeCom {msgtype}",
            detail=ConsentChange(subject, Channel.CHAT, purpose, granted),
        )
        for part, purpose in enumerate(Purpose)
    ]


def _person(native_id: str, roster: Roster) -> Person:
    if not native_id:
        return Person()
    side = Side.CUSTOMER if native_id.startswith(_EXTERNAL) else Side.REP
    stated = roster.person(_NAME, native_id)
    return stated or Person(side, person_id(_NAME, native_id), confidence=1.0)


CONNECTOR: Final = JsonRecords(
    _NAME,
    "WeCom conversation archive, decrypted: JSON lines or a JSON array",
    Channel.CHAT,
    _message,
    lists=("chatdata", "msg_list", "analyze_result_list"),
)
