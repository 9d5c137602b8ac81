"""What it means to erase a person: which interactions go, and what is taken out of those that stay.

What the person said, wrote or stated goes whole, and so does what was recorded of the person alone. Where
others speak, the person's ids, addresses, telephone numbers and, in conversations that the person took part
in, names are taken out; the words of others stay. All here is pure.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dealgraph.stream.identity import person_id
from dealgraph.stream.interaction import (
    NOBODY,
    ConsentChange,
    Detail,
    Entity,
    FieldChange,
    Interaction,
    InteractionKind,
    Merge,
    Person,
    Recall,
    Split,
)
from dealgraph.stream.links import linked_people

ERASED: Final = "[erased]"
"""What stands in a text where a name or an address stood."""

REQUEST: Final = "request"
SUBJECT: Final = "subject"
"""Attributes of a DELETE by which a source asks for erasure: `request` is "erasure", `subject` the person."""

_SHORTEST_ID: Final = 4
"""An id that is shorter names nobody by itself, and would be found in too many other words."""

_ABOUT: Final = frozenset(
    {
        InteractionKind.FIELD_CHANGE,
        InteractionKind.STAGE_CHANGE,
        InteractionKind.METRIC,
        InteractionKind.ACTIVITY,
        InteractionKind.DELETE,
        InteractionKind.RECALL,
    }
)
"""Kinds that are of a person alone when they name a contact and no opportunity."""


class Subject(Struct, frozen=True):
    """A person to be erased: all ids, the names used, and the conversations that the person took part in."""

    ids: tuple[str, ...]
    names: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    opportunities: tuple[str, ...] = ()


class Footprint:
    """Gathers the names and conversations of a person from interactions."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids = frozenset(ids)
        self._names: set[str] = set()
        self._sessions: set[str] = set()
        self._opportunities: set[str] = set()

    def add(self, interaction: Interaction) -> None:
        """Look at an interaction."""
        if self._ids.isdisjoint(people_in(interaction)):
            return
        self._sessions.add(interaction.session)
        self._opportunities.add(interaction.opportunity)
        for person in (interaction.actor, *interaction.recipients):
            if person.native_id and person_id(interaction.source, person.native_id) in self._ids:
                self._names.add(person.name.strip())

    def subject(self) -> Subject:
        """Return what was gathered."""
        return Subject(
            tuple(sorted(self._ids)),
            # The longest first: "Li Na Wang" must not leave "Wang" behind.
            tuple(sorted(filter(_is_name, self._names), key=lambda name: (-len(name), name))),
            tuple(sorted(self._sessions - {""})),
            tuple(sorted(self._opportunities - {""})),
        )


def people_in(interaction: Interaction) -> set[str]:
    """Return the ids of all people whom an interaction names, as nodes have them."""
    source = interaction.source
    named = [interaction.actor.native_id, interaction.contact, interaction.rep]
    named += [person.native_id for person in interaction.recipients]
    if interaction.attributes:
        named += linked_people(interaction.attributes)
        named.append(interaction.attributes.get(SUBJECT, ""))
    return {person_id(source, id_) for id_ in (*named, *_stated_of(interaction.detail)) if id_}


def _stated_of(detail: Detail | None) -> tuple[str, ...]:
    """Return the ids of the people of whom a detail states something."""
    if isinstance(detail, ConsentChange):
        return (detail.subject,)
    if isinstance(detail, Merge | Split) and detail.entity is Entity.PERSON:
        return (detail.native_id, detail.other_native_id)
    return ()


