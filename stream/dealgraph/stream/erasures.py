"""Requests to erase a person, each a record that holds no personal data any more once it was carried out.

    open ──► planned ──► redacted ──► done
             names and   the log      the graph was made anew,
             sessions    is clean     files hold no trace

A request is durable when it is made; from then on the gate refuses what names the person. Each step can be
cut off at any moment and is taken again. What is left at the end are numbers, and digests of the ids by
which the person is known when a file is imported again.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dealgraph.stream.erasure import Subject, keyed
from dealgraph.stream.log import EventLog, NewRecord, Topic

_CHUNK: Final = 1000
_NEVER: Final = -1
_MOST_REMEMBERED: Final = 1 << 16


class ErasureState(StrEnum):
    """How far a request has come."""

    OPEN = "open"
    PLANNED = "planned"
    REDACTED = "redacted"
    DONE = "done"


class Counts(Struct, frozen=True):
    """What was done: interactions that went, interactions of others without the person, other records."""

    removed: int = 0
    redacted: int = 0
    others: int = 0


class Erasure(Struct, frozen=True):
    """A request. Times are in ms since 1970 UTC; `asked_at` is when the person asked.

    `source` is where the request came from. `subject` is empty once the log is redacted; `keys` are digests
    of the person's ids that cannot be made without the secret of the log.
    """

    id: str
    state: ErasureState
    asked_at: int
    source: str
    keys: tuple[str, ...]
    subject: Subject = Subject(())
    counts: Counts = Counts()
    done_at: int = 0


class Erasures:
    """The requests of a log. Not safe for use by several threads at once, but for `erased_at`.

    `secret` belongs to the log and to nobody else.
    """

    def __init__(self, log: EventLog, secret: str) -> None:
        self._log = log
        self._secret = secret
        self._offset = 0
        self._known: dict[str, tuple[int, Erasure]] = {}
        self._at: dict[str, int] = {}
        self._remembered: dict[str, int] = {}
        self._load()

    @property
    def is_empty(self) -> bool:
        """Whether nobody ever asked, so that nothing need be looked at."""
        return not self._at

    def refresh(self) -> None:
        """Read the log again if a commit that held a request was undone."""
        if self._log.end(Topic.ERASURES) != self._offset:
            self._load()

    def all(self) -> list[Erasure]:
        """Return all requests, the oldest first."""
        return [erasure for _, erasure in sorted(self._known.values(), key=lambda one: one[0])]

    def find(self, id_: str) -> Erasure | None:
        """Return a request, None when there is none."""
        known = self._known.get(id_)
        return known[1] if known else None

    def erased_at(self, person: str) -> int | None:
        """Return until when all of a person was to be erased, None when nobody asked for it."""
        if not self._at:
            return None
        remembered = self._remembered
        at = remembered.get(person)
        if at is None:
            at = self._at.get(keyed(person, self._secret), _NEVER)
            if len(remembered) < _MOST_REMEMBERED:
                remembered[person] = at
        return None if at == _NEVER else at

    def ask(self, ids: Sequence[str], asked_at: int, source: str, now: int) -> Erasure:
        """Note a request for a person with these ids; the same again changes nothing."""
        keys = tuple(sorted(keyed(id_, self._secret) for id_ in ids))
        name = keyed("\x1f".join((*keys, str(asked_at))), self._secret)
        if (known := self.find(name)) is not None:
            return known
        subject = Subject(tuple(sorted(ids)))
        erasure = Erasure(name, ErasureState.OPEN, asked_at, source, keys, subject)
        self._log.append(Topic.ERASURES, [_record(erasure, now)])
        self._load()
        return erasure

    def move(self, erasure: Erasure) -> None:
        """Put a request further; what it said before is not kept."""
        offset, before = self._known[erasure.id]
        recorded_at = self._log.find(Topic.ERASURES, [before.id])[before.id].recorded_at
        self._log.rewrite(Topic.ERASURES, {offset: _record(erasure, recorded_at)})
        self._note(offset, erasure)

    def _load(self) -> None:
        self._known, self._at = {}, {}
        self._offset = 0
        while page := self._log.read(Topic.ERASURES, self._offset, _CHUNK):
            self._offset = page[-1].offset
            for record in page:
                self._note(record.offset, msgspec.json.decode(record.body, type=Erasure))
        self._offset = self._log.end(Topic.ERASURES)

    def _note(self, offset: int, erasure: Erasure) -> None:
        self._known[erasure.id] = (offset, erasure)
        self._at = self._at | {
            key: max(erasure.asked_at, self._at.get(key, 0)) for key in erasure.keys
        }
        self._remembered = {}


def redacted(erasure: Erasure, counts: Counts) -> Erasure:
    """Return a request whose person is nowhere in the log any more."""
    return replace(erasure, state=ErasureState.REDACTED, subject=Subject(()), counts=counts)


def _record(erasure: Erasure, recorded_at: int) -> NewRecord:
    return NewRecord(erasure.id, b"", recorded_at, msgspec.json.encode(erasure))
