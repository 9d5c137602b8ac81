"""Small simulated worlds for tests, and what can be asked of them."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dealgraph.graph.model import Role, Side
from dealgraph.stream.calendar import BusinessTime
from dealgraph.stream.interaction import Interaction, InteractionKind
from dealgraph.stream.world.event import Event
from dealgraph.stream.world.people import make_rep
from dealgraph.stream.world.scenario import Pace, Plant, Planting, Scenario
from dealgraph.stream.world.truth import DealTruth, MeetingTruth, UtteranceTruth
from dealgraph.stream.world.world import World

MINUTE: Final = 60_000
DAY: Final = 86_400_000
BASE: Final = Scenario(
    name="test",
    days=105,
    reps=4,
    deals_per_rep=2.0,
    opening_days=20.0,
    pace=Pace(customer_minutes=2.5),
)
SEED: Final = 11


class Seen(Struct, frozen=True):
    """A world that was drawn: its events in order of arrival and its truth."""

    world: World
    events: list[Event]
    deals: Mapping[str, DealTruth]
    utterances: Mapping[tuple[str, str], UtteranceTruth]
    meetings: list[MeetingTruth]

    def said(self) -> Iterator[tuple[Interaction, UtteranceTruth]]:
        """What was said and recorded, with its truth."""
        for event in self.events:
            interaction = event.interaction
            truth = self.utterances.get((interaction.source, interaction.native_id))
            if truth is not None and event.words is not None:
                yield interaction, truth

    def time_of(self, rep: str) -> BusinessTime:
        """The business time of a rep."""
        number = int(rep.removeprefix("rep:r"))
        scenario = self.world.scenario
        return self.world.business_time(make_rep(self.world.seed, number, scenario.chinese_share))


def seen(scenario: Scenario, seed: int = SEED) -> Seen:
    """Draw a world; the same one is drawn only once."""
    return _seen(msgspec.json.encode(scenario), seed)


@cache
def _seen(scenario: bytes, seed: int) -> Seen:
    world = World(msgspec.json.decode(scenario, type=Scenario), seed)
    events = list(world.events())
    return Seen(
        world,
        events,
        {truth.id: truth for truth in world.truth if isinstance(truth, DealTruth)},
        {
            (truth.source, truth.native_id): truth
            for truth in world.truth
            if isinstance(truth, UtteranceTruth)
        },
        [truth for truth in world.truth if isinstance(truth, MeetingTruth)],
    )


def with_plant(plant: Plant, strength: float = 0.0, start: float = 0.45) -> Scenario:
    """A scenario in which every deal has the plant."""
    planting = Planting(1.0, (strength, strength), (start, start))
    return replace(BASE, signals={plant: planting})


def by_customer(interaction: Interaction) -> bool:
    return interaction.actor.side is Side.CUSTOMER


def technical(interaction: Interaction) -> bool:
    return interaction.actor.role in (Role.TECH_LEAD, Role.ENGINEER)


def spoken(interaction: Interaction) -> bool:
    return interaction.kind is InteractionKind.UTTERANCE
