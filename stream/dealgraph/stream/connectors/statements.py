"""What an importer states about people, as interactions: consent given, and ids that are one person.

They come before what a file says itself, so that consent is known when it is checked. Their ids are
digests of what they state: stated again, they are duplicates, whatever file or source they come with.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from dealgraph.graph.model import Channel, Role, Side
from dealgraph.stream.connectors.times import iso_ms
from dealgraph.stream.identity import person_id
from dealgraph.stream.interaction import (
    ConsentChange,
    Interaction,
    InteractionKind,
    Merge,
    Person,
    Provenance,
    Purpose,
)

SOURCE: Final = "stated"
"""Source of the interactions that an importer states."""
_PROVENANCE: Final = Provenance(parser="statements", parser_version="1")


class SideName(StrEnum):
    """A side as documents write it."""

    CUSTOMER = "customer"
    REP = "rep"


class ChannelName(StrEnum):
    """A channel as documents write it."""

    VOICE = "voice"
    CHAT = "chat"
    MAIL = "mail"
    CRM = "crm"


class PurposeName(StrEnum):
    """A purpose as documents write it."""

    CAPTURE = "capture"
    ANALYSE = "analyse"
    EMOTION = "emotion"


class RoleName(StrEnum):
    """A role as documents write it."""

    UNKNOWN = "unknown"
    TECH_LEAD = "tech_lead"
    ENGINEER = "engineer"
    ECONOMIC_BUYER = "economic_buyer"
    EXECUTIVE = "executive"
    CHAMPION = "champion"
    USER = "user"
    LEGAL = "legal"
    PROCUREMENT = "procurement"
    INFOSEC = "infosec"


SIDES: Final[Mapping[str, Side]] = {str(name): Side[name.name] for name in SideName}
CHANNELS: Final[Mapping[str, Channel]] = {str(name): Channel[name.name] for name in ChannelName}
ROLES: Final[Mapping[str, Role]] = {str(name): Role[name.name] for name in RoleName}
PURPOSES: Final[Mapping[str, Purpose]] = {str(name): Purpose[name.name] for name in PurposeName}


class Grant(Struct, frozen=True, forbid_unknown_fields=True):
    """A person has granted consent for a channel and some purposes.

    `subject` is a namespaced id or a mail address, `basis` says on what ground, `since` when.
    """

    subject: str
    side: SideName
    channel: ChannelName
    purposes: tuple[PurposeName, ...]
    basis: str
    since: str

    def __post_init__(self) -> None:
        check_person_id(self.subject)
        iso_ms(self.since)
        if not self.purposes:
            raise ValueError("`purposes` is empty; name capture, analyse or emotion")


def check_person_id(native_id: str) -> None:
    """Raise ValueError unless the id names its namespace or is a mail address."""
    if ":" not in native_id and "@" not in native_id:
        raise ValueError(
            f"the id {native_id!r} does not say where it comes from; write wecom:{native_id}, "
            f"mail:{native_id}@… or the like"
        )


def consent_events(grants: Iterable[Grant]) -> Iterator[Interaction]:
    """Yield a CONSENT interaction for every subject, channel and purpose."""
    for grant in grants:
        subject = person_id("", grant.subject)
        for purpose in sorted(set(grant.purposes)):
            change = ConsentChange(subject, CHANNELS[grant.channel], PURPOSES[purpose], True)
            yield _stated(
                Interaction(
                    source=SOURCE,
                    native_id="consent",
                    kind=InteractionKind.CONSENT,
                    channel=CHANNELS[grant.channel],
                    occurred_at=iso_ms(grant.since, UTC),
                    actor=Person(SIDES[grant.side], subject, confidence=1.0),
                    rep=subject if grant.side is SideName.REP else "",
                    consent_basis=grant.basis,
                    provenance=_PROVENANCE,
                    detail=change,
                )
            )


def merge_event(native_id: str, other: str, side: SideName, since: str) -> Interaction:
    """Return a MERGE interaction: the two namespaced ids are one person."""
    first, second = person_id("", native_id), person_id("", other)
    return _stated(
        Interaction(
            source=SOURCE,
            native_id="merge",
            kind=InteractionKind.MERGE,
            channel=Channel.CRM,
            occurred_at=iso_ms(since, UTC),
            actor=Person(Side.SYSTEM),
            provenance=_PROVENANCE,
            detail=Merge(first, second, SIDES[side]),
        )
    )


def _stated(interaction: Interaction) -> Interaction:
    digest = sha256(msgspec.json.encode(interaction)).hexdigest()
    return msgspec.structs.replace(interaction, native_id=f"{interaction.native_id}/{digest[:32]}")
