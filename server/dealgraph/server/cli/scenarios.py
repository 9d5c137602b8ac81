"""Which scenario a person means: a file, or one of the shipped names."""

from pathlib import Path

from dealgraph.server.cli.command import CommandError
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
