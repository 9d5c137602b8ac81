"""Which alerts reps hold back for a while: durable in the log, in memory for reading."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec import Struct

from dealgraph.graph.model import Severity, SignalKind, SignalState
from dealgraph.stream.alerts import Alert
from dealgraph.stream.log import EventLog, NewRecord, Topic

MAX_MINUTES: Final = 7 * 24 * 60
"""Longest snooze in minutes: who never wants a kind should have its thresholds changed."""

_PAGE: Final = 1000
_MINUTE: Final = 60_000
_FOR_EVER: Final = 1 << 62


class Snooze(Struct, frozen=True):
    """A rep holds back alerts of a kind. `number` counts from 1 within rep, kind and session.

    It covers alerts that became known from `since` on and before `until`, in ms since 1970 UTC; with a
    `session` it covers that session alone, and `until` is 0. What is said later holds from its `since` on.
    `request` is the id of the request, to know it again.
    """

    rep: str
    kind: SignalKind
    session: str
    number: int
    since: int
    until: int
    by: str = ""
    request: str = ""


_Key = tuple[str, SignalKind, str]


class Snoozes:
    """All snoozes. `clock` gives ms since 1970 UTC. Raises StorageError when the log cannot be read."""

    def __init__(self, log: EventLog, clock: Callable[[], int]) -> None:
        self._log = log
        self._clock = clock
        self._newest: dict[_Key, Snooze] = {}
        self._sessions: dict[tuple[SignalKind, str], int] = {}
        self._spans: dict[tuple[SignalKind, str], list[tuple[int, int]]] = {}
        self._counts: dict[SignalKind, tuple[int, int]] = {}
        after = 0
        while page := log.read(Topic.SNOOZES, after, _PAGE):
            after = page[-1].offset
            for record in page:
                self.adopt(msgspec.json.decode(record.body, type=Snooze))

    def hold_back(self, alert: Alert, session: str = "") -> bool:
        """Say whether an alert is held back, by its own session or by that of a talk it is sent to."""
        signal = alert.signal
        if not self._newest or signal.severity is Severity.CRITICAL:
            return False
        if signal.state is SignalState.RETRACTED:
            return False
        kind, at, rep = signal.kind, signal.recorded_at, signal.rep
        for name in {signal.session, session}:
            if name and at >= self._sessions.get((kind, name), _FOR_EVER):
                return True
        return any(
            since <= at < until
            for name in {rep, rep.partition(":")[2]}
            for since, until in self._spans.get((kind, name), ())
        )

    def counts(self) -> dict[SignalKind, tuple[int, int]]:
        """Return the number of snoozes of a session and of a time, by kind."""
        return dict(self._counts)

    def prepare(
        self, rep: str, kind: SignalKind, session: str, minutes: int, by: str, request: str
    ) -> tuple[Snooze, bool]:
        """Append a snooze to the log; return what holds, and whether that is new.

        It must run in the writing thread; `adopt` what is new once it is durable.
        """
        key = (rep, kind, session)
        before = self._last(key)
        if before is not None and (session or (request and request == before.request)):
            return before, False
        now = self._clock()
        until = 0 if session else now + minutes * _MINUTE
        number = before.number + 1 if before is not None else 1
        snooze = Snooze(rep, kind, session, number, now, until, by, request)
        body = msgspec.json.encode(snooze)
        digest = hashlib.sha256(body).digest()
        record = NewRecord(_record_id(key, number), digest, now, body)
        self._log.append(Topic.SNOOZES, [record])
        return snooze, True

    def adopt(self, snooze: Snooze) -> None:
        """Hold back from now on what a durable snooze says."""
        key, kind = (snooze.rep, snooze.kind, snooze.session), snooze.kind
        shown = self._newest.get(key)
        if shown is not None and shown.number >= snooze.number:
            return
        self._newest[key] = snooze
        sessions, times = self._counts.get(kind, (0, 0))
        if snooze.session:
            place = (kind, snooze.session)
            self._sessions[place] = min(snooze.since, self._sessions.get(place, _FOR_EVER))
            self._counts[kind] = (sessions + 1, times)
            return
        spans = self._spans.setdefault((kind, snooze.rep), [])
        spans[:] = _cut(spans, snooze.since)
        if snooze.until > snooze.since:
            spans.append((snooze.since, snooze.until))
            self._counts[kind] = (sessions, times + 1)

    def _last(self, key: _Key) -> Snooze | None:
        """Return the last snooze, also one that is written but not yet durable."""
        last = self._newest.get(key)
        while True:
            following = _record_id(key, last.number + 1 if last is not None else 1)
            record = self._log.find(Topic.SNOOZES, [following]).get(following)
            if record is None:
                return last
            last = msgspec.json.decode(record.body, type=Snooze)


def _cut(spans: Iterable[tuple[int, int]], at: int) -> list[tuple[int, int]]:
    """Return the spans as far as they lie before `at`."""
    return [(since, min(until, at)) for since, until in spans if since < at]


def _record_id(key: _Key, number: int) -> str:
    rep, kind, session = key
    raw = "\x1f".join((rep, kind.name, session))
    return f"{hashlib.sha256(raw.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}/{number}"
