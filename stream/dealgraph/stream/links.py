"""Links that a source states of an id: the rules by which ids are merged without asking anybody.

An interaction may say in its attributes under which mail address, telephone number or id of another system
its contact, rep, customer or opportunity is known. That is a fact of the source, so it becomes a merge of its
own in the log, with the rule's name, and can be split again.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.identity import e164
from dealgraph.stream.interaction import (
    Entity,
    Interaction,
    InteractionKind,
    Merge,
    Person,
    Provenance,
)

SOURCE: Final = "dealgraph.identity"
"""Source of merges and splits that dealgraph itself or a curator states."""

ALWAYS: Final = 631_152_000_000
"""Event time of a link, the earliest there is: it held before anybody said so, and any split is later."""

_PEOPLE: Final = {
    "contact_mail": Side.CUSTOMER,
    "contact_phone": Side.CUSTOMER,
    "contact_crm_id": Side.CUSTOMER,
    "rep_mail": Side.REP,
    "rep_phone": Side.REP,
    "rep_crm_id": Side.REP,
}
_OTHERS: Final = {
    "customer_crm_id": Entity.CUSTOMER,
    "opportunity_crm_id": Entity.OPPORTUNITY,
}
LINKS: Final = frozenset((*_PEOPLE, *_OTHERS))
"""Names of attributes that link an id with another."""


def links_of(interaction: Interaction) -> list[Interaction]:
    """Return the merges that an interaction's attributes state, as interactions of their own."""
    attributes = interaction.attributes
    if LINKS.isdisjoint(attributes):
        return []
    return [
        link
        for name in sorted(LINKS.intersection(attributes))
        if (link := _link(interaction, name, attributes[name].strip())) is not None
    ]


def linked_people(attributes: Mapping[str, str]) -> list[str]:
    """Return the ids of people that attributes link with others; one without a namespace stays so."""
    return [
        id_
        for name in sorted(_PEOPLE.keys() & attributes.keys())
        if (id_ := _linked_id(name, attributes[name].strip()))
    ]


def _linked_id(name: str, value: str) -> str:
    if name.endswith("_mail"):
        return f"mail:{value}" if "@" in value else ""
    if name.endswith("_phone"):
        number = e164(value)
        return f"tel:{number}" if number else ""
    return value


def _link(i: Interaction, name: str, value: str) -> Interaction | None:
    side, entity = _PEOPLE.get(name, Side.UNKNOWN), _OTHERS.get(name, Entity.PERSON)
    value = _linked_id(name, value)
    if entity is Entity.PERSON:
        own = _person(i, side)
    else:
        own = i.customer if entity is Entity.CUSTOMER else i.opportunity
    if not own or not value or own == value:
        return None
    raw = "\x1f".join((i.source, name, own, value)).encode("utf-8", "surrogatepass")
    return Interaction(
        source=i.source,
        native_id=f"link:{hashlib.sha256(raw).hexdigest()[:32]}",
        kind=InteractionKind.MERGE,
        channel=Channel.CRM,
        occurred_at=ALWAYS,
        actor=Person(Side.SYSTEM),
        provenance=Provenance(parser="links", position=i.provenance.position or i.native_id),
        detail=Merge(own, value, side, entity, 1.0, name),
    )


def _person(i: Interaction, side: Side) -> str:
    """Return the id that a link of this side speaks of: the contact or rep, else the actor."""
    named = i.contact if side is Side.CUSTOMER else i.rep
    return named or (i.actor.native_id if i.actor.side is side else "")
