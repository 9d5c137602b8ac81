"""The roster: who is behind a speaker label or a native id, as somebody stated it. Nothing is guessed.

A label is looked up as it stands, after Unicode NFC and trimming. Who is not in the roster stays on the
unknown side with confidence 0, and only the label is kept.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from dealgraph.graph.model import Side
from dealgraph.stream.connectors.documents import parse_document, read_document
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.statements import (
    ROLES,
    SIDES,
    ChannelName,
    Grant,
    PurposeName,
    RoleName,
    SideName,
    check_person_id,
    consent_events,
    merge_event,
)
from dealgraph.stream.connectors.times import iso_ms
from dealgraph.stream.identity import person_id
from dealgraph.stream.interaction import Interaction, Person


class RosterPerson(Struct, frozen=True, forbid_unknown_fields=True):
    """A person. `id` and `ids` are namespaced ("wecom:zhangwei") or mail addresses.

    `speakers` are the labels in transcripts, `confidence` in (0, 1] says how sure the mapping is,
    `consent` holds the purposes granted per channel, on the ground `basis`, from `since` on.
    """

    id: str
    side: SideName
    name: str = ""
    role: RoleName = RoleName.UNKNOWN
    customer: str = ""
    speakers: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    confidence: float = 1.0
    consent: Mapping[ChannelName, tuple[PurposeName, ...]] = {}
    basis: str = ""
    since: str = ""

    def __post_init__(self) -> None:
        for native_id in (self.id, *self.ids):
            check_person_id(native_id)
        if not 0 < self.confidence <= 1:
            raise ValueError("`confidence` lies above 0 and at most at 1; leave it out when sure")
        if (self.consent or self.ids) and not self.since:
            raise ValueError("`since` is missing: say since when consent or the ids hold")
        if self.consent and not self.basis:
            raise ValueError("`basis` is missing: say on what ground consent was given")
        if self.since:
            iso_ms(self.since)


class RosterDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A roster as it is written in YAML. What names no person fills what the source leaves open."""

    people: tuple[RosterPerson, ...] = ()
    customer_domains: tuple[str, ...] = ()
    rep_domains: tuple[str, ...] = ()
    session: str = ""
    opportunity: str = ""
    customer: str = ""
    rep: str = ""
    started_at: str = ""
    event: str = ""

    def __post_init__(self) -> None:
        if self.started_at:
            iso_ms(self.started_at)


class Defaults(Struct, frozen=True, gc=False):
    """What fills the places that a source leaves open. `started_at` is in ms since 1970 UTC."""

    session: str = ""
    opportunity: str = ""
    customer: str = ""
    rep: str = ""
    started_at: int | None = None
    event: str = ""


class Roster:
    """Finds people by speaker label or native id, and tells what was stated about them."""

    def __init__(self, document: RosterDocument | None = None) -> None:
        document = document or RosterDocument()
        self.document = document
        self._people = document.people
        self._by_label: dict[str, RosterPerson] = {}
        self._by_id: dict[str, RosterPerson] = {}
        for person in document.people:
            for label in person.speakers:
                self._note(self._by_label, normal_label(label), person, "speaker")
            for native_id in (person.id, *person.ids):
                self._note(self._by_id, person_id("", native_id), person, "id")
        self._domains = _domains(document)
        self.defaults = Defaults(
            session=document.session,
            opportunity=document.opportunity,
            customer=document.customer,
            rep=document.rep,
            started_at=iso_ms(document.started_at) if document.started_at else None,
            event=document.event,
        )

    @staticmethod
    def _note(index: dict[str, RosterPerson], key: str, person: RosterPerson, what: str) -> None:
        other = index.setdefault(key, person)
        if other is not person:
            raise SourceError(
                f"The roster gives the {what} {key!r} to {other.id} and to {person.id}; keep one."
            )

    def speaker(self, label: str) -> Person:
        """Return the person behind a label of a transcript; on the unknown side when unmapped."""
        label = normal_label(label)
        found = self._by_label.get(label)
        if found is None:
            return Person(name=label)
        return _person(found, person_id("", found.id), label)

    def knows(self, label: str) -> bool:
        """Say whether somebody has this label."""
        return normal_label(label) in self._by_label

    def person(self, source: str, native_id: str, name: str = "") -> Person | None:
        """Return the person with a native id at a source, None when nobody stated who that is."""
        key = person_id(source, native_id)
        found = self._by_id.get(key)
        if found is not None:
            return _person(found, key, name)
        side = self._domains.get(key.rpartition("@")[2]) if "@" in key else None
        return Person(side, key, name, confidence=1.0) if side is not None else None

    def customer_of(self, native_id: str) -> str:
        """Return the customer that a person of the roster works for, "" when not stated."""
        found = self._by_id.get(native_id)
        return found.customer if found is not None else ""

    def events(self) -> Iterator[Interaction]:
        """Yield what the roster states as interactions: merges, then consent for every id."""
        for person in self._people:
            for other in person.ids:
                yield merge_event(person.id, other, person.side, person.since)
        yield from consent_events(self._grants())

    def _grants(self) -> Iterator[Grant]:
        for person in self._people:
            for native_id in (person.id, *person.ids):
                for channel, purposes in person.consent.items():
                    if purposes:
                        yield Grant(
                            native_id, person.side, channel, purposes, person.basis, person.since
                        )


def load_roster(path: Path) -> Roster:
    """Return the roster in a YAML file. Raises SourceError that says line, field and fix."""
    return Roster(read_document(path, RosterDocument, "roster"))


def parse_roster(text: str) -> Roster:
    """Return a roster written as YAML text. Raises SourceError like `load_roster`."""
    return Roster(parse_document(text.encode(), RosterDocument, "roster"))


def normal_label(label: str) -> str:
    """Return a speaker label in the form in which labels are compared: NFC, trimmed."""
    return unicodedata.normalize("NFC", label).strip()


def _person(found: RosterPerson, native_id: str, name: str) -> Person:
    return Person(
        side=SIDES[found.side],
        native_id=native_id,
        name=found.name or name,
        role=ROLES[found.role],
        confidence=found.confidence,
    )


def _domains(document: RosterDocument) -> dict[str, Side]:
    sides: dict[str, Side] = {}
    stated: Sequence[tuple[Sequence[str], Side]] = (
        (document.customer_domains, Side.CUSTOMER),
        (document.rep_domains, Side.REP),
    )
    for domains, side in stated:
        for domain in domains:
            name = domain.strip().lower().lstrip("@")
            if sides.setdefault(name, side) is not side:
                raise SourceError(f"The roster puts the domain {name} on both sides; keep one.")
    return sides
