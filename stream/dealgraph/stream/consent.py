"""Consent: who allows what, on which channel, since when.

The rules, for an interaction on channel C at event time t and a purpose P:

1. Kinds that only say what changed (consent, merge, split, clock, recall, delete, stage) are always
   allowed, as long as they hold no text. The value of a field may be words: its change is not among them.
2. Nobody who takes part (the rep who holds the conversation, the actor, the contact, the recipients)
   may have withdrawn C and P.
3. Where the policy does not cover a side for C and P from the start, each rep or contact of that side
   must have granted it; on a channel where reps must grant, somebody must be named as the rep.

4. A person who was erased has withdrawn everything at that time.

A purpose needs the lesser ones too: emotion needs analysis, analysis needs capture. A statement
holds from its event time on until the next; of two at the same time the withdrawal wins. People are
the same under all their ids. A speaker whom nobody mapped is no person: then the rep's consent counts.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import Channel, NodeKind, NodeRef, Side
from dealgraph.stream.identity import Identities, person_id, person_ref
from dealgraph.stream.interaction import (
    STATEMENTS,
    ConsentChange,
    Interaction,
    InteractionKind,
    Purpose,
)

ERASED: Final = "ERASED"
NO_REP: Final = "NO_REP"
NO_GRANT: Final = "NO_GRANT"
WITHDRAWN: Final = "WITHDRAWN"

EXPLANATIONS: Final = {
    NO_REP: "this channel needs a rep's consent, and no rep is named: set rep_id",
    NO_GRANT: "a person who takes part had not granted this channel and purpose at that time; "
    "publish a CONSENT interaction that covers it first",
    ERASED: "it names a person who asked to be erased: nothing from before that is taken in, and nothing "
    "after it without a new consent",
    WITHDRAWN: "a person who takes part had withdrawn this channel and purpose at that time",
}
"""What each refusal means, for people."""

_WORDLESS: Final = STATEMENTS | {InteractionKind.STAGE_CHANGE}
_ALL: Final = frozenset(Purpose)
_MOST_REMEMBERED: Final = 1 << 16

_Covered = Mapping[Channel, frozenset[Purpose]]
_Course = tuple[tuple[int, ...], tuple[str | None, ...]]


def _all_but_voice() -> _Covered:
    return {channel: _ALL for channel in Channel if channel is not Channel.VOICE}


def _everything() -> _Covered:
    return dict.fromkeys(Channel, _ALL)


class ConsentPolicy(Struct, frozen=True):
    """The purposes that are covered per channel until somebody withdraws them.

    By default reps must grant voice, for every purpose, and nothing else. Customers are covered by
    the notice they are given: they need not grant anything, and may withdraw everything.
    """

    reps: Mapping[Channel, frozenset[Purpose]] = field(default_factory=_all_but_voice)
    customers: Mapping[Channel, frozenset[Purpose]] = field(default_factory=_everything)

    def covers(self, kind: NodeKind, channel: Channel, purpose: Purpose) -> bool:
        """Say whether people of this kind (reps or contacts) need not grant this one purpose."""
        covered = self.reps if kind is NodeKind.REP else self.customers
        return purpose in covered.get(channel, ())


class ConsentLedger:
    """All that people stated, and what follows for an interaction."""

    def __init__(
        self,
        policy: ConsentPolicy,
        identities: Identities,
        erased_at: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self._policy = policy
        self._identities = identities
        self._erased_at = erased_at
        self._stated: dict[tuple[str, Channel, Purpose], list[tuple[int, bool]]] = {}
        self._remembered: dict[tuple[object, ...], list[_Course]] = {}
        self._version = identities.version

    def record(self, change: ConsentChange, at: int, source: str) -> None:
        """Note what a person stated at event time `at`; saying it twice changes nothing."""
        key = (person_id(source, change.subject), change.channel, change.purpose)
        self._stated.setdefault(key, []).append((at, not change.granted))
        self._remembered.clear()

    def refusal(self, interaction: Interaction, purpose: Purpose) -> str | None:
        """Return why the interaction may not be used for `purpose`, None when it may.

        The reason is NO_REP, NO_GRANT or WITHDRAWN.
        """
        i = interaction
        if i.kind in _WORDLESS and not i.text:
            return None
        if self._version != self._identities.version or len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.clear()
            self._version = self._identities.version
        # The same few people talk for a while: one look-up finds what follows for all of them.
        actor = i.actor
        key = (
            i.source,
            actor.side,
            actor.native_id,
            i.rep,
            i.contact,
            i.recipients,
            i.channel,
            purpose,
        )
        courses = self._remembered.get(key)
        if courses is None:
            courses = self._remembered[key] = self._courses(i, purpose)
        refused = None
        for times, verdicts in courses:
            refused = verdicts[bisect_right(times, i.occurred_at)] or refused
        return refused

    def has_granted_since(self, person: str, at: int) -> bool:
        """Say whether a person under this id granted anything after event time `at`."""
        return any(
            not withdrawn and then > at
            for (subject, *_), said in self._stated.items()
            if subject == person
            for then, withdrawn in said
        )

    def _said(
        self, member: NodeRef, channel: Channel, purpose: Purpose
    ) -> Sequence[tuple[int, bool]]:
        return self._stated.get((member.id, channel, purpose), ())

    def _courses(self, interaction: Interaction, purpose: Purpose) -> list[_Course]:
        """Return the courses of those who take part, without those that always allow."""
        channel, people = interaction.channel, _parties(interaction)
        courses = [self._course(ref, channel, purpose) for ref in people]
        if not any(ref.kind is NodeKind.REP for ref in people) and any(
            not self._policy.covers(NodeKind.REP, channel, p) for p in _needed(purpose)
        ):
            courses.insert(0, ((), (NO_REP,)))
        return [course for course in courses if any(course[1])]

    def _course(self, ref: NodeRef, channel: Channel, purpose: Purpose) -> _Course:
        """Return the times at which a person's state changes, and the states around them."""
        needed = _needed(purpose)
        members = self._identities.members(ref)
        erased = [at for member in members if (at := self._erased_at(member.id)) is not None]
        stated = sorted(
            (at, withdrawn, p)
            for p in needed
            for at, withdrawn in (
                *(said for member in members for said in self._said(member, channel, p)),
                *((at, True) for at in erased),
            )
        )
        state: dict[Purpose, str | None] = {
            p: None if self._policy.covers(ref.kind, channel, p) else NO_GRANT for p in needed
        }
        verdicts = [_worst(state)]
        for _, withdrawn, p in stated:
            state[p] = WITHDRAWN if withdrawn else None
            verdicts.append(_worst(state))
        return tuple(at for at, *_ in stated), tuple(verdicts)


def _parties(interaction: Interaction) -> list[NodeRef]:
    """Return the people who take part, as far as they are known, in a fixed order."""
    source = interaction.source
    named = [
        (Side.REP, interaction.rep),
        (Side.CUSTOMER, interaction.contact),
        *((p.side, p.native_id) for p in (interaction.actor, *interaction.recipients)),
    ]
    refs = {person_ref(side, source, native_id) for side, native_id in named}
    return sorted(ref for ref in refs if ref is not None)


def _needed(purpose: Purpose) -> list[Purpose]:
    return [lesser for lesser in Purpose if lesser <= purpose]


def _worst(state: Mapping[Purpose, str | None]) -> str | None:
    reasons = set(state.values())
    return next((reason for reason in (WITHDRAWN, NO_GRANT) if reason in reasons), None)
