"""Takes a person out of the log: every topic is read through, and what holds the person is rewritten.

A page is a commit of its own. What was rewritten holds nothing more to rewrite, so whoever is cut off begins
again and finds only what is left.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from dealgraph.stream import codec
from dealgraph.stream.erasure import Eraser, Footprint, Subject
from dealgraph.stream.erasures import Counts
from dealgraph.stream.interaction import Interaction, Rejected, action_id
from dealgraph.stream.log import EventLog, NewRecord, Record, Topic, erased_record

_CHUNK: Final = 1000
_INTERACTIONS: Final = (Topic.INTERACTIONS, Topic.REGISTRY, Topic.HELD)

_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")

Rewritten = dict[int, NewRecord | None]
_Rewrite = Callable[[Record], NewRecord | Record | None]
"""Returns the record itself where nothing changes."""


def footprint(log: EventLog, ids: tuple[str, ...]) -> Subject:
    """Return who the person with these ids is: the names used, and the conversations."""
    found = Footprint(ids)
    for topic in (Topic.INTERACTIONS, Topic.HELD):
        after = 0
        while page := log.read(topic, after, _CHUNK):
            after = page[-1].offset
            for record in page:
                interaction = codec.interaction_from_record(record.body)
                if not isinstance(interaction, Rejected):
                    found.add(interaction)
    return found.subject()


def redact(log: EventLog, eraser: Eraser, done: Counts, note: Callable[[Counts], None]) -> Counts:
    """Take a person out of all topics; `note` is told the counts within each commit."""
    counts = done
    for topic in _INTERACTIONS:
        counts = _through(log, topic, lambda record: _interaction(eraser, record), counts, note)
    counts = _through(
        log, Topic.DEAD_LETTERS, lambda record: _dead_letter(eraser, record), counts, note
    )
    for topic in (Topic.OPTIONS, Topic.REQUESTS):
        counts = _through(log, topic, lambda record: _unless_named(eraser, record), counts, note)
    for topic in (Topic.ALERT_DECISIONS, Topic.SNOOZES):
        counts = _through(log, topic, lambda record: _plain(eraser, record), counts, note)
    return counts


def _through(
    log: EventLog, topic: Topic, rewrite: _Rewrite, counts: Counts, note: Callable[[Counts], None]
) -> Counts:
    after = 0
    while page := log.read(topic, after, _CHUNK):
        after = page[-1].offset
        changed: Rewritten = {}
        for record in page:
            found = rewrite(record) if record.body else record
            if not isinstance(found, Record):
                changed[record.offset] = found
        if changed:
            counts = _counted(counts, topic, changed)
            with log.transaction(topic):
                log.rewrite(topic, changed)
                note(counts)
    return counts


def _counted(counts: Counts, topic: Topic, changed: Rewritten) -> Counts:
    if topic is not Topic.INTERACTIONS:
        return replace(counts, others=counts.others + len(changed))
    gone = sum(record is not None and not record.body for record in changed.values())
    return replace(
        counts,
        removed=counts.removed + gone,
        redacted=counts.redacted + len(changed) - gone,
    )


def _interaction(eraser: Eraser, record: Record) -> NewRecord | Record:
    interaction = codec.interaction_from_record(record.body)
    if isinstance(interaction, Rejected):
        return record
    left = eraser.erased(interaction)
    if left is interaction:
        return record
    return (
        erased_record(record.offset, record.recorded_at) if left is None else _stored(left, record)
    )


def _stored(interaction: Interaction, record: Record) -> NewRecord:
    digest, body = codec.interaction_to_record(interaction)
    id_ = action_id(interaction.source, interaction.native_id, interaction.part)
    return NewRecord(id_, digest, record.recorded_at, body)


def _dead_letter(eraser: Eraser, record: Record) -> NewRecord | Record:
    """Return a letter without the record that it holds, if that names the person."""
    letter = codec.dead_letter_from_bytes(record.body)
    texts = (letter.position, letter.detail, *_readings(letter.payload))
    if not any(map(eraser.concerns, texts)):
        return record
    bare = replace(
        letter,
        position=eraser.without(letter.position),
        detail=eraser.without(letter.detail),
        payload=b"",
        truncated=True,
    )
    return NewRecord(record.id, b"", record.recorded_at, codec.dead_letter_to_bytes(bare))


def _readings(payload: bytes) -> tuple[str, ...]:
    """Return bytes as the texts that they may be."""
    plain, chinese = (payload.decode(encoding, "replace") for encoding in ("utf-8", "gb18030"))
    return (plain, chinese, _ESCAPED.sub(lambda found: chr(int(found[1], 16)), plain))


def _unless_named(eraser: Eraser, record: Record) -> Record | None:
    return None if any(map(eraser.concerns, _readings(record.body))) else record


def _plain(eraser: Eraser, record: Record) -> NewRecord | Record:
    """Return a record of JSON without the person's names and addresses."""
    value = msgspec.json.decode(record.body)
    bare = {
        key: eraser.without(text) if isinstance(text, str) else text for key, text in value.items()
    }
    if bare == value:
        return record
    return NewRecord(record.id, b"", record.recorded_at, msgspec.json.encode(bare))
