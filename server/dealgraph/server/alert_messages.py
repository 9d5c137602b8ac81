"""Alerts as messages, and the filter of a request as a function over alerts."""

from collections.abc import Callable

from dealgraph.api.v1 import alert_pb2, alert_service_pb2
from dealgraph.server.alert_decisions import Decision, Decisions
from dealgraph.server.errors import invalid
from dealgraph.server.hub import Entry
from dealgraph.server.signal_messages import concerns
from dealgraph.server.snoozes import Snooze, Snoozes
from dealgraph.server.tokens import Tokens
from dealgraph.stream.alerts import Alert


class AlertMessages:
    """Makes messages of alerts, with the status that people gave them and a resume token."""

    def __init__(self, tokens: Tokens, decisions: Decisions, snoozes: Snoozes) -> None:
        self._tokens = tokens
        self._decisions = decisions
        self._snoozes = snoozes

    def alert(self, entry: Entry[Alert]) -> alert_pb2.Alert:
        """Return the message of an alert."""
        alert = entry.item
        decision = self._decisions.of(alert.id)
        signal = alert.signal
        return alert_pb2.Alert(
            id=alert.id,
            signal_id=signal.id,
            kind=int(signal.kind),  # type: ignore[arg-type]
            state=int(signal.state),  # type: ignore[arg-type]
            severity=int(signal.severity),  # type: ignore[arg-type]
            rule=signal.rule,
            rule_version=signal.rule_version,
            opportunity_id=signal.opportunity,
            customer_id=signal.customer,
            session_id=signal.session,
            rep_id=signal.rep,
            occurred_at_ms=signal.at,
            recorded_at_ms=signal.recorded_at,
            evidence_ids=signal.evidence,
            explanation=signal.explanation,
            suggestion=signal.suggestion,
            statistic=signal.statistic,
            threshold=signal.threshold,
            baseline=signal.baseline,
            exposure_minutes=signal.exposure_minutes,
            window_ms=signal.window_ms,
            status=_status(decision),
            dismiss_reason=decision.reason if decision is not None else "",
            resume_token=self._tokens.resume(entry.point),
            form=signal.form,
            polarity=int(signal.polarity),  # type: ignore[arg-type]
            dismiss_reason_class=decision.reason_class if decision is not None else 0,  # type: ignore[arg-type]
            snoozed=self._snoozes.hold_back(alert),
        )


def snooze_message(snooze: Snooze) -> alert_pb2.Snooze:
    """Return the message of a snooze."""
    return alert_pb2.Snooze(
        rep_id=snooze.rep,
        kind=int(snooze.kind),  # type: ignore[arg-type]
        session_id=snooze.session,
        since_ms=snooze.since,
        until_ms=snooze.until,
    )


def wanted(asked: alert_service_pb2.AlertFilter) -> Callable[[Alert], bool]:
    """Return the test for a filter. Raises CallError for a kind or severity that does not exist."""
    for index, kind in enumerate(asked.kinds):
        if kind not in alert_pb2.SignalKind.values() or kind == 0:
            raise invalid(f"filter.kinds[{index}]", "is not a kind of signal")
    if asked.min_severity not in alert_pb2.Severity.values():
        raise invalid("filter.min_severity", "is not a severity")
    about = concerns(asked.opportunity_ids, asked.customer_ids, asked.rep_ids, asked.session_ids)
    kinds, severity = frozenset(int(kind) for kind in asked.kinds), int(asked.min_severity)

    def test(alert: Alert) -> bool:
        signal = alert.signal
        return about(signal) and (not kinds or signal.kind in kinds) and signal.severity >= severity

    return test


def _status(decision: Decision | None) -> alert_pb2.AlertStatus.ValueType:
    if decision is None:
        return alert_pb2.ALERT_STATUS_OPEN
    if decision.dismissed:
        return alert_pb2.ALERT_STATUS_DISMISSED
    return alert_pb2.ALERT_STATUS_ACKNOWLEDGED
