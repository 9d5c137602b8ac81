"""One name for an event that several sources saw: meetings by their link, mails by their Message-ID.

With it conversations and what reps list of them are laid side by side, and clocks are compared (`clocks.py`).
The link of a meeting stays the same for a whole series, so its day (UTC) is part of the name.
"""

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote

from dealgraph.stream.connectors.times import MAX_MS

_LINKS: Final = (
    ("zoom", re.compile(r"zoom\.(?:us|com\.cn|com)/(?:j|my|w|s)/(\d{9,12})")),
    ("teams", re.compile(r"teams\.(?:microsoft|live)\.com/l/meetup-join/([\w%@:.-]{8,200})")),
    ("teams", re.compile(r"teams\.(?:microsoft|live)\.com/meet/(\d{9,16})")),
    ("meet", re.compile(r"meet\.google\.com/([a-z]{3}-[a-z]{4}-[a-z]{3})")),
    ("webex", re.compile(r"webex\.com/(?:meet|wbxmjs/joinservice/sites)/([\w./-]{3,200})")),
    ("tencent", re.compile(r"meeting\.tencent\.com/(?:dm|dw|p|s)/(\w{6,20})")),
    ("dingtalk", re.compile(r"meeting\.dingtalk\.com/j/(\w{6,40})")),
    ("feishu", re.compile(r"vc\.(?:feishu\.cn|larksuite\.com)/j/(\d{9})")),
)
_MESSAGE_ID: Final = re.compile(r"\s*<([^<>\s]{3,400}@[^<>\s]{1,400})>\s*")
_MOST: Final = 10_000


def event_key(text: str, at: int) -> str:
    """Return the name of the event that a text names, which happened at `at` (ms).

    It is made of a meeting's link in the text, or of a Message-ID; else it is the text itself.
    """
    found = _MESSAGE_ID.fullmatch(text[:_MOST])
    return mail_key(found[1]) if found else meeting_key(text, at) or text.strip()


def meeting_key(text: str, at: int) -> str:
    """Return the name of the meeting whose link a text holds, "" when it holds none."""
    text = text[:_MOST]
    if "/" not in text:
        return ""
    for vendor, link in _LINKS:
        if found := link.search(text):
            return f"{vendor}:{unquote(found[1])}@{_day(at)}"
    return ""


def mail_key(message_id: str) -> str:
    """Return the name of the mail with a Message-ID, which stands without its brackets."""
    return f"mail:{message_id}"


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(min(max(at, 0), MAX_MS) / 1000, UTC):%Y-%m-%d}"
