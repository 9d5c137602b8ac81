"""Opaque tokens for clients: signed, so that a client can hand back only what it was given.

A page token is bound to its method and to all other fields of the request, so it cannot be used with
another question. A resume token names a place in the alerts of one tenant, or in another stream. A token
that was not made with this key, or that was changed, is an INVALID_ARGUMENT.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from google.protobuf.message import Message
from msgspec import Struct

from dealgraph.server.errors import CallError, invalid

_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 16
_KEY_FILE: Final = "token.key"

PageKey = TypeVar("PageKey", bound=Struct)


class ResumePoint(Struct, frozen=True, array_like=True):
    """A place in a topic: the offset of a record, 0 before the first, and that record's id.

    The id shows after a rebuild of the graph whether the offset still means the same record.
    """

    offset: int
    record_id: str


class Tokens:
    """Signs and reads tokens of one tenant and one log; `log` tells that log from any other."""

    def __init__(self, key: bytes, tenant: str, log: str) -> None:
        if len(key) < _KEY_BYTES:
            raise ValueError(f"a token key has at least {_KEY_BYTES} bytes")
        self._key = key
        self._owner = f"{tenant}\x1f{log}".encode()

    def page(self, request: Message, key: Struct) -> str:
        """Return the token of the page after `key`, bound to `request` without its page fields."""
        return self._signed("page", _question(request), key)

    def page_key(self, request: Message, kind: type[PageKey]) -> PageKey | None:
        """Return the key in the request's page token, None when it asks for the first page.

        Raises CallError when the token is forged or belongs to another question.
        """
        token: str = request.page_token  # type: ignore[attr-defined]
        if not token:
            return None
        return self._read("page_token", token, "page", _question(request), kind)

    def resume(self, point: ResumePoint, stream: str = "") -> str:
        """Return the token that resumes after `point`; `stream` tells other streams than alerts apart."""
        return self._signed("resume", stream.encode(), point)

    def resume_point(self, token: str, stream: str = "") -> ResumePoint:
        """Return the point in a resume token of `stream`. Raises CallError for any other token."""
        return self._read("start.resume_token", token, "resume", stream.encode(), ResumePoint)

    def _signed(self, purpose: str, bound: bytes, value: Struct) -> str:
        body = msgspec.json.encode(value)
        return base64.urlsafe_b64encode(self._signature(purpose, bound, body) + body).decode()

    def _signature(self, purpose: str, bound: bytes, body: bytes) -> bytes:
        text = b"\x1f".join((purpose.encode(), self._owner, bound.hex().encode(), body))
        return hmac.digest(self._key, text, "sha256")[:_SIGNATURE_BYTES]

    def _read(
        self, field: str, token: str, purpose: str, bound: bytes, kind: type[PageKey]
    ) -> PageKey:
        try:
            raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise _refused(field) from None
        if base64.urlsafe_b64encode(raw).decode() != token:
            raise _refused(field)  # the same bytes in another spelling
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(purpose, bound, body)):
            raise _refused(field)
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError:
            raise _refused(field) from None


def key_for(directory: Path, file: str) -> bytes:
    """Return the token key in `file`, or, when that is "", the one of the data directory.

    The latter is made at the first call, readable by its owner alone. Raises OSError when a file cannot
    be read or written, and ValueError when it is too short to be a key.
    """
    path = Path(file) if file else directory / _KEY_FILE
    if not file:
        _make(path)
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise ValueError(f"{path} is too short: a token key has at least {_KEY_BYTES} random bytes")
    return key


def _make(path: Path) -> None:
    if path.exists():
        return
    fresh = path.with_suffix(".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(secrets.token_bytes(_KEY_BYTES))
        stream.flush()
        os.fsync(stream.fileno())
    fresh.rename(path)


def _question(request: Message) -> bytes:
    asked: Any = type(request)()
    asked.CopyFrom(request)
    asked.ClearField("page_token")
    asked.ClearField("page_size")
    name = request.DESCRIPTOR.full_name.encode()
    return hashlib.sha256(name + asked.SerializeToString(deterministic=True)).digest()


def _refused(field: str) -> CallError:
    return invalid(
        field,
        "is not a token of this server for this request. Hand back a token unchanged and with all "
        "other fields unchanged, or leave it out to begin anew.",
        "INVALID_TOKEN",
    )
