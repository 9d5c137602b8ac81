"""Proposes a mapping from a sample of an event log: by the names of its columns and by what they hold.

It is a beginning that a person completes: each line says on what it rests, and nothing of people is guessed
but which column names them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from dealgraph.stream.connectors.columns import Column, columns_of

_FEW: Final = 0.5
_MAX_ATTRIBUTES: Final = 20
_UNFIT: Final = re.compile(r"[{}|]")
_PLAIN: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")

_WORDS_OF_YAML: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off"})

_NAMES: Final = {
    "time": r"time|date|timestamp|\bts\b|_at$|\bat$|created|when|时间|日期",
    "id": r"^id$|msg_?id|(^|_)uuid|event_?id|record_?id|message_?id|utterance_?id|编号|^序号$",
    "session": r"session|conversation|dialogue|dialog|thread|meeting|call_?id|room|scene_?id|会话|对话",
    "opportunity": r"opportunit|\bdeal|\bopp\b|case:concept:name|^case|商机|机会",
    "customer": r"customer|account|company|client|organi[sz]ation|客户|公司",
    "actor": r"speaker|user|author|sender|^from$|\bwho\b|agent|owner|resource|^res$|说话人|发送|人员",
    "text": r"text|utterance|content|message|body|comment|note|transcript|内容|消息|备注",
    "stage": r"stage|status|phase|阶段|状态",
    "activity": r"activity|^act$|^concept:name$|event_?type|^action|活动",
}
_PATTERNS: Final = {role: re.compile(found, re.IGNORECASE) for role, found in _NAMES.items()}


class Line(Struct, frozen=True):
    """A line of a proposal: key, value as YAML, and why."""

    key: str
    value: str
    why: str


class Proposal(Struct, frozen=True):
    """A proposed mapping, line by line."""

    lines: tuple[Line, ...]

    def text(self) -> str:
        """Return the mapping as YAML with its reasons as comments."""
        written = [f"{line.key}: {line.value}".ljust(56) + f" # {line.why}" for line in self.lines]
        return "\n".join([_HEAD, *written]) + "\n"


_HEAD: Final = "# Proposed from a sample: read and correct it before you import with it."


def propose(
    records: Sequence[Mapping[str, Any]], stem: str, form: str, settings: Mapping[str, str]
) -> Proposal:
    """Return a mapping for records like these, read from a file `stem` of the format `form`.

    `settings` are keys of the mapping that reading the sample already took, such as `delimiter`.
    """
    columns = [column for column in columns_of(records) if _fits(column.name)]
    roles = _roles(columns)
    name = re.sub(r"[^a-z0-9_.-]", "-", stem.lower())[:64] or "eventlog"
    lines = [
        Line("source", _quoted(name), "a short name of the source"),
        Line("format", form, "read as such"),
    ]
    lines += [Line(key, _quoted(value), "found in the sample") for key, value in settings.items()]
    lines += _kind(roles)
    lines.append(_time(roles.get("time")))
    lines += _ids(roles, "{@file}/{@row}" if "records" in settings else "{@file}")
    lines += _rest(columns, roles)
    return Proposal(tuple(lines))


def _roles(columns: list[Column]) -> dict[str, Column]:
    """Return the column that fits each role best; a column has one role."""
    fitting: dict[str, Callable[[Column], bool]] = {
        "time": lambda c: bool(c.time_format),
        "id": lambda c: c.is_unique,
        "text": lambda c: not c.numeric and not c.time_format and c.length >= 3,
        "stage": lambda c: 0 < c.distinct <= max(30, c.filled * _FEW) and not c.numeric,
        "activity": lambda c: 0 < c.distinct <= max(50, c.filled * _FEW) and not c.numeric,
        "opportunity": lambda c: c.filled > 0,
        "session": lambda c: 0 < c.distinct and not c.time_format,
        "customer": lambda c: c.filled > 0 and not c.time_format,
        "actor": lambda c: 0 < c.filled and not c.time_format,
    }
    roles: dict[str, Column] = {}
    for role, fits in fitting.items():
        left = [column for column in columns if column not in roles.values() and fits(column)]
        named = [column for column in left if _PATTERNS[role].search(column.name)]
        if named:
            roles[role] = max(named, key=lambda column: column.filled)
        elif role == "time" and left:
            roles[role] = left[0]
        elif role == "text":
            long = [column for column in left if column.length >= 20 and not column.is_unique]
            roles |= {role: max(long, key=lambda column: column.length)} if long else {}
    return roles


def _kind(roles: Mapping[str, Column]) -> list[Line]:
    if "text" in roles:
        spoken = "speaker" in roles["actor"].name.lower() if "actor" in roles else False
        kind, channel = ("utterance", "voice") if spoken else ("message", "chat")
        why = f"{roles['text'].name} holds words"
    elif "stage" in roles:
        kind, channel, why = "stage_change", "crm", f"{roles['stage'].name} has few values"
    else:
        kind, channel, why = "activity", "crm", "neither words nor stages were found"
    told = (
        "voice needs the rep's consent: see `consent`" if channel == "voice" else "how it happened"
    )
    return [Line("kind", kind, why), Line("channel", channel, told)]


def _time(column: Column | None) -> Line:
    if column is None:
        start = '{format: order, start: "2026-01-01T00:00:00Z"}'
        return Line("time", start, "no times were found: only the order counts; state the start")
    form = column.time_format
    zone = "" if form.startswith("epoch") else ", zone: UTC"
    start = ', start: "2026-01-01T00:00:00Z"' if form == "offset" else ""
    stated = f"{{from: {_template(column)}, format: {_quoted(form)}{zone}{start}}}"
    example = column.examples[0] if column.examples else ""
    return Line("time", stated, f"such as {_shown(example)}; check the zone")


def _ids(roles: Mapping[str, Column], whole: str) -> list[Line]:
    """Return ids of records, conversations and people; `whole` is a conversation where none is named."""
    lines = []
    if "id" in roles:
        column = roles["id"]
        lines.append(Line("native_id", _template(column), "every record has its own"))
    session = roles.get("session") or roles.get("opportunity")
    if session is not None:
        lines.append(Line("session", _template(session), _repeats(session)))
    else:
        lines.append(Line("session", _quoted(whole), "no column names conversations"))
    if "opportunity" in roles:
        lines.append(
            Line("opportunity", _template(roles["opportunity"]), _repeats(roles["opportunity"]))
        )
    if "customer" in roles:
        lines.append(Line("customer", _template(roles["customer"]), _repeats(roles["customer"])))
    if "actor" in roles:
        stated = f"{{id: {_template(roles['actor'])}, side: customer}}"
        why = f"{_repeats(roles['actor'])}; side: customer or rep, or a value map"
        lines.append(Line("actor", stated, why))
    return lines


def _rest(columns: list[Column], roles: Mapping[str, Column]) -> list[Line]:
    lines = []
    if "text" in roles:
        lines.append(Line("text", _template(roles["text"]), "the words"))
    elif "stage" in roles:
        why = f"{_repeats(roles['stage'])}; a value map can name your stages"
        lines.append(Line("stage", _template(roles["stage"]), why))
    used = {roles[role].name for role in roles if role not in ("stage", "activity")}
    if "text" not in roles and "stage" in roles:
        used.add(roles["stage"].name)
    left = [column for column in columns if column.name not in used and column.filled]
    if left:
        named = ", ".join(
            f"{_quoted(column.name)}: {_template(column)}" for column in left[:_MAX_ATTRIBUTES]
        )
        lines.append(Line("attributes", f"{{{named}}}", "kept as they are"))
    return lines


def _template(column: Column) -> str:
    return _quoted(f"{{{column.name}}}")


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text) and text not in _WORDS_OF_YAML:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{escaped}"'


def _repeats(column: Column) -> str:
    return f"{column.distinct} values in {column.records} records, such as {_shown(column.examples[0])}"


def _shown(example: str) -> str:
    return "".join(mark if mark.isprintable() else " " for mark in example[:30])


def _fits(name: str) -> bool:
    """Say whether a template can name a column."""
    return bool(name) and name == name.strip() and name.isprintable() and not _UNFIT.search(name)
