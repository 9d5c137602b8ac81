"""How good the data of a channel is, judged by what other sources say of the same deals and people.

The golden record is what counts: which customers and times a deal has, which side and customers a person has,
and which sources said so. A record of a channel is checked against what other sources said until then, so a
channel cannot vouch for itself.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import NodeKind, NodeRef, Side
from dealgraph.stream.channels import Check, Rules
from dealgraph.stream.identity import person_ref
from dealgraph.stream.interaction import STATEMENTS, Interaction

_DAY: Final = 86_400_000
_FUTURE_MS: Final = 300_000
_SHORT: Final = 12
_KEPT_SOURCES: Final = 3


class _Finding(Struct, frozen=True):
    """What was found of one record; `id` is its (native id, part) if it counts already."""

    passed: Mapping[str, bool]
    id: tuple[str, int] | None = None


class _Deal(Struct):
    """What is known of an opportunity: per source its first and last time, and who says which customer."""

    times: dict[str, tuple[int, int]] = field(default_factory=dict)
    customers: dict[str, set[str]] = field(default_factory=dict)


class _Person(Struct):
    """What is known of a person under all ids."""

    sources: set[str] = field(default_factory=set)
    customers: dict[str, set[str]] = field(default_factory=dict)


class GoldenRecord:
    """What counts of deals and people. `members` returns all ids of the person behind an id."""

    def __init__(self, members: Callable[[NodeRef], Iterable[NodeRef]]) -> None:
        self.members = members
        self._deals: defaultdict[str, _Deal] = defaultdict(_Deal)
        self._customers: defaultdict[str, set[str]] = defaultdict(set)
        self._people: defaultdict[NodeRef, _Person] = defaultdict(_Person)

    def add(self, i: Interaction) -> None:
        """Take an interaction that counts."""
        if i.kind in STATEMENTS:
            return
        if i.opportunity:
            deal = self._deals[i.opportunity]
            at = i.occurred_at
            first, last = deal.times.get(i.source, (at, at))
            if i.source in deal.times or len(deal.times) < _KEPT_SOURCES:
                deal.times[i.source] = (min(first, at), max(last, at))
            if i.customer:
                _note(deal.customers.setdefault(i.customer, set()), i.source)
        if i.customer:
            _note(self._customers[i.customer], i.source)
        for ref in people_of(i):
            person = self._people[ref]
            _note(person.sources, i.source)
            if i.customer and ref.kind is NodeKind.CONTACT:
                _note(person.customers.setdefault(i.customer, set()), i.source)

    def knows_place(self, i: Interaction) -> bool:
        """Say whether another source knows the deal, or without one the customer."""
        if i.opportunity:
            deal = self._deals.get(i.opportunity)
            return deal is not None and _others(deal.times, i.source)
        return _others(self._customers.get(i.customer, set()), i.source)

    def knows_people(self, i: Interaction) -> bool:
        """Say whether another source knows all people who are named, and who acted is named."""
        refs = people_of(i)
        acts = i.actor.side in (Side.SYSTEM,) or bool(i.actor.native_id and i.actor.side)
        return acts and bool(refs) and all(self._knows(ref, i.source) for ref in refs)

    def agrees(self, i: Interaction) -> bool:
        """Say whether nothing that other sources say contradicts the customer or a person's side."""
        deal = self._deals.get(i.opportunity)
        expected = {i.customer} - {""}
        if deal is not None:
            stated = {name for name, by in deal.customers.items() if _others(by, i.source)}
            if stated and i.customer and i.customer not in stated:
                return False
            expected |= stated
        return all(self._fits(ref, expected, i.source) for ref in people_of(i))

    def fits_in_time(self, i: Interaction, now: int, span_ms: int) -> bool:
        """Say whether the time is not in the future, and near what else is known of the deal."""
        if i.occurred_at > now + _FUTURE_MS:
            return False
        deal = self._deals.get(i.opportunity)
        others = [] if deal is None else [t for by, t in deal.times.items() if by != i.source]
        if not others:
            return True
        first, last = min(t[0] for t in others), max(t[1] for t in others)
        return first - span_ms <= i.occurred_at <= last + span_ms

    def _knows(self, ref: NodeRef, source: str) -> bool:
        return any(_others(person.sources, source) for person in self._behind(ref))

    def _fits(self, ref: NodeRef, customers: set[str], source: str) -> bool:
        other_side = NodeKind.REP if ref.kind is NodeKind.CONTACT else NodeKind.CONTACT
        if self._knows(NodeRef(other_side, ref.id), source) and not self._knows(ref, source):
            return False
        stated = {
            name
            for person in self._behind(ref)
            for name, by in person.customers.items()
            if _others(by, source)
        }
        return not stated or not customers or bool(stated & customers)

    def _behind(self, ref: NodeRef) -> list[_Person]:
        known = (self._people.get(member) for member in self.members(ref))
        return [person for person in known if person is not None]


