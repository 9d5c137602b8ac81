"""The bodies of WeCom messages: the words they hold, and their other facts as attributes.

The key of the body is the message type, but for `docmsg`, `markdown` and `news`. What is written here of a
type are the fields that hold words; all plain fields of a body become attributes.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from dealgraph.stream.connectors.raw import RecordError, decode_json, encode_json
from dealgraph.stream.connectors.templates import plain_text
from dealgraph.stream.interaction import Reason

MAX_ATTRIBUTE: Final = 4_000
"""Longest attribute, in characters; longer ones are cut."""
_MAX_ATTRIBUTES: Final = 40

_BODY_KEYS: Final = {"docmsg": "doc", "markdown": "info", "news": "info"}
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "text": ("content",),
    "markdown": ("content",),
    "link": ("title", "description"),
    "weapp": ("title", "description"),
    "location": ("title", "address"),
    "docmsg": ("title",),
    "meeting": ("topic", "remarks"),
    "calendar": ("title", "place", "remarks"),
    "redpacket": ("wish",),
    "external_redpacket": ("wish",),
    "sphfeed": ("feed_desc",),
    "collect": ("title",),
    "chatrecord": ("title",),
    "file": ("filename",),
    "voip_doc_share": ("filename",),
    "news": (),
    "mixed": (),
    "image": (),
    "voice": (),
    "video": (),
    "card": (),
    "emotion": (),
    "meeting_voice_call": (),
}
_LISTED: Final = frozenset({"sharescreendata", "demofiledata", "attendeename"})
_MAX_DEPTH: Final = 2
_REQUIRED: Final = frozenset({"text", "markdown", "mixed", "news", "chatrecord"})


def recipients_of(tolist: Any) -> list[str]:
    """Return the recipients; relays write the list as JSON or with commas in a string."""
    if isinstance(tolist, str):
        listed = tolist.strip().startswith("[")
        tolist = decode_json(tolist) if listed else tolist.replace(";", ",").split(",")
    if tolist is None:
        return []
    if not isinstance(tolist, list):
        raise RecordError(Reason.WRONG_TYPE, "tolist is no list")
    return [name for name in (plain_text(to).strip() for to in tolist) if name]


class Body(Struct, frozen=True, gc=False):
    """What a message holds."""

    text: str
    attributes: Mapping[str, str]


def read_body(message: Mapping[str, Any], msgtype: str) -> Body:
    """Return words and facts of a message. Raises RecordError when its body is not as documented.

    A type that is not known is kept as it came, in the attribute `raw`.
    """
    if msgtype not in _WORDS:
        raw = encode_json(message).decode()
        return Body("", {"msgtype": msgtype, "unknown_type": "true", "raw": raw[:MAX_ATTRIBUTE]})
    key = _BODY_KEYS.get(msgtype, msgtype)
    body = message.get(key)
    if body is None and msgtype not in _REQUIRED:
        body = {}
    if not isinstance(body, dict):
        reason = Reason.MISSING_FIELD if body is None else Reason.WRONG_TYPE
        raise RecordError(reason, f"{key} of a message of type {msgtype} is no object")
    return _read(msgtype, body)


def items_of(body: Any, msgtype: str) -> list[Mapping[str, Any]]:
    """Return the items of a message that holds several. Raises RecordError (WRONG_TYPE)."""
    items = body.get("item") if isinstance(body, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise RecordError(Reason.WRONG_TYPE, f"{msgtype}.item is no list of objects")
    return items


def read_item(item: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Body:
    """Return what an item holds: its content is JSON in a string, its type may have a prefix.

    Of items within items within items only the facts are read.
    """
    content = item.get("content", "")
    if isinstance(content, str):
        content = decode_json(content) if content.lstrip()[:1] == "{" else {"content": content}
    if not isinstance(content, dict):
        raise RecordError(Reason.WRONG_TYPE, "the content of an item is no JSON object")
    kind = plain_text(item.get("type")).removeprefix(prefix).lower()
    if kind in _WORDS and (depth < _MAX_DEPTH or kind not in ("mixed", "news")):
        return _read(kind, content, depth + 1)
    words = content.get("content")
    return Body(words if isinstance(words, str) else "", {"msgtype": kind, **facts(content)})


def _read(msgtype: str, body: Mapping[str, Any], depth: int = 0) -> Body:
    words = [plain_text(body.get(name)) for name in _WORDS[msgtype]]
    if msgtype == "news":
        for item in items_of(body, msgtype):
            words += [plain_text(item.get("title")), plain_text(item.get("description"))]
    elif msgtype == "mixed":
        words += [read_item(item, "", depth).text for item in items_of(body, msgtype)]
    elif msgtype == "collect":
        words += _questions(body.get("details"))
    text = "\n".join(word for word in words if word)
    if msgtype in ("text", "markdown"):
        return Body(text, {} if msgtype == "text" else {"msgtype": msgtype})
    return Body(text, {"msgtype": msgtype, **facts(body)})


def _questions(details: Any) -> list[str]:
    if not isinstance(details, list):
        return []
    return [plain_text(detail.get("ques")) for detail in details if isinstance(detail, dict)]


def facts(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the plain fields of a body, by their names; lists of facts as JSON."""
    found: dict[str, str] = {}
    for name, value in body.items():
        if name in _LISTED and isinstance(value, list):
            value = encode_json(value).decode()
        if name == "content" or value is None or isinstance(value, list | dict):
            continue
        if len(found) == _MAX_ATTRIBUTES:
            break
        found[f"wecom_{name[:64]}"] = plain_text(value)[:MAX_ATTRIBUTE]
    return found
