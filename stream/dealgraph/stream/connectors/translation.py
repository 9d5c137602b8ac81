"""A mapping put to work: from the values of a record to an interaction."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import ActionKind, Role, Side
from dealgraph.stream.clocks import EVENT_KEY
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.event_keys import event_key
from dealgraph.stream.connectors.mapping import MAPPABLE, Mapping, TimeMapping
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.statements import CHANNELS, ROLES, SIDES
from dealgraph.stream.connectors.templates import Item, Reads, compile_name, compile_text
from dealgraph.stream.connectors.times import clock_ms, epoch_ms, iso_ms, parse_zone, pattern_ms
from dealgraph.stream.identity import person_id
from dealgraph.stream.interaction import (
    Detail,
    FieldChange,
    Interaction,
    InteractionKind,
    Person,
    Provenance,
    Reason,
    StageChange,
)

_ACTIONS: Final[dict[str, ActionKind | None]] = {"": None} | {
    kind.name.lower(): kind for kind in ActionKind
}
_SIDES: Final = {"": Side.UNKNOWN, **SIDES}
_ROLES: Final = {"": Role.UNKNOWN, **ROLES}

Translates = Callable[[Item, Provenance], Interaction]


class Times(Struct, frozen=True, gc=False):
    """When an item happened, became known and how long it lasted, in ms."""

    occurred_at: int
    recorded_at: int
    duration_ms: int


def compile_mapping(mapping: Mapping, options: Options) -> Translates:
    """Return the translation of items into interactions. It raises RecordError for bad records."""
    defaults = options.defaults()
    kind_of = compile_name(mapping.kind, MAPPABLE, "kind")
    channel_of = compile_name(mapping.channel, CHANNELS, "channel")
    native_id = compile_text(mapping.native_id or _default_id(mapping))
    session = _filled(compile_text(mapping.session), defaults.session)
    opportunity = _filled(compile_text(mapping.opportunity), defaults.opportunity)
    customer = compile_text(mapping.customer)
    rep = _filled(compile_text(mapping.rep), defaults.rep)
    contact, text = compile_text(mapping.contact), compile_text(mapping.text)
    language = compile_text(mapping.language)
    action = compile_name(mapping.action, _ACTIONS, "action")
    actor = _compile_actor(mapping, options)
    times = _compile_times(mapping, defaults.started_at)
    detail = _compile_detail(mapping)
    attributes = [(name, compile_text(value)) for name, value in mapping.attributes.items()]
    event = compile_text(mapping.event)
    synthetic = {"time_basis": "order"} if mapping.time.format == "order" else {}
    source, basis, roster = mapping.source, mapping.consent_basis, options.roster

    def translate(item: Item, provenance: Provenance) -> Interaction:
        kind, who, when = kind_of(item), actor(item), times(item)
        subject, holder, seen = contact(item), rep(item), event(item)
        facts = synthetic | {name: read(item) for name, read in attributes}
        if seen:
            facts[EVENT_KEY] = event_key(seen, when.occurred_at)
        return Interaction(
            source=source,
            native_id=native_id(item),
            kind=kind,
            channel=channel_of(item),
            occurred_at=when.occurred_at,
            recorded_at=when.recorded_at,
            duration_ms=when.duration_ms,
            actor=who,
            session=session(item),
            opportunity=opportunity(item),
            customer=customer(item) or roster.customer_of(who.native_id) or defaults.customer,
            contact=person_id(source, subject) if subject else "",
            rep=person_id(source, holder) if holder else "",
            text=text(item),
            language=language(item),
            action_kind=action(item),
            provenance=provenance,
            consent_basis=basis,
            attributes=facts,
            detail=detail(kind, item),
        )

    return translate


def _default_id(mapping: Mapping) -> str:
    return "{@file}#{@row}.{@item}" if mapping.records else "{@file}#{@row}"


def _filled(read: Reads, default: str) -> Reads:
    return (lambda item: read(item) or default) if default else read


def _compile_actor(mapping: Mapping, options: Options) -> Callable[[Item], Person]:
    stated = mapping.actor
    id_of, name_of = compile_text(stated.id), compile_text(stated.name)
    side_of = compile_name(stated.side, _SIDES, "side")
    role_of = compile_name(stated.role, _ROLES, "role")
    roster, source = options.roster, mapping.source

    def actor(item: Item) -> Person:
        native_id, name = id_of(item), name_of(item)
        if native_id:
            found = roster.person(source, native_id, name)
        else:
            found = roster.speaker(name) if name else None
        if found is not None and found.confidence > 0:
            return found
        side = side_of(item)
        if not native_id or side is Side.UNKNOWN:
            return Person(name=name or native_id)
        return Person(side, person_id(source, native_id), name, role_of(item), 1.0)

    return actor


def _compile_detail(mapping: Mapping) -> Callable[[InteractionKind, Item], Detail | None]:
    stage, previous = compile_text(mapping.stage), compile_text(mapping.previous_stage)
    change = mapping.field
    name = compile_text(change.name if change else "")
    value = compile_text(change.value if change else "")
    before = compile_text(change.previous if change else "")

    def detail(kind: InteractionKind, item: Item) -> Detail | None:
        if kind is InteractionKind.STAGE_CHANGE:
            return StageChange(_needed(stage(item), "stage"), previous(item))
        if kind is InteractionKind.FIELD_CHANGE:
            return FieldChange(_needed(name(item), "field name"), value(item), before(item))
        return None

    return detail


def _needed(value: str, what: str) -> str:
    if not value:
        raise RecordError(Reason.MISSING_FIELD, f"the {what} is empty")
    return value


def _compile_times(mapping: Mapping, started_at: int | None) -> Callable[[Item], Times]:
    stated = mapping.time
    if stated.start and started_at is None:
        started_at = iso_ms(stated.start)
    start, duration = started_at or 0, _compile_duration(mapping)
    if stated.format == "order":
        step, row_step = stated.step_ms, stated.row_step_ms

        def by_order(item: Item) -> Times:
            at = start + (item.row - 1) * step
            if item.item:
                at = start + (item.row - 1) * row_step + (item.item - 1) * step
            return Times(at, 0, duration(item))

        return by_order
    return _compile_written(stated, _reader(stated, start), duration)


def _compile_written(
    stated: TimeMapping, parse: Callable[[str], int], duration: Callable[[Item], int]
) -> Callable[[Item], Times]:
    time_of = compile_text(stated.source)
    end_of = compile_text(stated.end) if stated.end else None
    recorded_of = compile_text(stated.recorded) if stated.recorded else None

    def written(item: Item) -> Times:
        source = time_of(item)
        at = _parse(parse, source)
        lasted = duration(item)
        if end_of is not None and (end := end_of(item)):
            lasted = max(_parse(parse, end) - at, 0)
        recorded = 0
        if recorded_of is not None and (known := recorded_of(item)):
            recorded = at if known == source else _parse(parse, known)
        return Times(at, recorded, lasted)

    return written


def _compile_duration(mapping: Mapping) -> Callable[[Item], int]:
    if mapping.duration is None:
        return lambda item: 0
    read = compile_text(mapping.duration.source)
    unit = 1_000 if mapping.duration.unit == "s" else 1

    def duration(item: Item) -> int:
        text = read(item)
        return max(_parse(lambda value: epoch_ms(value, unit), text), 0) if text else 0

    return duration


def _reader(stated: TimeMapping, start: int) -> Callable[[str], int]:
    zone, form = parse_zone(stated.zone), stated.format
    if form == "offset":
        return lambda text: start + clock_ms(text)
    if form in ("epoch_s", "epoch_ms"):
        unit = 1_000 if form == "epoch_s" else 1
        return lambda text: epoch_ms(text, unit)
    if form == "iso":
        return lambda text: iso_ms(text, zone)
    return lambda text: pattern_ms(text, form, zone)


def _parse(parse: Callable[[str], int], text: str) -> int:
    if not text:
        raise RecordError(Reason.BAD_TIMESTAMP, "the time is empty")
    try:
        return parse(text)
    except (ValueError, OverflowError) as error:
        raise RecordError(Reason.BAD_TIMESTAMP, str(error)[:200]) from error
