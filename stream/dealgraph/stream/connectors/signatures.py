"""The signatures of requests that vendors send. All checks are pure: secret and time are arguments.

Each returns None when the request is theirs and fresh, else what is wrong with it, for a log and never for
the sender.
"""

import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error
from typing import Final
from urllib.parse import unquote

DINGTALK_MAX_AGE_MS: Final = 3_600_000
"""How far the time of a DingTalk request may lie from ours, in ms."""

HUBSPOT_MAX_AGE_MS: Final = 300_000
"""How far the time of a HubSpot request may lie from ours, in ms."""

_NUMBER: Final = re.compile(r"\d{1,15}")
_ESCAPES: Final = re.compile(r"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
"""Characters that HubSpot decodes in the URI before it signs it."""


def dingtalk_fault(timestamp: str, sign: str, secret: str, now: int) -> str | None:
    """Check the headers `timestamp` and `sign`: HMAC-SHA256 of both on two lines."""
    signed = f"{timestamp}\n{secret}".encode()
    return _age_fault(timestamp, now, DINGTALK_MAX_AGE_MS) or _fault(signed, sign, secret)


def hubspot_fault(
    method: str, uri: str, body: bytes, timestamp: str, signature: str, secret: str, now: int
) -> str | None:
    """Check `X-HubSpot-Signature-v3`: HMAC-SHA256 of method, URI, body and timestamp.

    `uri` is the whole URI that HubSpot called, as it was before any proxy.
    """
    plain = _ESCAPES.sub(lambda found: unquote(found[0]), uri)
    signed = f"{method.upper()}{plain}".encode() + body + timestamp.encode()
    return _age_fault(timestamp, now, HUBSPOT_MAX_AGE_MS) or _fault(signed, signature, secret)


def sign(signed: bytes, secret: str) -> str:
    """Return the HMAC-SHA256 of what is signed, in base64."""
    return b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()


def _age_fault(timestamp: str, now: int, most: int) -> str | None:
    if not _NUMBER.fullmatch(timestamp):
        return "the timestamp is no number of milliseconds"
    return None if abs(now - int(timestamp)) <= most else "the timestamp is too far from now"


def _fault(signed: bytes, signature: str, secret: str) -> str | None:
    try:
        given = b64decode(signature, validate=True)
    except (Error, ValueError):
        return "the signature is no base64"
    right = hmac.compare_digest(given, hmac.digest(secret.encode(), signed, "sha256"))
    return None if right else "the signature does not fit"
