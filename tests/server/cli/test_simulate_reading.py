"""The conversations to read in the repository are those that the command writes today."""

from pathlib import Path

import dealgraph.stream.world as world
from dealgraph.server.cli.simulate_reading import reading
from dealgraph.stream.world.scenario import shipped_scenario

SAMPLE = Path(world.__file__).parent / "SAMPLE.md"


def test_the_sample_is_what_the_command_prints() -> None:
    now = "\n".join(reading(shipped_scenario("small"), 7, 20)) + "\n"
    assert SAMPLE.read_text(encoding="utf-8") == now, (
        "run `dealgraph simulate --scenario small --seed 7 --read 20 > "
        "stream/dealgraph/stream/world/SAMPLE.md` and read it"
    )
