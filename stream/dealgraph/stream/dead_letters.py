"""Dead letters: records that could not be taken in, kept to be read and tried again.

The log only grows, so a letter that was taken in later stays, and a marker beside it says so.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dealgraph.stream import codec
from dealgraph.stream.interaction import DeadLetter, Interaction, Reason, Rejected
from dealgraph.stream.log import EventLog, NewRecord, Record, Topic
from dealgraph.stream.receipts import Outcome, Receipt

MAX_PAYLOAD: Final = 64 * 1024
"""Most bytes of a record that a dead letter keeps."""

_MAX_NOTE: Final = 1_000
_CHUNK: Final = 500
_MARK: Final = "/replayed"

ParseRaw = Callable[[DeadLetter, bytes, bytes], Sequence[Interaction | Rejected]]
"""Parses the raw record of a letter again, given what it was read with and what goes before that."""

Publish = Callable[[Sequence[Interaction | Rejected]], Sequence[Receipt]]


class Kept(Struct, frozen=True):
    """A dead letter at its offset in the log; `replayed` once a replay took it in."""

    offset: int
    letter: DeadLetter
    replayed: bool


class Replayed(Struct, frozen=True):
    """What became of a dead letter that was tried again; the worst of its receipts."""

    id: str
    receipt: Receipt


class DeadLetters:
    """The dead letters of a log.

    `publish` takes items in without making dead letters of those that fail again.
    """

    def __init__(self, log: EventLog, publish: Publish, parse_raw: ParseRaw) -> None:
        self._log = log
        self._publish = publish
        self._parse_raw = parse_raw

    def page(
        self, *, source: str = "", reason: str = "", after: int = 0, limit: int = 50
    ) -> list[Kept]:
        """Return at most `limit` letters with offsets above `after`, oldest first.

        Empty `source` or `reason` means all.
        """
        found: list[Kept] = []
        while records := self._log.read(Topic.DEAD_LETTERS, after, _CHUNK):
            after = records[-1].offset
            found += (
                kept
                for kept in self._decode(records)
                if source in ("", kept.letter.source) and reason in ("", kept.letter.reason)
            )
            if len(found) >= limit:
                return found[:limit]
        return found

    def find(self, ids: Sequence[str]) -> dict[str, Kept]:
        """Return the letters with these ids that exist."""
        records = self._log.find(Topic.DEAD_LETTERS, ids).values()
        return {kept.letter.id: kept for kept in self._decode(records)}

    def replay(self, ids: Sequence[str], corrected: bytes = b"") -> list[Replayed]:
        """Try letters again, in one commit; those that fail stay as they are.

        Raw records are read with what they were read with before, corrected by encoded options.
        Raises StorageError when nothing could be stored; then nothing was.
        """
        with self._log.transaction(Topic.DEAD_LETTERS):
            known = self.find(ids)
            results = [
                Replayed(id_, self._try(known.get(id_), corrected)) for id_ in dict.fromkeys(ids)
            ]
            marks = [
                NewRecord(result.id + _MARK, b"", known[result.id].letter.recorded_at, b"")
                for result in results
                if result.receipt.outcome is not Outcome.REJECTED
            ]
            self._log.append(Topic.DEAD_LETTERS, marks)
        return results

    def _try(self, kept: Kept | None, corrected: bytes) -> Receipt:
        if kept is None:
            return _refused("NOT_FOUND", "there is no dead letter with this id")
        letter = kept.letter
        if letter.truncated:
            return _refused(
                Reason.TRUNCATED, "not all of the record was kept: publish it again from its source"
            )
        items = self._items(letter, corrected)
        if not items:
            return _refused(Reason.UNREADABLE, "the connector finds nothing in the record")
        receipts = self._publish(items)
        return max(receipts, key=lambda receipt: _ORDER[receipt.outcome])

    def _items(self, letter: DeadLetter, corrected: bytes) -> Sequence[Interaction | Rejected]:
        if letter.encoded:
            return [codec.interaction_from_bytes(letter.payload)]
        found = self._log.find(Topic.OPTIONS, [letter.read_with]) if letter.read_with else {}
        known = found.get(letter.read_with)
        return self._parse_raw(letter, known.body if known is not None else b"", corrected)

    def _decode(self, records: Iterable[Record]) -> list[Kept]:
        letters = [record for record in records if record.body]
        marks = self._log.find(Topic.DEAD_LETTERS, [record.id + _MARK for record in letters])
        return [
            Kept(
                record.offset,
                codec.dead_letter_from_bytes(record.body),
                record.id + _MARK in marks,
            )
            for record in letters
        ]


_ORDER: Final = {Outcome.DUPLICATE: 0, Outcome.ACCEPTED: 1, Outcome.REJECTED: 2}


def dead_letter_record(rejected: Rejected, recorded_at: int) -> NewRecord:
    """Return the record of a dead letter; the same rejected record has the same id again."""
    rejected = presentable(rejected)
    parts = (rejected.source, rejected.position, rejected.reason.value, rejected.detail)
    digest = hashlib.sha256("\x1f".join(parts).encode() + rejected.payload).digest()[:16]
    letter = DeadLetter(
        id=digest.hex(),
        source=rejected.source,
        position=rejected.position,
        reason=rejected.reason,
        detail=rejected.detail,
        recorded_at=recorded_at,
        payload=rejected.payload[:MAX_PAYLOAD],
        encoded=rejected.encoded,
        truncated=not 0 < len(rejected.payload) <= MAX_PAYLOAD,
        read_with=options_id(rejected.read_with),
    )
    return NewRecord(letter.id, digest, recorded_at, codec.dead_letter_to_bytes(letter))


def options_id(read_with: bytes) -> str:
    """Return the id under which the log keeps options, "" for none."""
    return hashlib.sha256(read_with).hexdigest()[:32] if read_with else ""


def options_records(rejected: Iterable[Rejected], recorded_at: int) -> list[NewRecord]:
    """Return the records of the options that rejected records were read with, each once."""
    known = {options_id(item.read_with): item.read_with for item in rejected if item.read_with}
    return [NewRecord(id_, id_.encode(), recorded_at, body) for id_, body in known.items()]


def presentable(rejected: Rejected) -> Rejected:
    """Return a rejected record with texts of a form and length that can be stored and sent."""
    return replace(
        rejected,
        source=_note(rejected.source),
        position=_note(rejected.position),
        detail=_note(rejected.detail),
    )


def _note(text: str) -> str:
    return text[:_MAX_NOTE].encode("utf-8", "replace").decode()


def _refused(reason: str, detail: str) -> Receipt:
    return Receipt(Outcome.REJECTED, "", reason, detail)
