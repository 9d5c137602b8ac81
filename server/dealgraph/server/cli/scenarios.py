"""Which scenario a person means, and its worlds as detectors see them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from dealgraph.server.cli.command import CommandError
from dealgraph.server.cli.terminal import progress
from dealgraph.server.compose import consent_policy, open_tagger
from dealgraph.server.settings import Settings
from dealgraph.stream.evaluation.histories import Histories, histories
from dealgraph.stream.world.people import competitors
from dealgraph.stream.world.scenario import Scenario, load_scenario, shipped, shipped_scenario


def chosen_scenario(value: str) -> Scenario:
    """Return the scenario that `value` names. Raises CommandError that lists the shipped ones."""
    path = Path(value)
    if path.suffix or path.exists():
        if not path.is_file():
            raise CommandError(f"There is no scenario {value}. Shipped: {', '.join(shipped())}.")
        return load_scenario(path)
    if value not in shipped():
        raise CommandError(f"There is no scenario {value!r}. Shipped: {', '.join(shipped())}.")
    return shipped_scenario(value)


def seen_worlds(
    settings: Settings, scenarios: Iterable[Scenario], seeds: Sequence[int]
) -> Iterator[Histories]:
    """Yield what is seen of each scenario's world of each seed, with a bar on the screen meanwhile.

    Without competitors in the settings, their names are those that the simulated tenant would state.
    """
    names = settings.tagging.competitors or competitors()
    tagger = open_tagger(replace(settings.tagging, competitors=names))
    policy = consent_policy(settings)
    for scenario in scenarios:
        for seed in seeds:
            with progress(f"{scenario.name}, seed {seed}") as show:
                world = histories(scenario, seed, tagger, policy, show)
            yield world
