"""What people decided about alerts: durable in the log, in memory for reading."""

import hashlib
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from dealgraph.stream.log import EventLog, NewRecord, Topic

_PAGE: Final = 1000


class Decision(Struct, frozen=True):
    """Somebody took an alert up, or dismissed it and said why. `number` counts per alert from 1.

    `kind` is that of the signal, 0 in decisions made before it was noted; `reason_class` says why in the
    numbers of the contract.
    """

    alert_id: str
    number: int
    dismissed: bool
    by: str
    reason: str = ""
    kind: int = 0
    reason_class: int = 0


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

    def all(self) -> list[Decision]:
        """Return the newest decision of every alert about which one was made."""
        return list(self._newest.values())

    def prepare(self, stated: Decision) -> Decision | None:
        """Append a decision to the log under the next number; return None when it says nothing new.

        It must run in the writing thread; `adopt` the result once it is durable.
        """
        alert_id = stated.alert_id
        before = self._last(alert_id)
        number = before.number + 1 if before is not None else 1
        decision = msgspec.structs.replace(stated, number=number)
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