class ChannelQuality:
    """The newest findings per channel."""

    def __init__(self, golden: GoldenRecord, rules: Rules) -> None:
        self.golden = golden
        self._rules = rules
        self._windows: dict[str, deque[_Finding]] = {}
        self._said: dict[str, deque[tuple[str, str, str]]] = {}

    def look(self, i: Interaction, now: int, *, counts: bool) -> None:
        """Check a record of a channel, whether it `counts` or is held."""
        if i.kind in STATEMENTS:
            return
        golden, span = self.golden, self._rules.span_days * _DAY
        self._note(
            i.source,
            {
                "contract": True,
                "mapping": golden.knows_place(i),
                "identity": golden.knows_people(i),
                "agreement": golden.agrees(i),
                "timing": golden.fits_in_time(i, now, span),
                "content": self._is_new(i) and is_readable(i.text),
            },
            (i.native_id, i.part) if counts else None,
        )

    def reject(self, source: str) -> None:
        """Note a record of a channel that could not be taken in."""
        self._note(source, {"contract": False})

    def forget(self, source: str) -> None:
        """Begin anew with a channel."""
        self._windows.pop(source, None)
        self._said.pop(source, None)

    def checks(self, source: str) -> list[Check]:
        """Return the checks of a channel over its newest records."""
        window = self._windows.get(source, ())
        found: list[Check] = []
        for name, bar in self._rules.bars.items():
            findings = [one.passed[name] for one in window if name in one.passed]
            found.append(Check(name, sum(findings), len(findings), bar))
        return found

    def counted_in_error(self, source: str) -> list[tuple[str, int]]:
        """Return (native id, part) of the newest records that count and failed a check."""
        window = self._windows.get(source, ())
        return [one.id for one in window if one.id is not None and not all(one.passed.values())]

    def _note(
        self, source: str, passed: Mapping[str, bool], id_: tuple[str, int] | None = None
    ) -> None:
        window = self._windows.setdefault(source, deque(maxlen=self._rules.window))
        window.append(_Finding(passed, id_))

    def _is_new(self, i: Interaction) -> bool:
        if len(i.text) < _SHORT:
            return True
        said = self._said.setdefault(i.source, deque(maxlen=self._rules.window))
        words = (i.session, i.actor.native_id, i.text)
        again = words in said
        said.append(words)
        return not again


def is_readable(text: str) -> bool:
    """Say whether a text looks like words: few replacement, private or control characters."""
    odd = sum(1 for c in text if c == "\ufffd" or "\ue000" <= c <= "\uf8ff" or c < "\t")
    mojibake = sum(text.count(mark) for mark in ("Ã", "â€", "Â", "锟斤拷", "ï¿½"))
    return (odd + mojibake) * 20 <= len(text)


def people_of(i: Interaction) -> list[NodeRef]:
    """Return who is named on either side, each once."""
    named: Iterable[tuple[Side, str]] = (
        (i.actor.side, i.actor.native_id),
        (Side.REP, i.rep),
        (Side.CUSTOMER, i.contact),
    )
    refs: Iterator[NodeRef | None] = (person_ref(side, i.source, id_) for side, id_ in named)
    return sorted({ref for ref in refs if ref is not None})


def _note(sources: set[str], source: str) -> None:
    """Keep a few sources: enough to tell whether any other one says so."""
    if len(sources) < _KEPT_SOURCES:
        sources.add(source)


def _others(sources: Iterable[str], source: str) -> bool:
    return any(other != source for other in sources)
