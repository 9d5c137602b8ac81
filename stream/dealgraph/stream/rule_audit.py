"""Which thresholds were in force since when: a record in the log whenever they change."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from dealgraph.stream.log import EventLog, NewRecord, Topic
from dealgraph.stream.signals.detector import Detector

_PAGE: Final = 1000


class RuleChange(Struct, frozen=True):
    """Rules came into force: the version of each, the values that differ from the shipped ones, and why.

    `file` is the path of the thresholds, "" for the shipped ones; `origin` says from what they were found.
    """

    at: int
    versions: Mapping[str, str]
    thresholds: Mapping[str, Mapping[str, object]]
    file: str
    origin: str


_decode: Final = msgspec.msgpack.Decoder(RuleChange).decode


def rule_changes(log: EventLog) -> Iterator[RuleChange]:
    """Yield all changes, the oldest first."""
    after = 0
    while page := log.read(Topic.RULES, after, _PAGE):
        after = page[-1].offset
        yield from (_decode(record.body) for record in page)


def note_rules(log: EventLog, rules: Iterable[Detector[Any]], change: RuleChange) -> bool:
    """Note that rules are in force, unless the same were before; say whether they changed."""
    versions = {rule.rule: rule.version for rule in rules}
    change = msgspec.structs.replace(change, versions=versions)
    known = list(rule_changes(log))
    if known and known[-1].versions == versions:
        return False
    body = msgspec.msgpack.encode(change)
    log.append(Topic.RULES, [NewRecord(f"rules/{len(known)}", b"", change.at, body)])
    return True
