"""The connector of the WeCom conversation archive: decrypted messages as JSON lines or a JSON array.

Times are in ms at the top and in s within forwarded records. Ids of external contacts begin with wm or wo;
everybody else belongs to the selling side, unless the roster says otherwise.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.connectors.connector import Options, Parsed
from dealgraph.stream.connectors.json_stream import json_values
from dealgraph.stream.connectors.participants import contact_of, customer_of, rep_of, short_id
from dealgraph.stream.connectors.raw import (
    Line,
    RawFile,
    RecordError,
    decode_json,
    encode_json,
    lines,
    provenance,
    rejected,
)
from dealgraph.stream.connectors.roster import Roster
from dealgraph.stream.connectors.wecom_bodies import Body, items_of, read_body, read_item
from dealgraph.stream.connectors.wecom_fields import (
    milliseconds,
    object_of,
    recipients_of,
    text_of,
    time_of,
)
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
    Rejected,
)

VERSION: Final = "1"
_NAME: Final = "wecom"
_EXTERNAL: Final = ("wm", "wo")


class WeCom:
    """Reads WeCom archives. Positions are "file:number" of lines or of elements of the array."""

    name = _NAME
    summary = "WeCom conversation archive, decrypted: JSON lines or a JSON array"

    def parse(self, path: Path, options: Options) -> Iterator[Parsed]:
        """Yield what the roster states, then the messages."""
        for stated in options.roster.events():
            yield Parsed(stated, 0)
        with RawFile(path) as file:
            for line in json_values(file) if file.is_json_array else lines(file):
                if line.fault is None and not line.raw.strip():
                    continue
                for item in _record(line, f"{path.name}:{line.number}", options):
                    yield Parsed(item, line.end)

    def parse_record(
        self, raw: bytes, position: str, options: Options
    ) -> list[Interaction | Rejected]:
        """Parse the line of a dead letter again."""
        return _record(Line(raw, 0, 0), position, options)


CONNECTOR: Final = WeCom()


def _record(line: Line, position: str, options: Options) -> list[Interaction | Rejected]:
    """Return what a line holds: a message, or the messages of an answer to a pull."""
    try:
        if line.fault is not None:
            raise RecordError(line.fault, line.detail)
        value = decode_json(line.raw)
        if not isinstance(value, dict):
            raise RecordError(Reason.WRONG_TYPE, "the message is no JSON object")
    except RecordError as error:
        return [rejected(_NAME, position, error, line.raw, Channel.CHAT)]
    pulled = value.get("chatdata")
    if not isinstance(pulled, list):
        return _taken(value, line.raw, position, options)
    found: list[Interaction | Rejected] = []
    for message in pulled:
        found += _pulled(message, position, options)
    return found


def _pulled(message: Any, position: str, options: Options) -> list[Interaction | Rejected]:
    try:
        raw = encode_json(message)
    except RecordError as error:
        return [rejected(_NAME, position, error, b"", Channel.CHAT)]
    return _taken(message, raw, position, options)


def _taken(
    message: Any, raw: bytes, position: str, options: Options
) -> list[Interaction | Rejected]:
    try:
        return [*_message(message, provenance(_NAME, VERSION, raw, position), options)]
    except RecordError as error:
        return [rejected(_NAME, position, error, raw, Channel.CHAT)]


def _message(message: Any, origin: Provenance, options: Options) -> list[Interaction]:
    if not isinstance(message, dict):
        raise RecordError(Reason.WRONG_TYPE, "the message is no JSON object")
    if "encrypt_chat_msg" in message:
        raise RecordError(Reason.UNREADABLE, "still encrypted; decrypt the archive first")
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
        session=_session(text_of(message, "roomid"), people),
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


def _session(room: str, people: tuple[Person, ...]) -> str:
    if room:
        return person_id(_NAME, room)
    names = sorted({person.native_id for person in people if person.native_id})
    return short_id("|".join(names), f"{_NAME}:")
