"""How fast the connectors read: records/s of generated files, beside a bare parse of the same files.

Bare is what the standard library or msgspec does alone: rows of `csv`, values of JSON, cues of
`webvtt`, mails of `mailbox`. CPU time counts; the files lie in the page cache.
"""

import csv
import json
import mailbox
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from time import process_time
from typing import Any, Final

import msgspec
import webvtt
from msgspec import Struct

from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.mapping import parse_mapping
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.connectors.roster import parse_roster
from dealgraph.stream.interaction import Rejected

NAME: Final = "parse"
SUMMARY: Final = "raw file → interactions, records/s of each connector, beside a bare parse"

_WORDS: Final = "The price is too high, when can you deliver the first part of it? "
_MAPPING: Final = """
kind: message
channel: chat
session: "{case}"
opportunity: "{case}"
native_id: "{id}"
actor: {id: "{who}", side: customer}
time: {from: "{at}"}
text: "{text}"
"""
_ROSTER: Final = """
rep: wecom:WangFang
customer_domains: [acme.example]
rep_domains: [seller.example]
people: [{id: li@acme.example, side: customer, speakers: [Li Na]}]
"""
_START: Final = 1_772_415_000_000


class _Format(Struct, frozen=True):
    """A format: its connector, how a record is written, and the bare parse, which counts records."""

    name: str
    source: str
    head: str
    record: Callable[[int], str]
    bare: Callable[[Path], int]
    part: float = 1.0
    tail: str = ""


