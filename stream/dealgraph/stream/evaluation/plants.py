"""Which signal each plant of the world must raise, how strong it must be, and what it may raise besides."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final

import msgspec
from msgspec import Struct

from dealgraph.graph.model import Channel, Side, SignalKind
from dealgraph.stream.calendar import DAY_MS, WEEK_MS
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.world.planted import Planted
from dealgraph.stream.world.scenario import Plant

Name = tuple[SignalKind, str]
"""Kind and form of a signal."""

_MINUTE_MS: Final = 60_000
_LETTERS: Final = frozenset({Channel.CHAT, Channel.MAIL})


def _name(plant: Plant) -> Name:
    kind, _, form = plant.value.partition(".")
    return SignalKind[kind], form


RAISES: Final[Mapping[Plant, Name]] = {
    **{plant: _name(plant) for plant in Plant if plant is not Plant.DELIVERY_ANSWERED_LATE},
    Plant.DELIVERY_CONCERN: (SignalKind.DELIVERY_CONCERN_RECURRENCE, ""),
    Plant.DELIVERY_COMMITMENT: (SignalKind.DELIVERY_COMMITMENT, ""),
}
"""The signal that a plant must raise. A concern that was answered late must not be there in the end."""

_MAY_RAISE: Final[Mapping[Plant, tuple[Plant, ...]]] = {
    Plant.LEGAL_LATE: (Plant.LEGAL_OVERDUE,),
    Plant.LEGAL_OVERDUE: (Plant.LEGAL_LATE,),
    Plant.LEGAL_WITHDRAWN: (Plant.NARROW,),
    Plant.WIDEN: (Plant.BUYER_ENTERED,),
    Plant.NARROW: (
        Plant.BUYER_FELL,
        Plant.NO_POWER,
        Plant.SINGLE_THREADED,
        Plant.LEGAL_LATE,
        Plant.LEGAL_OVERDUE,
        Plant.LEGAL_WITHDRAWN,
    ),
    Plant.SINGLE_THREADED: (
        Plant.NARROW,
        Plant.BUYER_FELL,
        Plant.NO_POWER,
        Plant.LEGAL_LATE,
        Plant.LEGAL_OVERDUE,
        Plant.LEGAL_WITHDRAWN,
    ),
    Plant.CHAMPION_SILENT: (Plant.NARROW, Plant.SINGLE_THREADED, Plant.SLOWING),
    Plant.BUYER_ENTERED: (Plant.WIDEN,),
    Plant.BUYER_FELL: (Plant.NARROW, Plant.NO_POWER),
    Plant.NO_POWER: (Plant.BUYER_FELL, Plant.NARROW),
    Plant.SLOWING: (Plant.GHOST,),
    Plant.GHOST: (
        Plant.CHAMPION_SILENT,
        Plant.NARROW,
        Plant.SINGLE_THREADED,
        Plant.SLOWING,
        Plant.BUYER_FELL,
        Plant.NO_POWER,
        Plant.LEGAL_LATE,
        Plant.LEGAL_OVERDUE,
        Plant.LEGAL_WITHDRAWN,
    ),
}


def may_raise(plant: Plant) -> frozenset[Name]:
    """Return the signals that follow from a plant besides its own: neither found nor false."""
    return frozenset(RAISES[other] for other in _MAY_RAISE.get(plant, ()))


class Minimum(Struct, frozen=True, forbid_unknown_fields=True):
    """The least effect that a signal is asked to find.

    `strength` in the unit of the plant; observed customer talk before and after its start, in minutes;
    weeks from its start until the deal closes or the world ends; what counts for it and was observed.
    `letters_before` and `letters_after` are observed messages of the customer in chats and mails, and
    `written_days_after` days on which the rep wrote. `legal` says when legal must first have been
    observed, in days after the start: from, before.
    """

    strength: float = 0.0
    minutes_before: float = 0.0
    minutes_after: float = 0.0
    weeks_after: float = 0.0
    hits_after: int = 0
    letters_before: int = 0
    letters_after: int = 0
    written_days_after: int = 0
    legal: tuple[float, float] | None = None

    def reached(
        self, planted: Planted, until: int, actions: Sequence[Observed], legal_observed: int
    ) -> bool:
        """Say whether a plant is large enough, and enough was observed of its deal until `until`."""
        return self._large(planted, until) and self._seen(planted, actions, legal_observed)

    def _seen(self, planted: Planted, actions: Sequence[Observed], legal_observed: int) -> bool:
        start, end = planted.start, planted.end
        letters = [one for one in actions if one.channel in _LETTERS and one.at < end]
        by_customer = [one.at for one in letters if one.side is Side.CUSTOMER]
        by_rep = {one.at // DAY_MS for one in letters if one.side is Side.REP and one.at >= start}
        before = sum(at < start for at in by_customer)
        if self.legal is not None:
            since, later = (start + days * DAY_MS for days in self.legal)
            if not (legal_observed and since <= legal_observed < later):
                return False
        return (
            before >= self.letters_before
            and len(by_customer) - before >= self.letters_after
            and len(by_rep) >= self.written_days_after
        )

    def _large(self, planted: Planted, until: int) -> bool:
        return (
            planted.strength >= self.strength
            and planted.observed_before_ms >= self.minutes_before * _MINUTE_MS
            and planted.observed_after_ms >= self.minutes_after * _MINUTE_MS
            and min(planted.end, until) - planted.start >= self.weeks_after * WEEK_MS
            and planted.observed_hits_after >= self.hits_after
        )


@cache
def minimums() -> Mapping[Plant, Minimum]:
    """Return the least effects, from `minimums.yaml`."""
    raw = resources.files(__package__).joinpath("minimums.yaml").read_bytes()
    return msgspec.yaml.decode(raw, type=dict[Plant, Minimum])
