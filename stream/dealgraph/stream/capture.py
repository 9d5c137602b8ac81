"""How much of what happened reached dealgraph, and how much of that the customer relationship system lists.

Two records of the same work are laid side by side: conversations as they were captured (calls, chats, mails)
and the activities that reps list afterwards. A listed activity and a conversation are one when they share
an event key, else a session, else rep and opportunity within half an hour; each is used once.
"""

from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import Final

from msgspec import Struct, field

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.clocks import EVENT_KEY
from dealgraph.stream.interaction import STATEMENTS, Interaction, InteractionKind

TEAM: Final = "team"
"""Attribute that names the rep's team."""

TRACEABLE_BAR: Final = 0.815
"""The share of traceable interactions that is asked for."""

_NEAR_MS: Final = 1_800_000
_LISTED: Final = frozenset(
    {
        InteractionKind.CALL,
        InteractionKind.MEETING,
        InteractionKind.MAIL,
        InteractionKind.MESSAGE,
        InteractionKind.ACTIVITY,
    }
)
_KEYS: Final = ("opportunity", "session", "rep", "actor")


class Dimension(IntEnum):
    """By what the report is broken down; the numbers equal those of the contract."""

    TOTAL = 1
    REP = 2
    TEAM = 3
    SOURCE = 4


class Row(Struct):
    """Counts of one rep, team or source. `missing` counts by the name of the key.

    `inversions` counts pairs of matched activities of one rep and opportunity that are listed in the
    other order than they happened.
    """

    dimension: Dimension
    key: str
    captured: int = 0
    logged: int = 0
    matched: int = 0
    inversions: int = 0
    traceable: int = 0
    known: int = 0
    missing: Counter[str] = field(default_factory=Counter)

    @property
    def recording_coverage(self) -> float | None:
        """Share of the captured conversations that are listed."""
        return self.matched / self.captured if self.captured else None

    @property
    def capture_coverage(self) -> float | None:
        """Share of the listed activities that were captured."""
        return self.matched / self.logged if self.logged else None

    @property
    def traceable_ratio(self) -> float | None:
        """Share of the known interactions that can be followed from source to report."""
        return self.traceable / self.known if self.known else None


class _Work(Struct):
    """A conversation, or a listed activity: whose it is, when it began, and what it lacks."""

    source: str
    id: str
    at: int
    rep: str
    team: str
    opportunity: str
    session: str
    event: str
    records: int = 0
    traceable: int = 0
    missing: Counter[str] = field(default_factory=Counter)


class Capture:
    """Takes interactions one by one, in any order, and counts them when asked."""

    def __init__(self) -> None:
        self._talks: dict[tuple[str, str], _Work] = {}
        self._listed: list[_Work] = []
        self._others: list[_Work] = []
        self._lost: Counter[str] = Counter()

    def add(self, interaction: Interaction, rep: str, *, in_graph: bool) -> None:
        """Take an interaction; `rep` is the node id of its rep, "" when none is named."""
        i = interaction
        if i.kind in STATEMENTS:
            return
        work = _Work(
            i.source,
            i.native_id,
            i.occurred_at,
            rep,
            i.attributes.get(TEAM, ""),
            i.opportunity,
            i.session,
            i.attributes.get(EVENT_KEY, ""),
            1,
            int(in_graph and bool(i.opportunity) and bool(rep)),
            _missing(i),
        )
        if i.channel is not Channel.CRM:
            self._talk(work)
        elif i.kind in _LISTED:
            work.traceable = 0  # it can be followed once the conversation itself was captured
            self._listed.append(work)
        else:
            self._others.append(work)

    def lose(self, source: str, count: int = 1) -> None:
        """Note records of a source that could not be taken in."""
        self._lost[source] += count

    def rows(self, since: int, before: int, first_rep: Callable[[str], str]) -> list[Row]:
        """Return the rows of what happened in [since, before), sorted; `before` 0 means no bound.

        `first_rep` returns the first id of the rep behind an id.
        """

        def within(work: _Work) -> bool:
            return since <= work.at and (not before or work.at < before)

        talks = [work for work in self._talks.values() if within(work)]
        listed = [work for work in self._listed if within(work)]
        others = [work for work in self._others if within(work)]
        rows: dict[tuple[Dimension, str], Row] = {}

        def each(work: _Work) -> Iterable[Row]:
            keys = (
                (Dimension.TOTAL, ""),
                (Dimension.REP, first_rep(work.rep) if work.rep else ""),
                (Dimension.TEAM, work.team),
                (Dimension.SOURCE, work.source),
            )
            return [rows.setdefault(key, Row(*key)) for key in keys]

        matches = _match(talks, listed, first_rep)
        for work in (*talks, *listed, *others):
            for row in each(work):
                row.known += work.records
                row.traceable += work.traceable
                row.missing += work.missing
        for work in talks:
            for row in each(work):
                row.captured += 1
        for work in listed:
            for row in each(work):
                row.logged += 1
        for talk, activity in matches:
            both = {id(row): row for work in (talk, activity) for row in each(work)}
            for row in both.values():
                row.matched += 1
            for row in each(activity):
                row.traceable += 1
        for first, count in _inversions(matches, first_rep):
            for row in each(first):
                row.inversions += count
        self._add_lost(rows)
        return [rows[key] for key in sorted(rows)]

    def _talk(self, work: _Work) -> None:
        key = (work.source, f"s:{work.session}" if work.session else f"i:{work.id}")
        known = self._talks.get(key)
        if known is None:
            self._talks[key] = work
            return
        known.at = min(known.at, work.at)
        known.records += 1
        known.traceable += work.traceable
        known.missing += work.missing
        for name in ("rep", "team", "opportunity", "event"):
            # The smallest of several: the same in whatever order they come.
            stated = [value for value in (getattr(known, name), getattr(work, name)) if value]
            setattr(known, name, min(stated, default=""))

    def _add_lost(self, rows: dict[tuple[Dimension, str], Row]) -> None:
        for source, count in self._lost.items():
            for key in ((Dimension.TOTAL, ""), (Dimension.SOURCE, source)):
                rows.setdefault(key, Row(*key)).known += count