def _iso(number: int) -> str:
    return datetime.fromtimestamp(_START // 1000 + number, UTC).isoformat()


def _row(number: int) -> str:
    return f'm{number},case-{number % 500},li,{_iso(number)},"{_WORDS}"\n'


def _line(number: int) -> str:
    row = {"id": f"m{number}", "case": f"case-{number % 500}", "who": "li", "at": _iso(number)}
    return json.dumps(row | {"text": _WORDS}) + "\n"


def _message(number: int) -> str:
    message = {
        "msgid": f"m{number}", "action": "send", "from": "wmLiNa", "tolist": ["WangFang"],
        "roomid": "", "msgtime": _START + number, "msgtype": "text", "text": {"content": _WORDS},
    }  # fmt: skip
    return json.dumps(message) + "\n"


def _cue(number: int) -> str:
    hours, minutes, seconds = number // 3600, number // 60 % 60, number % 60
    clock = f"{hours:02}:{minutes:02}:{seconds:02}"
    return f"{clock}.000 --> {clock}.900\n<v Li Na>{_WORDS}</v>\n\n"


def _caption(number: int) -> str:
    minutes, seconds = number // 60 % 60, number % 60
    clock = f"{number // 3600:02}:{minutes:02}:{seconds:02}"
    return f"{number + 1}\n{clock},000 --> {clock},900\nLi Na: {_WORDS}\n\n"


def _segment(number: int) -> str:
    segment = {
        "id": number, "start": number + 0.25, "end": number + 0.875, "text": _WORDS,
        "speaker": "Li Na", "avg_logprob": -0.25, "no_speech_prob": 0.01,
    }  # fmt: skip
    return ("," if number else "") + json.dumps(segment) + "\n"


def _robot(number: int) -> str:
    callback = {
        "msgId": f"m{number}", "msgtype": "text", "text": {"content": _WORDS},
        "createAt": _START + number, "conversationId": "cid-1", "conversationType": "2",
        "senderId": "$:LWCP_v1:$x", "senderNick": "Li Na", "conversationTitle": "Rollout",
        "chatbotUserId": "bot", "isAdmin": False, "isInAtList": True, "robotCode": "r",
    }  # fmt: skip
    return json.dumps(callback) + "\n"


def _webhook(number: int) -> str:
    event = {
        "eventId": number, "subscriptionId": 7, "portalId": 62515, "appId": 1, "attemptNumber": 0,
        "occurredAt": _START + number, "subscriptionType": "deal.propertyChange", "objectId": number,
        "changeSource": "CRM", "propertyName": "amount", "propertyValue": str(number),
    }  # fmt: skip
    return json.dumps(event) + "\n"


def _change(number: int) -> str:
    header = {
        "entityName": "Opportunity", "recordIds": [f"006{number:015}"], "changeType": "UPDATE",
        "changeOrigin": "com/salesforce/api/soap/60.0", "transactionKey": f"t{number}",
        "sequenceNumber": 1, "commitTimestamp": _START + number, "commitNumber": number,
        "commitUser": "005RO000000hPb5YAE", "nulledFields": [], "diffFields": [],
        "changedFields": ["Amount", "LastModifiedDate"],
    }  # fmt: skip
    payload = {"ChangeEventHeader": header, "Amount": 12.5, "LastModifiedDate": _iso(number)}
    return (
        json.dumps({"data": {"schema": "s", "payload": payload, "event": {"replayId": 1}}}) + "\n"
    )


def _metric(number: int) -> str:
    return f"customer:c{number % 500},nps,{number % 100 - 50},score,{_iso(number)},survey\n"


def _paragraph(number: int) -> str:
    at = number * 1_000
    words = [
        {"wid": str(n), "start_time": at + n, "end_time": at + n + 1, "text": word}
        for n, word in enumerate(_WORDS.split())
    ]
    sentence = {"sid": "1", "start_time": at, "end_time": at + 900, "words": words}
    speaker = {"userid": "li", "username": "Li Na"}
    paragraph = {"pid": str(number), "sentences": [sentence], "speaker_info": speaker}
    return ("," if number else "") + json.dumps(paragraph) + "\n"


def _record(number: int) -> str:
    at = _START + number * 1_000
    sentence = {"sentence": _WORDS, "startTime": at, "endTime": at + 900, "unionId": "u1"}
    paragraph = {
        "startTime": at, "endTime": at + 900, "nickName": "Li Na", "paragraph": _WORDS,
        "recordId": 7, "sentenceList": [sentence], "unionId": "u1",
    }  # fmt: skip
    return ("," if number else "") + json.dumps(paragraph) + "\n"


def _mail(number: int) -> str:
    sent = datetime.fromtimestamp(_START // 1000 + number, UTC)
    return (
        f"From li@acme.example {sent:%a %b %d %H:%M:%S %Y}\nFrom: Li Na <li@acme.example>\n"
        f"To: Wang Fang <wang@seller.example>\nDate: {format_datetime(sent)}\n"
        f"Message-ID: <m{number}@acme.example>\nSubject: Offer\n\n{_WORDS}\n\n"
    )


def _bare_csv(path: Path) -> int:
    with path.open(newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.DictReader(file))


def _bare_json(path: Path) -> int:
    decode = msgspec.json.decode
    with path.open("rb") as file:
        return sum(1 for line in file if decode(line))


def _bare_cues(path: Path) -> int:
    return len(webvtt.read(str(path)))


def _bare_captions(path: Path) -> int:
    return len(webvtt.from_srt(str(path)))


def _bare_segments(path: Path) -> int:
    return len(msgspec.json.decode(path.read_bytes())["segments"])


def _bare_minutes(path: Path) -> int:
    return len(msgspec.json.decode(path.read_bytes())["minutes"]["paragraphs"])


def _bare_paragraphs(path: Path) -> int:
    return len(msgspec.json.decode(path.read_bytes())["paragraphList"])


def _bare_mails(path: Path) -> int:
    return sum(1 for mail in mailbox.mbox(path) if mail.keys())


_FORMATS: Final = (
    _Format("log.csv", "eventlog", "id,case,who,at,text\n", _row, _bare_csv),
    _Format("log.jsonl", "eventlog", "", _line, _bare_json),
    _Format("call.vtt", "webvtt", f"WEBVTT\n\nNOTE started {_iso(0)}\n\n", _cue, _bare_cues),
    _Format("call.srt", "srt", "", _caption, _bare_captions),
    _Format("call.json", "whisper", '{"segments": [', _segment, _bare_segments, tail="]}"),
    _Format("wecom.jsonl", "wecom", "", _message, _bare_json),
    _Format(
        "minutes.json",
        "tencent-meeting",
        '{"minutes": {"paragraphs": [',
        _paragraph,
        _bare_minutes,
        tail="]}}",
    ),
    _Format(
        "record.json",
        "dingtalk-record",
        '{"paragraphList": [',
        _record,
        _bare_paragraphs,
        tail="]}",
    ),
    _Format("robot.jsonl", "dingtalk", "", _robot, _bare_json),
    _Format("hubspot.jsonl", "hubspot", "", _webhook, _bare_json),
    _Format("salesforce.jsonl", "salesforce", "", _change, _bare_json),
    _Format("metrics.csv", "metrics", "subject,name,value,unit,time,source\n", _metric, _bare_csv),
    _Format("mails.mbox", "mail", "", _mail, _bare_mails, part=0.1),
)


def run(quick: bool) -> dict[str, Any]:
    """Measure; `quick` reads 20 k records of each format (mails a tenth), otherwise 200 k."""
    records = 20_000 if quick else 200_000
    with tempfile.TemporaryDirectory() as folder:
        return {
            form.name: _measure(form, Path(folder) / form.name, int(records * form.part))
            for form in _FORMATS
        }


def _measure(form: _Format, path: Path, records: int) -> dict[str, float]:
    with path.open("w", encoding="utf-8") as file:
        file.write(form.head)
        file.writelines(form.record(number) for number in range(records))
        file.write(form.tail)
    options = Options(parse_roster(_ROSTER), parse_mapping(_MAPPING), started_at=_START)
    began = process_time()
    interactions = rejected = 0
    for step in connector(form.source).parse(path, options):
        rejected += isinstance(step.item, Rejected)
        interactions += 1
    whole = process_time() - began
    began = process_time()
    bare = form.bare(path)
    floor = process_time() - began
    size = path.stat().st_size
    path.unlink()
    if (interactions, rejected, bare) != (records, 0, records):
        raise RuntimeError(f"{form.name}: of {records} records {interactions} were read")
    return {
        "records": records,
        "megabytes": round(size / 1e6, 1),
        "records_per_second": round(records / whole),
        "cpu_us_per_record": round(whole / records * 1e6, 2),
        "bare_cpu_us_per_record": round(floor / records * 1e6, 2),
        "cpu_times_bare": round(whole / floor, 1),
    }
