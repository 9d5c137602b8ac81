"""Measured values about customers as sources state them, checked against what is known about metrics."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.connectors.json_fields import object_of, text_of
from dealgraph.stream.connectors.metric_schemas import MetricSchemas, Subject, Trust
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.times import epoch_ms, iso_ms
from dealgraph.stream.interaction import Interaction, InteractionKind, Person, Provenance, Reason

SOURCE: Final = "metrics"
_SUBJECTS: Final = frozenset(Subject)


class MetricSignal(Struct, frozen=True, gc=False):
    """A metric of a subject had a value at a time (ms), as a source says that is trusted so far.

    `value` is a decimal number in `unit`, the unit of the metric's schema. `id` names the statement.
    """

    subject_kind: Subject
    subject: str
    name: str
    value: str
    unit: str
    time: int
    source: str
    trust: Trust
    id: str

    def interaction(self, origin: Provenance) -> Interaction:
        """Return it as an interaction of kind METRIC."""
        whose = {str(self.subject_kind): self.subject}
        return Interaction(
            source=SOURCE,
            native_id=self.id,
            kind=InteractionKind.METRIC,
            channel=Channel.CRM,
            occurred_at=self.time,
            actor=Person(Side.SYSTEM),
            customer=whose.get(Subject.CUSTOMER, ""),
            opportunity=whose.get(Subject.OPPORTUNITY, ""),
            contact=whose.get(Subject.CONTACT, ""),
            session=f"{SOURCE}:{self.subject}"[:200],
            provenance=origin,
            attributes={
                "metric": self.name,
                "value": self.value,
                "unit": self.unit,
                "trust": str(self.trust),
                "metric_source": self.source,
            },
        )


def metric_signal(values: Mapping[str, Any], schemas: MetricSchemas) -> MetricSignal:
    """Return the signal that a record or a CloudEvent states. Raises RecordError."""
    event_id = ""
    if "specversion" in values:
        values, event_id = _of_event(values)
    name = text_of(values, "name")
    schema = schemas.get(name)
    if schema is None:
        reason = Reason.UNKNOWN_VALUE if name else Reason.MISSING_FIELD
        detail = f"{name[:80]!r} is no known metric; state it in a file for --metrics"
        raise RecordError(reason, detail)
    kind, subject = _subject(text_of(values, "subject"), schema.subject)
    value = schema.value(text_of(values, "value"), text_of(values, "unit"))
    time, source = _time(text_of(values, "time")), text_of(values, "source")
    parts = (kind, subject, name, value, str(time), source)
    return MetricSignal(
        subject_kind=kind,
        subject=subject,
        name=name,
        value=value,
        unit=schema.unit,
        time=time,
        source=source,
        trust=_trust(text_of(values, "trust"), schema.trust),
        id=event_id or _digest(parts),
    )


def _of_event(event: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return what a CloudEvent states, its data going before its context, and its id."""
    if text_of(event, "specversion") != "1.0":
        raise RecordError(Reason.UNKNOWN_VALUE, "specversion is not 1.0")
    event_id, source = text_of(event, "id"), text_of(event, "source")
    if not event_id or not source:
        raise RecordError(Reason.MISSING_ID, "id or source of the CloudEvent is empty")
    context = {name: event.get(name) for name in ("subject", "time", "source")}
    return {**context, **object_of(event, "data")}, _digest((source, event_id))


def _subject(stated: str, default: Subject) -> tuple[Subject, str]:
    kind, colon, subject = stated.partition(":")
    if colon and kind in _SUBJECTS:
        found = Subject(kind), subject
    else:
        found = default, stated
    if not found[1]:
        raise RecordError(Reason.MISSING_ID, "subject is empty")
    return found


def _time(stated: str) -> int:
    try:
        return epoch_ms(stated, 1) if stated.isdecimal() else iso_ms(stated)
    except (ValueError, OverflowError) as error:
        raise RecordError(Reason.BAD_TIMESTAMP, str(error)[:200]) from error


def _trust(stated: str, default: Trust) -> Trust:
    try:
        return Trust(stated.lower()) if stated else default
    except ValueError as error:
        known = ", ".join(Trust)
        raise RecordError(Reason.UNKNOWN_VALUE, f"trust is one of {known}") from error


def _digest(parts: tuple[str, ...]) -> str:
    return sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
