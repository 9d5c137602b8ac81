"""What people do with alerts: take them up, dismiss them, hold a kind back. Durable, idempotent, counted."""

from typing import Final

from dealgraph.api.v1 import alert_pb2, alert_service_pb2
from dealgraph.graph.model import SignalKind
from dealgraph.server.alert_decisions import Decision, Decisions
from dealgraph.server.alert_list import AlertList
from dealgraph.server.commit_queue import CommitQueue
from dealgraph.server.errors import invalid, not_found
from dealgraph.server.hub import Entry
from dealgraph.server.metrics import Metrics
from dealgraph.server.snoozes import MAX_MINUTES, Snooze, Snoozes
from dealgraph.stream.alerts import Alert

_MAX_NAME: Final = 256
_MAX_REASON: Final = 2000
_OTHER: Final = int(alert_pb2.DISMISS_REASON_OTHER)


class AlertDesk:
    """Takes the decisions of people about alerts. `seconds` is how long an alert is looked for."""

    def __init__(
        self,
        alerts: AlertList,
        decisions: Decisions,
        snoozes: Snoozes,
        commits: CommitQueue,
        metrics: Metrics,
        seconds: float,
    ) -> None:
        self._alerts = alerts
        self._decisions = decisions
        self._snoozes = snoozes
        self._commits = commits
        self._metrics = metrics
        self._seconds = seconds

    async def acknowledge(self, alert_id: str, by: str) -> Entry[Alert]:
        """Note that somebody takes care of an alert. Raises CallError for one that does not exist."""
        entry, _ = await self._decide(alert_id, by, "", 0, dismissed=False)
        return entry

    async def dismiss(self, alert_id: str, by: str, reason: str, reason_class: int) -> Entry[Alert]:
        """Note that an alert is not useful, and why; the reason may be empty when a class is stated.

        Raises CallError for an alert that does not exist, and without a reason.
        """
        if reason_class not in alert_pb2.DismissReason.values():
            raise invalid("reason_class", "is not a reason")
        if not reason.strip() and not reason_class:
            raise invalid("reason", "must say why the alert is not useful", "MISSING_FIELD")
        if len(reason) > _MAX_REASON:
            raise invalid("reason", f"may have at most {_MAX_REASON} characters")
        stated = reason_class or _OTHER
        entry, fresh = await self._decide(alert_id, by, reason, stated, dismissed=True)
        if fresh:
            kind = entry.item.signal.kind.name.lower()
            word = alert_pb2.DismissReason.Name(stated)  # type: ignore[arg-type]
            word = word.removeprefix("DISMISS_REASON_").lower()
            self._metrics.dismissals.labels(kind, word).inc()
        return entry

    async def snooze(
        self, rep: str, kind: int, session: str, minutes: int, by: str, request: str
    ) -> Snooze:
        """Hold back alerts of a kind: in a session, or without one for minutes (0: no longer).

        Raises CallError for a field that is wrong.
        """
        if kind not in SignalKind.__members__.values():
            raise invalid("kind", "is not a kind of signal")
        if not 0 <= minutes <= MAX_MINUTES:
            raise invalid("minutes", f"must be between 0 and {MAX_MINUTES}")
        if not session and not rep:
            raise invalid(
                "rep_id", "is missing: say whose alerts are to be held back", "MISSING_FIELD"
            )
        for field, text in (("rep_id", rep), ("session_id", session), ("by", by)):
            if len(text) > _MAX_NAME:
                raise invalid(field, f"may have at most {_MAX_NAME} characters")
        known = SignalKind(kind)
        snooze, fresh = await self._commits.submit(
            lambda: self._snoozes.prepare(rep, known, session, minutes, by, request)
        )
        if fresh:
            self._snoozes.adopt(snooze)
            extent = "session" if session else "minutes" if minutes else "ended"
            self._metrics.snoozes.labels(known.name.lower(), extent).inc()
        return snooze

    def counts(self) -> list[alert_service_pb2.AlertCounts]:
        """Return what was decided, by kind, in order of the numbers of the kinds."""
        by_kind: dict[int, alert_service_pb2.AlertCounts] = {}
        reasons: dict[tuple[int, int], int] = {}
        for decision in self._decisions.all():
            counts = by_kind.setdefault(decision.kind, _no_counts(decision.kind))
            if decision.dismissed:
                counts.dismissed += 1
                reason = (decision.kind, decision.reason_class or _OTHER)
                reasons[reason] = reasons.get(reason, 0) + 1
            else:
                counts.acknowledged += 1
        for (kind, reason_class), count in sorted(reasons.items()):
            by_kind[kind].dismissed_for.add(reason_class=reason_class, count=count)
        for snoozed, (sessions, minutes) in self._snoozes.counts().items():
            counts = by_kind.setdefault(snoozed, _no_counts(snoozed))
            counts.snoozed_sessions, counts.snoozed_minutes = sessions, minutes
        return [by_kind[kind] for kind in sorted(by_kind)]

    async def _decide(
        self, alert_id: str, by: str, reason: str, reason_class: int, *, dismissed: bool
    ) -> tuple[Entry[Alert], bool]:
        if len(by) > _MAX_NAME:
            raise invalid("by", f"may have at most {_MAX_NAME} characters")
        entry = await self._alerts.find(alert_id, self._seconds)
        if entry is None:
            raise not_found("ALERT", alert_id)
        kind = int(entry.item.signal.kind)
        stated = Decision(alert_id, 0, dismissed, by, reason, kind, reason_class)
        decision = await self._commits.submit(lambda: self._decisions.prepare(stated))
        if decision is not None:
            self._decisions.adopt(decision)
            self._metrics.suggestions.labels("dismissed" if dismissed else "acknowledged").inc()
        return entry, decision is not None


def _no_counts(kind: int) -> alert_service_pb2.AlertCounts:
    return alert_service_pb2.AlertCounts(kind=kind)  # type: ignore[arg-type]