def _missing(i: Interaction) -> Counter[str]:
    there = (i.opportunity, i.session, i.rep, i.actor.native_id or i.actor.side is Side.SYSTEM)
    return Counter(name for name, value in zip(_KEYS, there, strict=True) if not value)


_Match = tuple[_Work, _Work]


def _match(
    talks: Sequence[_Work], listed: Sequence[_Work], first_rep: Callable[[str], str]
) -> list[_Match]:
    """Return pairs of a conversation and the activity that lists it; each occurs once."""
    matches: list[_Match] = []
    used: set[int] = set()

    def take(talk: _Work, activity: _Work) -> None:
        if id(talk) not in used and id(activity) not in used:
            used.update((id(talk), id(activity)))
            matches.append((talk, activity))

    ordered = sorted(listed, key=_order)
    for name in ("event", "session"):
        by_key: dict[str, _Work] = {}
        for talk in sorted(talks, key=_order):
            if id(talk) not in used:
                by_key.setdefault(getattr(talk, name), talk)
        for activity in ordered:
            found = by_key.get(getattr(activity, name)) if getattr(activity, name) else None
            if found is not None:
                take(found, activity)
    for _, talk, activity in sorted(
        _near(talks, [one for one in ordered if id(one) not in used], first_rep),
        key=lambda near: (near[0], _order(near[1]), _order(near[2])),
    ):
        take(talk, activity)
    return matches


def _near(
    talks: Sequence[_Work], listed: Sequence[_Work], first_rep: Callable[[str], str]
) -> Iterable[tuple[int, _Work, _Work]]:
    """Yield conversations and activities of one rep and opportunity that lie close in time."""
    groups: defaultdict[tuple[str, str], list[_Work]] = defaultdict(list)
    for talk in sorted(talks, key=_order):
        groups[first_rep(talk.rep), talk.opportunity].append(talk)
    for activity in listed:
        group = groups.get((first_rep(activity.rep), activity.opportunity), [])
        at = bisect_right(group, activity.at - _NEAR_MS - 1, key=lambda talk: talk.at)
        while at < len(group) and group[at].at <= activity.at + _NEAR_MS:
            yield abs(group[at].at - activity.at), group[at], activity
            at += 1


def _inversions(
    matches: Sequence[_Match], first_rep: Callable[[str], str]
) -> Iterable[tuple[_Work, int]]:
    """Yield per rep and opportunity an activity and the number of pairs listed the wrong way round."""
    groups: defaultdict[tuple[str, str], list[_Match]] = defaultdict(list)
    for talk, activity in matches:
        groups[first_rep(activity.rep), activity.opportunity].append((talk, activity))
    for group in groups.values():
        group.sort(key=lambda match: _order(match[1]))
        seen: list[int] = []
        count = 0
        for talk, _ in group:
            count += len(seen) - bisect_right(seen, talk.at)
            insort(seen, talk.at)
        yield group[0][1], count


def _order(work: _Work) -> tuple[int, str, str]:
    return (work.at, work.source, work.id)
