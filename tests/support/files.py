"""Files of raw records for tests of connectors, and the reading of them.

`read` writes bytes to a file and returns what a connector makes of it. Items that a roster or mapping states
come first; `told` leaves them away.
"""

import gzip
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final

from dealgraph.stream.connectors.connector import Options, Parsed
from dealgraph.stream.connectors.mapping import parse_mapping
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.connectors.roster import Roster, parse_roster
from dealgraph.stream.connectors.statements import SOURCE
from dealgraph.stream.interaction import Interaction, Reason, Rejected

STARTED: Final = 1_772_415_000_000
"""2026-03-02 09:30 in Shanghai."""

ROSTER: Final = """
customer: acme
opportunity: deal-1
rep: wecom:WangFang
rep_domains: [seller.example]
customer_domains: [acme.example]
people:
  - id: wecom:WangFang
    side: rep
    name: Wang Fang
    speakers: [Wang Fang]
    ids: [mail:wang@seller.example]
    consent: {voice: [capture, analyse]}
    basis: agreement of January
    since: 2026-01-15T00:00:00+08:00
  - id: mail:li@acme.example
    side: customer
    name: Li Na
    role: economic_buyer
    customer: acme
    speakers: ["Li Na (Acme)", Li Na]
    confidence: 0.9
"""

LOG: Final = """
kind: message
channel: chat
session: "{case}"
native_id: "{id}"
actor: {id: "{who}", side: customer}
time: {from: "{at}"}
text: "{text}"
attributes: {amount: "{amount}"}
"""
"""A mapping of the columns id, case, who, at, text and amount."""

HEADER: Final = "id,case,who,at,text,amount"


def options(roster: str = "", mapping: str = "", **stated: Any) -> Options:
    """Options of an import, with the roster and the mapping as YAML."""
    return Options(
        roster=parse_roster(roster) if roster else Roster(),
        mapping=parse_mapping(mapping) if mapping else None,
        **stated,
    )


def read(path: Path, source: str, content: bytes | str, stated: Options) -> list[Parsed]:
    """Write `content` to `path` and return what the connector `source` reads in it."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(connector(source).parse(path, stated))


def told(parsed: Iterable[Parsed]) -> list[Interaction | Rejected]:
    """The items of the file itself, without what roster and mapping state."""
    return [step.item for step in parsed if step.item.source != SOURCE]


def taken(parsed: Iterable[Parsed]) -> list[Interaction]:
    """The interactions of the file itself; none may be rejected."""
    items = told(parsed)
    assert [item for item in items if isinstance(item, Rejected)] == []
    return [item for item in items if isinstance(item, Interaction)]


def reasons(parsed: Iterable[Parsed]) -> list[Reason | None]:
    """For each item of the file why it was rejected, None for an interaction."""
    return [item.reason if isinstance(item, Rejected) else None for item in told(parsed)]


def csv_row(number: int, text: str = "hello") -> str:
    """A row that the mapping `LOG` fits."""
    return f"m{number},case-1,li,2026-03-02T09:30:00.{number % 1000:03}Z,{text},12"


def csv_file(rows: Sequence[str]) -> str:
    """A CSV file that the mapping `LOG` fits."""
    return "\n".join([HEADER, *rows]) + "\n"


def wecom_message(number: int = 1, msgtype: str = "text", **fields: Any) -> dict[str, Any]:
    """A message of a customer to a rep, `number` ms after `STARTED`."""
    body: dict[str, Any] = {"text": {"content": "hello"}} if msgtype == "text" else {}
    return {
        "msgid": f"m{number}",
        "action": "send",
        "from": "wmLiNa",
        "tolist": ["WangFang"],
        "roomid": "",
        "msgtime": STARTED + number,
        "msgtype": msgtype,
        **body,
        **fields,
    }


def json_lines(values: Iterable[Any]) -> bytes:
    """Values as JSON lines."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def mail_bytes(number: int = 1, text: str = "Dear all", **headers: str) -> bytes:
    """A mail from the customer to the rep, `number` s after `STARTED`."""
    mail = EmailMessage()
    mail["From"] = "Li Na <li@acme.example>"
    mail["To"] = "Wang Fang <wang@seller.example>"
    mail["Date"] = format_datetime(datetime.fromtimestamp(STARTED // 1000 + number, UTC))
    mail["Message-ID"] = f"<m{number}@acme.example>"
    mail["Subject"] = "Offer"
    for name, value in headers.items():
        del mail[name.replace("_", "-")]
        if value:
            mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes()


def mbox(mails: Iterable[bytes]) -> bytes:
    """Mails as an mbox file."""
    return b"".join(
        b"From li@acme.example Mon Mar  2 01:30:00 2026\n"
        + mail.replace(b"\nFrom ", b"\n>From ")
        + b"\n"
        for mail in mails
    )


def vtt(*cues: str) -> str:
    """A transcript that says when it started."""
    return "\n\n".join(["WEBVTT", "NOTE started 2026-03-02T09:30:00+08:00", *cues]) + "\n"


def cue(number: int, payload: str = "<v Li Na>hello</v>") -> str:
    """The cue of second `number`, half a second long."""
    minutes, seconds = divmod(number, 60)
    return f"00:{minutes:02}:{seconds:02}.000 --> 00:{minutes:02}:{seconds:02}.500\n{payload}"


def zipped(content: bytes | str) -> bytes:
    """Content as gzip."""
    return gzip.compress(content.encode() if isinstance(content, str) else content, mtime=0)
