"""The bundled world as a feed: what arrives in each tick of the demo, in the order in which it arrives."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from dealgraph.stream.interaction import Interaction, Reason, Rejected
from dealgraph.stream.interaction_rows import encode_row
from dealgraph.stream.world.event import Event
from dealgraph.stream.world.people import competitors
from dealgraph.stream.world.scenario import Scenario, shipped_scenario
from dealgraph.stream.world.world import World

SCENARIO: Final = "quarter"
SEED: Final = 5
COMPETITORS: Final = competitors()
"""Names that the sample tenant would put into the setting `tagging.competitors`."""


class Tick(Struct, frozen=True):
    """What arrives until the simulated time `at` (ms since 1970 UTC)."""

    at: int
    items: Sequence[Interaction | Rejected]


def sample_tenant() -> Scenario:
    """Return the scenario of the sample tenant."""
    return shipped_scenario(SCENARIO)


def feed(scenario: Scenario, ticks: int, seed: int = SEED) -> Iterator[Tick]:
    """Yield a world in so many ticks of equal simulated time; the first also has what was before."""
    world = World(scenario, seed)
    events = world.events()
    event = next(events, None)
    for tick in range(1, ticks + 1):
        until = world.start + (world.end - world.start) * tick // ticks
        items: list[Interaction | Rejected] = []
        while event is not None and event.arrives <= until:
            items.append(_item(event))
            event = next(events, None)
        world.truth.clear()
        yield Tick(until, items)


def _item(event: Event) -> Interaction | Rejected:
    """Return the interaction, or what is left of a record that breaks off."""
    interaction = event.interaction
    if not event.broken:
        return interaction
    row = encode_row(interaction)
    position = f"{interaction.source} export, record {interaction.native_id}"
    half = row[: len(row) // 2]
    detail = "the record breaks off"
    return Rejected(interaction.source, position, Reason.TRUNCATED, detail, half)
