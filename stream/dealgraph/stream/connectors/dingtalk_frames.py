"""The answers that DingTalk's stream mode expects: each frame is acknowledged, or it comes again."""

from collections.abc import Mapping
from typing import Any

import msgspec

_OK = 200
_FAILED = 500


def acknowledgement(frame: Mapping[str, Any], *, taken: bool = True) -> dict[str, Any]:
    """Return the answer to a frame.

    `taken` says that what it holds is durable: without it DingTalk is asked to send it again. A ping gets
    its own data back.
    """
    headers = frame.get("headers")
    message_id = headers.get("messageId", "") if isinstance(headers, dict) else ""
    data: dict[str, str | None] = {"response": None}
    if frame.get("type") == "EVENT":
        data = {"status": "SUCCESS" if taken else "LATER", "message": "ok"}
    is_ping = frame.get("type") == "SYSTEM"
    return {
        "code": _OK if taken else _FAILED,
        "headers": {"contentType": "application/json", "messageId": message_id},
        "message": "OK" if taken else "not stored",
        "data": frame.get("data", "") if is_ping else msgspec.json.encode(data).decode(),
    }
