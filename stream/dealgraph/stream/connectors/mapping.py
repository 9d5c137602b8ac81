"""The mapping of an event log: which columns, values and constants become what. Written in YAML.

A text of a mapping is a template: `{column}` stands for the value of a column, all else for itself. In
JSON, `{a.b}` goes into nested objects. `{@file}` is the file's name without ending, `{@row}` the number of
the record, `{@item}` its number in a nested list, `{@parent.x}` a value of the object around that list.
`{column|trim:chars}` leaves these characters away at both ends.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingOf
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import ActionKind
from dealgraph.stream.connectors.documents import parse_document, read_document
from dealgraph.stream.connectors.statements import ChannelName, Grant, RoleName, SideName
from dealgraph.stream.connectors.times import iso_ms, parse_zone
from dealgraph.stream.interaction import InteractionKind

PLACEHOLDER: Final = re.compile(r"\{([^{}|]+)(?:\|trim:([^{}]+))?\}")
"""A column in a template: its name, and the characters to trim."""
_STATELESS: Final = ("utf-16", "utf-32", "utf_16", "utf_32")


MAPPABLE: Final = {
    kind.name.lower(): kind
    for kind in InteractionKind
    if kind.name not in ("CONSENT", "RECALL", "MERGE", "DELETE")
}
"""Kinds that a mapping may name; the others take back or join, and columns alone cannot say that."""


class FormatName(StrEnum):
    """How the records are written; each may be compressed with gzip (".gz")."""

    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"
    XES = "xes"


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """A value map. The template `source` gives the value, `values` what becomes of it.

    A key that ends in `*` stands for every value that begins so. What `values` does not hold becomes
    `otherwise`; without it the record is rejected. Without `values` it stays as it is.
    """

    source: str = field(name="from")
    values: MappingOf[str, str] = {}
    otherwise: str | None = None


Text = str | Choice


class ActorMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """Who acts. A roster entry for `id` or `name` goes before `side` and `role`."""

    id: Text = ""
    name: Text = ""
    side: Text = ""
    role: Text = ""


class TimeMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """When it happens. `format` says how `from` and `end` are written.

    iso | epoch_s | epoch_ms | a strptime pattern | offset (hh:mm:ss.mmm from `start`) | order (no times:
    `start` plus `step_ms` per record, or per item of a nested list, whose lists then lie `row_step_ms`
    apart). `zone` holds for times that name none. `recorded` is when it became known.
    """

    source: str = field(name="from", default="")
    format: str = "iso"
    zone: str = "UTC"
    start: str = ""
    step_ms: int = 1_000
    row_step_ms: int = 86_400_000
    end: str = ""
    recorded: str = ""

    def __post_init__(self) -> None:
        known = ("iso", "epoch_s", "epoch_ms", "offset", "order")
        if self.format not in known and "%" not in self.format:
            raise ValueError(f"`format` is one of {', '.join(known)} or a pattern such as %d/%m/%Y")
        if (self.format == "order") == bool(self.source):
            raise ValueError("`from` names the column of the time; only format: order has none")
        if self.start:
            iso_ms(self.start)
        parse_zone(self.zone)


class DurationMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """How long it lasts: a number of `unit` (ms or s)."""

    source: str = field(name="from")
    unit: str = "ms"

    def __post_init__(self) -> None:
        if self.unit not in ("ms", "s"):
            raise ValueError("`unit` is ms or s")


class FieldMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """What changes in a record, for kind field_change."""

    name: Text
    value: Text
    previous: Text = ""


class BesideMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """A list of pairs beside the nested list: an item whose column `match` is the first gets the second.

    `name` is the column that the item gets; it is empty for an item without a pair.
    """

    source: str = field(name="from")
    match: str
    name: str = field(name="as")


class Mapping(Struct, frozen=True, forbid_unknown_fields=True):
    """How the records of an event log become interactions. README.md explains every key."""

    kind: Text
    channel: Text
    time: TimeMapping
    source: str = "eventlog"
    format: FormatName | None = None
    encoding: str = "utf-8"
    delimiter: str = ","
    quotes: bool = True
    columns: tuple[str, ...] = ()
    records: str = ""
    beside: BesideMapping | None = None
    keep: MappingOf[str, tuple[str, ...]] = {}
    native_id: str = ""
    session: Text = ""
    opportunity: Text = ""
    customer: Text = ""
    contact: Text = ""
    rep: Text = ""
    actor: ActorMapping = ActorMapping()
    duration: DurationMapping | None = None
    text: Text = ""
    language: Text = ""
    action: Text = ""
    stage: Text = ""
    previous_stage: Text = ""
    event: Text = ""
    field: FieldMapping | None = None
    attributes: MappingOf[str, Text] = {}
    consent: tuple[Grant, ...] = ()
    consent_basis: str = ""

    def __post_init__(self) -> None:
        _check_names(self.kind, list(MAPPABLE), "kind")
        _check_names(self.channel, list(ChannelName), "channel")
        _check_names(self.actor.side, list(SideName), "side")
        _check_names(self.actor.role, list(RoleName), "role")
        _check_names(self.action, [kind.name.lower() for kind in ActionKind], "action")
        _check_encoding(self.encoding)
        if len(self.delimiter) != 1 or self.delimiter in '\r\n"':
            raise ValueError("`delimiter` is one character, for example ',' or '|'")
        if re.fullmatch(r"[a-z0-9_.-]{1,64}", self.source) is None:
            raise ValueError("`source` is a short name of a-z, 0-9, _, . and -")
        if self.beside is not None and not self.records:
            raise ValueError("`beside` needs `records`: it belongs to the items of a nested list")

    def texts(self) -> Iterator[str]:
        """Yield every template of the mapping."""
        choices: list[Text] = [
            self.kind, self.channel, self.session, self.opportunity, self.customer, self.contact,
            self.rep, self.actor.id, self.actor.name, self.actor.side, self.actor.role,
            self.text, self.language, self.action, self.stage, self.previous_stage, self.event,
            *self.attributes.values(),
        ]  # fmt: skip
        if self.field is not None:
            choices += [self.field.name, self.field.value, self.field.previous]
        for choice in choices:
            yield choice if isinstance(choice, str) else choice.source
        yield from (self.native_id, self.time.source, self.time.end, self.time.recorded)
        if self.duration is not None:
            yield self.duration.source

    def columns_used(self) -> frozenset[str]:
        """Return the names of the columns that the mapping reads."""
        used = {found[1] for text in self.texts() for found in PLACEHOLDER.finditer(text)}
        return frozenset(name for name in used if not name.startswith("@")) | frozenset(self.keep)


def load_mapping(path: Path) -> Mapping:
    """Return the mapping in a YAML file. Raises SourceError that says line, field and fix."""
    return read_document(path, Mapping, "mapping")


def parse_mapping(text: str) -> Mapping:
    """Return a mapping written as YAML text. Raises SourceError like `load_mapping`."""
    return parse_document(text.encode(), Mapping, "mapping")


def _check_names(text: Text, known: Iterable[str], what: str) -> None:
    """Refuse constants and mapped values that name nothing known; columns are checked per record."""
    if isinstance(text, Choice):
        stated = [*text.values.values(), text.otherwise or ""]
    else:
        stated = [] if PLACEHOLDER.search(text) else [text]
    for value in stated:
        if value and value not in known:
            raise ValueError(f"{value!r} is no {what}; write one of {', '.join(known)}")


def _check_encoding(name: str) -> None:
    try:
        codec = codecs.lookup(name)
    except LookupError as error:
        raise ValueError(f"the encoding {name!r} is not known; write utf-8 or gb18030") from error
    if codec.name.startswith(_STATELESS):
        return
    try:
        plain = "\r\n".encode(name).endswith(b"\r\n")
    except (UnicodeError, LookupError, TypeError):
        plain = False
    if not plain:
        raise ValueError(f"the encoding {name!r} is no text encoding for lines; write utf-8")
