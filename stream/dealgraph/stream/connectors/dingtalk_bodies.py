"""The bodies of DingTalk messages: the words they hold, and their other facts as attributes."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from dealgraph.stream.connectors.json_fields import milliseconds, objects_of, text_of
from dealgraph.stream.connectors.json_transcripts import clean
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.templates import plain_text
from dealgraph.stream.interaction import Reason

_MAX_ATTRIBUTE: Final = 4_000
_MAX_ATTRIBUTES: Final = 40
_WORDS: Final = {"audio": "recognition", "file": "fileName"}


class Body(Struct, frozen=True, gc=False):
    """What a message holds; audio and video last `duration_ms`."""

    text: str
    attributes: Mapping[str, str]
    duration_ms: int = 0


def read_body(message: Mapping[str, Any]) -> Body:
    """Return words and facts of a message. Raises RecordError when its body is not as documented.

    A type that is not known keeps its plain fields, and is marked.
    """
    msgtype = text_of(message, "msgtype")
    if not msgtype:
        raise RecordError(Reason.MISSING_FIELD, "msgtype is empty")
    key = "text" if msgtype == "text" else "content"
    body = message.get(key)
    if body is None and msgtype != "text":
        body = {}
    if not isinstance(body, dict):
        reason = Reason.MISSING_FIELD if body is None else Reason.WRONG_TYPE
        raise RecordError(reason, f"{key} of a message of type {msgtype[:80]} is no object")
    if msgtype == "text":
        replied = text_of(message, "originalMsgId")
        return Body(clean(body.get("content")), {"replies_to": replied} if replied else {})
    known = {"msgtype": msgtype}
    if msgtype == "richText":
        pieces = [clean(piece.get("text")) for piece in objects_of(body, "richText")]
        return Body("\n".join(piece for piece in pieces if piece), known)
    if msgtype not in ("picture", "audio", "video", "file"):
        known["unknown_type"] = "true"
    length, words = body.get("duration"), _WORDS.get(msgtype, "")
    return Body(
        clean(body.get(words)),
        {**known, **facts({name: value for name, value in body.items() if name != words})},
        milliseconds(length, 1) if length else 0,
    )


def facts(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the plain fields of a body, by their names."""
    plain = [
        (name, value)
        for name, value in body.items()
        if value is not None and not isinstance(value, list | dict)
    ]
    return {
        f"dingtalk_{name[:64]}": plain_text(value)[:_MAX_ATTRIBUTE]
        for name, value in plain[:_MAX_ATTRIBUTES]
    }
