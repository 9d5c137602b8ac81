"""What people decided about alerts: durable in the log, in memory for reading."""

import hashlib
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from dealgraph.stream.log import EventLog, NewRecord, Topic

_PAGE: Final = 1000


class Decision(Struct, frozen=True):
    """Somebody took an alert up, or dismissed it and said why. `number` counts per alert from 1."""

    alert_id: str
    number: int
    dismissed: bool
    by: str
    reason: str = ""


class Decisions:
    """The newest decision per alert; a later one replaces an earlier one.

    `clock` gives milliseconds since 1970 UTC. Raises StorageError when the log cannot be read.
    """

    def __init__(self, log: EventLog, clock: Callable[[], int]) -> None:
        self._log = log
        self._clock = clock
        self._newest: dict[str, Decision] = {}
        after = 0
        while page := log.read(Topic.ALERT_DECISIONS, after, _PAGE):
            after = page[-1].offset
            for record in page:
                decision = msgspec.json.decode(record.body, type=Decision)
                self._newest[decision.alert_id] = decision

    def of(self, alert_id: str) -> Decision | None:
        """Return what was decided about an alert, None while it is open."""
        return self._newest.get(alert_id)

    def prepare(self, alert_id: str, by: str, reason: str, *, dismissed: bool) -> Decision | None:
        """Append a decision to the log; return None when it says nothing new.

        It must run in the writing thread; `adopt` the result once it is durable.
        """
        before = self._last(alert_id)
        number = before.number + 1 if before is not None else 1
        decision = Decision(alert_id, number, dismissed, by, reason)
        if before is not None and before == msgspec.structs.replace(decision, number=before.number):
            return None
        body = msgspec.json.encode(decision)
        self._log.append(
            Topic.ALERT_DECISIONS,
            [
                NewRecord(
                    id=_record_id(alert_id, number),
                    digest=hashlib.sha256(body).digest(),
                    recorded_at=self._clock(),
                    body=body,
                )
            ],
        )
        return decision

    def adopt(self, decision: Decision) -> None:
        """Show a decision that is durable, unless a later one is shown already."""
        shown = self._newest.get(decision.alert_id)
        if shown is None or shown.number < decision.number:
            self._newest[decision.alert_id] = decision

    def _last(self, alert_id: str) -> Decision | None:
        """Return the last decision, also one that is written but not yet durable."""
        last = self._newest.get(alert_id)
        while True:
            following = _record_id(alert_id, last.number + 1 if last is not None else 1)
            record = self._log.find(Topic.ALERT_DECISIONS, [following]).get(following)
            if record is None:
                return last
            last = msgspec.json.decode(record.body, type=Decision)


def _record_id(alert_id: str, number: int) -> str:
    return f"{alert_id}/{number}"
