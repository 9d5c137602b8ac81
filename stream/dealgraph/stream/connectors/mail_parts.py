"""The parts of a mail: headers as text, addresses, words and names of attachments.

Headers are read raw (the compat32 policy): the header parser of newer policies raises for some broken headers
and needs quadratic time for others.
"""

import re
from collections.abc import Iterator
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32
from email.utils import getaddresses, parsedate_to_datetime
from typing import Final, TypeAlias

from dealgraph.stream.connectors.mail_words import html_words, own_words
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.times import datetime_ms
from dealgraph.stream.interaction import Reason

Mail: TypeAlias = "Message[str, str]"

_MAX_HEADER: Final = 64 * 1024
_MAX_WORD: Final = 4 * 1024
_MAX_PARTS: Final = 500
_MAX_DELIMITERS: Final = 20_000
_MAX_DEPTH: Final = 40
_FOLD: Final = re.compile(r"\r?\n[ \t]*")
_ID: Final = re.compile(r"<([^<>\s]+)>")
_ADDRESS: Final = re.compile(r"[^\s:@\x00-\x1f]+@[^\s:@\x00-\x1f]+")
_WIDER: Final = {"gb2312": "gb18030", "gbk": "gb18030", "gb_2312-80": "gb18030"}


class _Bounded(Compat32):
    """Cuts headers while they are read: their parameters are parsed in quadratic time."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        longest = _MAX_WORD if name.lower().startswith("content-") else _MAX_HEADER
        return name, value[:longest]


_BOUNDED: Final = _Bounded()


def parse_mail(raw: bytes) -> Mail:
    """Return the mail. Raises RecordError when it is no mail, or is nested or split beyond bounds."""
    if raw.count(b"\n--") > _MAX_DELIMITERS:
        raise RecordError(Reason.TOO_LARGE, f"more than {_MAX_DELIMITERS} lines begin with --")
    try:
        mail: Mail = BytesParser(policy=_BOUNDED).parsebytes(raw)
        count = sum(1 for _ in _leaves(mail, 0))
    except RecursionError as error:
        raise RecordError(Reason.TOO_DEEP, "parts nested too deep") from error
    except (MessageError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RecordError(Reason.UNREADABLE, f"not a mail: {error}") from error
    if count > _MAX_PARTS:
        raise RecordError(Reason.TOO_LARGE, f"{count} parts; at most {_MAX_PARTS}")
    if not mail.keys():
        raise RecordError(Reason.UNREADABLE, "no header: not a mail")
    return mail


def header(mail: Mail, name: str) -> str:
    """Return a header as text, its encoded words decoded, "" when it is missing."""
    return _decoded(_raw_header(mail, name)[:_MAX_WORD])


def message_ids(mail: Mail, name: str) -> list[str]:
    """Return the ids in a header such as References, without angle brackets."""
    return _ID.findall(_raw_header(mail, name))


def addresses(mail: Mail, name: str) -> list[tuple[str, str]]:
    """Return (name, address) pairs of a header; what has no address is left out."""
    try:
        pairs = getaddresses([_raw_header(mail, name)])
    except (ValueError, IndexError, TypeError, RecursionError):
        return []
    return [
        (_decoded(label[:_MAX_WORD]), address.strip())
        for label, address in pairs
        if _ADDRESS.fullmatch(address.strip())
    ]


def sent_ms(mail: Mail) -> int:
    """Return the time in the Date header. Raises RecordError (BAD_TIMESTAMP)."""
    date = _raw_header(mail, "Date")[:200]
    try:
        return datetime_ms(parsedate_to_datetime(date))
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError) as error:
        raise RecordError(Reason.BAD_TIMESTAMP, f"Date is {date[:80]!r}") from error


def words(mail: Mail) -> tuple[str, bool]:
    """Return what the author wrote, and whether all of it could be decoded."""
    html: tuple[str, bool] | None = None
    for part in _leaves(mail, 0):
        if _file_name(part) or part.get_content_disposition() == "attachment":
            continue
        kind = part.get_content_type()
        if kind == "text/plain":
            text, whole = _body(part)
            if text.strip():
                return own_words(text), whole
        elif kind == "text/html" and html is None:
            html = _body(part)
    if html is None:
        return "", True
    return own_words(html_words(html[0])), html[1]


def attachments(mail: Mail) -> list[str]:
    """Return the names of attached files."""
    return [name for part in _leaves(mail, 0) if (name := _file_name(part))]


def is_auto_reply(mail: Mail) -> bool:
    """Say whether a machine wrote the mail, as its headers tell."""
    automatic = header(mail, "Auto-Submitted").strip().lower()
    if automatic and automatic != "no":
        return True
    return header(mail, "Precedence").strip().lower() in ("auto_reply", "bulk", "junk")


def _leaves(part: Mail, depth: int) -> Iterator[Mail]:
    if depth > _MAX_DEPTH:
        raise RecordError(Reason.TOO_DEEP, f"parts nested deeper than {_MAX_DEPTH}")
    payload = part.get_payload()
    if not isinstance(payload, list):
        yield part
    elif part.get_content_type() == "message/rfc822" and depth:
        return  # a mail that is attached is not what this one says
    else:
        for inner in payload:
            if isinstance(inner, Message):
                yield from _leaves(inner, depth + 1)


def _file_name(part: Mail) -> str:
    try:
        name = part.get_filename()
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return _decoded(name[:_MAX_WORD]) if isinstance(name, str) else ""


def _body(part: Mail) -> tuple[str, bool]:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        charset = (part.get_content_charset() or "").lower()
    except (ValueError, LookupError, TypeError):
        charset = ""
    return _text(raw, charset)


def _text(raw: bytes, charset: str) -> tuple[str, bool]:
    """Return text in the charset that is stated, in UTF-8 or in GB18030, whichever fits first."""
    for name in (_WIDER.get(charset, charset), "utf-8", "gb18030"):
        try:
            if name:
                return raw.decode(name).replace("\0", "\ufffd"), True
        except (UnicodeError, LookupError, ValueError):
            continue
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd"), False


def _raw_header(mail: Mail, name: str) -> str:
    value = next((value for key, value in mail.raw_items() if key.lower() == name.lower()), "")
    text = _FOLD.sub(" ", str(value)[:_MAX_HEADER])
    if not text.isascii():
        text = _text(text.encode("utf-8", "surrogateescape"), "")[0]
    return text


def _decoded(value: str) -> str:
    try:
        pieces = [_piece(piece, charset) for piece, charset in decode_header(value)]
    except (HeaderParseError, ValueError):
        return value.strip()
    return "".join(pieces).replace("\n", " ").replace("\r", " ").strip()


def _piece(piece: str | bytes, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    if charset is None:  # what stands between encoded words comes in this encoding
        return piece.decode("raw-unicode-escape")
    return _text(piece, charset.lower())[0]
