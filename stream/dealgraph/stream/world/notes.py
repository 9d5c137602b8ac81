"""What is noted rather than said: changes in the CRM, logged activities, consent, people with two ids."""

from collections.abc import Iterator
from typing import Final

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.calendar import DAY_MS
from dealgraph.stream.interaction import (
    ConsentChange,
    Entity,
    FieldChange,
    Interaction,
    InteractionKind,
    Merge,
    Person,
    Purpose,
    StageChange,
)
from dealgraph.stream.world.deal import Deal, Slot, SlotKind
from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.event import Event
from dealgraph.stream.world.paths import ACTIVITIES
from dealgraph.stream.world.people import Rep
from dealgraph.stream.world.scenario import Disorder
from dealgraph.stream.world.schedule import stage_name

_SYSTEM: Final = Person(Side.SYSTEM)
_STATED: Final = "stated"
_SPOKEN: Final = (Channel.VOICE,)
_HISTORY_DAYS: Final = 200
_LATE_MERGE_DAYS: Final = 20.0


def note(deal: Deal, slot: Slot, previous_stage: str) -> Event:
    """Return what the rep notes at a slot of the CRM."""
    detail: StageChange | FieldChange | None = None
    kind, attributes = InteractionKind.ACTIVITY, {}
    if slot.kind is SlotKind.STAGE:
        kind, detail = (
            InteractionKind.STAGE_CHANGE,
            StageChange(stage_name(slot.code), previous_stage),
        )
    elif slot.kind is SlotKind.FIELD:
        name, _, value = slot.value.partition("=")
        kind, detail = InteractionKind.FIELD_CHANGE, FieldChange(name, value)
    else:
        attributes = {"activity": ACTIVITIES[slot.code], "state": slot.value}
    interaction = _crm(deal, f"{deal.key}/{slot.number}", kind, slot.at, detail, attributes)
    return Event(interaction, slot.at, slot.number)


def _crm(
    deal: Deal,
    native_id: str,
    kind: InteractionKind,
    at: int,
    detail: StageChange | FieldChange | None,
    attributes: dict[str, str],
) -> Interaction:
    return Interaction(
        source="crm",
        native_id=native_id,
        kind=kind,
        channel=Channel.CRM,
        occurred_at=at,
        actor=deal.rep.person,
        opportunity=deal.id,
        customer=deal.customer.id,
        rep=deal.rep.id,
        attributes=attributes,
        detail=detail,
    )


def history(deal: Deal) -> Iterator[Event]:
    """Yield the earlier deal of a customer that buys again, as the CRM remembers it."""
    if not deal.has_history:
        return
    at = deal.course.opened - _HISTORY_DAYS * DAY_MS
    old = f"{deal.id}-earlier"
    for number, stage in enumerate(("Won", "Onboarding")):
        interaction = Interaction(
            source="crm",
            native_id=f"{deal.key}/earlier/{number}",
            kind=InteractionKind.STAGE_CHANGE,
            channel=Channel.CRM,
            occurred_at=at + number * 10 * DAY_MS,
            actor=deal.rep.person,
            opportunity=old,
            customer=deal.customer.id,
            rep=deal.rep.id,
            detail=StageChange(stage),
        )
        yield Event(interaction, deal.course.opened, -1)


def merges(deal: Deal, disorder: Disorder, draws: Draws) -> Iterator[Event]:
    """Yield who turns out to be one person, at the start of the deal or late."""
    for contact in deal.customer.contacts:
        if not contact.has_two_ids:
            continue
        arrives = deal.course.opened
        if draws.chance(disorder.late_merges):
            arrives += round(draws.between(2.0, _LATE_MERGE_DAYS) * DAY_MS)
        detail = Merge(contact.mail, contact.chat, Side.CUSTOMER)
        interaction = _merge(deal, detail, deal.course.opened)
        yield Event(interaction, arrives, -1)


def account_merge(deal: Deal, disorder: Disorder, draws: Draws) -> Event | None:
    """Return the merge of the customer's account with the main one, if it turns out to be a double."""
    if not draws.chance(disorder.account_merges):
        return None
    at = deal.course.opened + round(draws.between(5.0, 25.0) * DAY_MS)
    main = f"{deal.customer.id}-main"
    return Event(
        _merge(deal, Merge(deal.customer.id, main, Side.UNKNOWN, Entity.CUSTOMER), at), at, -1
    )


def _merge(deal: Deal, detail: Merge, at: int) -> Interaction:
    return Interaction(
        source=_STATED,
        native_id=f"merge/{deal.key}/{detail.other_native_id}",
        kind=InteractionKind.MERGE,
        channel=Channel.CRM,
        occurred_at=at,
        actor=_SYSTEM,
        detail=detail,
    )


def consents(rep: Rep, *, opted_out: bool, at: int) -> Iterator[Event]:
    """Yield what a rep says about being recorded, before the world begins.

    Who takes part grants all purposes for voice; who does not withdraws capture on every channel.
    """
    channels = tuple(Channel)[:3] if opted_out else _SPOKEN
    purposes = (Purpose.CAPTURE,) if opted_out else tuple(Purpose)
    for channel in channels:
        for purpose in purposes:
            interaction = Interaction(
                source=_STATED,
                native_id=f"consent/{rep.id}/{channel.name}/{purpose.name}",
                kind=InteractionKind.CONSENT,
                channel=channel,
                occurred_at=at,
                actor=rep.person,
                rep=rep.id,
                consent_basis="works agreement",
                detail=ConsentChange(rep.id, channel, purpose, not opted_out),
            )
            yield Event(interaction, at, -1)