class Eraser:
    """Erases one person. `secret` makes names for what must keep one, and nobody can guess them back."""

    def __init__(self, subject: Subject, secret: str) -> None:
        self._ids = frozenset(subject.ids)
        self._names = frozenset(subject.names)
        self._sessions = frozenset(subject.sessions)
        self._opportunities = frozenset(subject.opportunities)
        self._secret = secret.encode()
        self._addresses = _pattern(map(_address_pattern, subject.ids))
        self._called = _pattern(map(_name_pattern, subject.names))

    def concerns(self, text: str) -> bool:
        """Say whether a text from anywhere holds an id, an address or a name of the person."""
        return bool(self._addresses.search(text) or self._called.search(text))

    def without(self, text: str) -> str:
        """Return a text from anywhere without ids, addresses and names of the person."""
        return self._called.sub(ERASED, self._addresses.sub(ERASED, text))

    def erased(self, interaction: Interaction) -> Interaction | None:
        """Return what stays of an interaction, None when nothing does; itself when all does."""
        i = interaction
        near = i.session in self._sessions or i.opportunity in self._opportunities
        if self._is_own(i, near) or self._is_about(i):
            return None
        words = self.without if near else self._without_addresses
        provenance = replace(
            i.provenance, raw_sha256="", position=self.without(i.provenance.position)
        )
        bare = replace(
            i,
            native_id=self._hidden(i.native_id),
            session=self._hidden(i.session),
            opportunity=self._hidden(i.opportunity),
            customer=self._hidden(i.customer),
            contact="" if self._is_person(i.source, i.contact) else i.contact,
            rep="" if self._is_person(i.source, i.rep) else i.rep,
            recipients=tuple(one for one in i.recipients if not self._is(i.source, one, near)),
            text=words(i.text) if i.text else "",
            attributes={name: words(value) for name, value in i.attributes.items()},
            detail=self._detail(i.detail, words),
        )
        return i if bare == i else replace(bare, provenance=provenance)

    def _is_own(self, i: Interaction, near: bool) -> bool:
        stated = (*_stated_of(i.detail), i.attributes.get(SUBJECT, ""))
        return self._is(i.source, i.actor, near) or any(
            self._is_person(i.source, id_) for id_ in stated
        )

    def _is_about(self, i: Interaction) -> bool:
        alone = i.kind in _ABOUT and not i.opportunity
        return alone and self._is_person(i.source, i.contact)

    def _is(self, source: str, person: Person, near: bool) -> bool:
        if person.native_id:
            return self._is_person(source, person.native_id)
        return near and person != NOBODY and person.name.strip() in self._names

    def _is_person(self, source: str, native_id: str) -> bool:
        return bool(native_id) and person_id(source, native_id) in self._ids

    def _detail(self, detail: Detail | None, words: Callable[[str], str]) -> Detail | None:
        if isinstance(detail, FieldChange):
            values = words(detail.value), words(detail.previous_value)
            return FieldChange(detail.field, *values)
        if isinstance(detail, Recall):
            return Recall(self._hidden(detail.native_id), detail.part)
        return detail

    def _hidden(self, name: str) -> str:
        """Return the name of something, another one when it holds an id of the person."""
        if not name or not self._addresses.search(name):
            return name
        return f"erased:{keyed(name, self._secret.decode())}"

    def _without_addresses(self, text: str) -> str:
        return self._addresses.sub(ERASED, text)


def keyed(text: str, secret: str) -> str:
    """Return a digest of a text that nobody can make or test without the secret."""
    found = hmac.new(secret.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return found.hexdigest()[:32]


_NOTHING: Final = re.compile(r"(?!)")


def _pattern(parts: Iterable[str]) -> re.Pattern[str]:
    known = [part for part in parts if part]
    return re.compile("|".join(known), re.IGNORECASE) if known else _NOTHING


def _address_pattern(id_: str) -> str:
    """Return a pattern that finds an id in a text, with its namespace or without."""
    namespace, _, native = id_.partition(":")
    if namespace == "tel":
        digits = r"[ ().\-/]*".join(native.removeprefix("+"))
        return rf"(?<!\d)(?:\+|00)?{digits}(?!\d)"
    if len(native) < _SHORTEST_ID:
        native = id_
    return rf"(?<![\w.+-]){_quoted(native)}(?![\w-]|\.\w)"


def _name_pattern(name: str) -> str:
    """Return a pattern that finds a name; letters stand alone, Chinese characters never do."""
    before = r"(?<!\w)" if name[0].isascii() else ""
    after = r"(?!\w)" if name[-1].isascii() else ""
    return f"{before}{_quoted(name)}{after}"


def _quoted(text: str) -> str:
    return r"\s+".join(map(re.escape, _pieces(text)))


def _pieces(text: str) -> Iterator[str]:
    yield from text.split() or (text,)


def _is_name(name: str) -> bool:
    """Say whether a name can be looked for: two Chinese characters, or three letters, name somebody."""
    return len(name) >= (3 if name.isascii() else 2)
