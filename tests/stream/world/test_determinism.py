"""The same seed gives the same bytes, whatever runs beside, before or around it."""

import hashlib
import subprocess
import sys
from itertools import islice

from msgspec.structs import replace

from dealgraph.stream.interaction_rows import encode_row
from dealgraph.stream.world.scenario import Disorder, Scenario, shipped_scenario
from dealgraph.stream.world.truth import encode
from dealgraph.stream.world.world import World

TINY = replace(shipped_scenario("small"), reps=3, days=40, deals_per_rep=2.0)

_DIGEST = """
import hashlib, sys
from tests.stream.world.test_determinism import TINY, digest
print(digest(TINY, 5))
"""


def digest(scenario: Scenario, seed: int) -> str:
    world = World(scenario, seed)
    total = hashlib.sha256()
    for event in world.events():
        total.update(encode_row(event.interaction))
        while world.truth:
            total.update(encode(world.truth.pop(0)))
    return total.hexdigest()


def rows(scenario: Scenario, seed: int) -> list[bytes]:
    return [encode_row(event.interaction) for event in World(scenario, seed).events()]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    assert digest(TINY, 5) == digest(TINY, 5)
    assert digest(TINY, 5) != digest(TINY, 6)


def test_the_hash_seed_of_the_process_does_not_matter() -> None:
    found = {
        subprocess.run(
            ["env", f"PYTHONHASHSEED={seed}", sys.executable, "-c", _DIGEST],
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in (1, 2)
    }  # fmt: skip
    assert len(found) == 1
    assert found.pop().strip() == digest(TINY, 5)


def test_how_the_stream_is_read_does_not_matter() -> None:
    whole = rows(TINY, 5)
    world = World(TINY, 5)
    events = world.events()
    pieces: list[bytes] = []
    other = World(TINY, 6).events()
    while piece := list(islice(events, 97)):
        pieces += [encode_row(event.interaction) for event in piece]
        next(other, None)
        world.truth.clear()
    assert pieces == whole


def test_more_reps_change_nothing_about_those_that_were_there() -> None:
    few, many = rows(TINY, 5), rows(replace(TINY, reps=5), 5)
    known = {f'"rep:r{number:04d}"'.encode() for number in range(3)}
    without = [row for row in many if any(rep in row for rep in known) or b'"merge"' in row]
    consents = [row for row in few if b'"consent"' in row or b'"merge"' in row]
    assert [row for row in few if row not in consents] == [
        row for row in without if b'"consent"' not in row and b'"merge"' not in row
    ]


def test_who_opts_out_changes_nothing_about_what_is_said() -> None:
    nobody = replace(TINY, disorder=replace(TINY.disorder, opt_out_reps=0.0))
    half = replace(TINY, disorder=replace(TINY.disorder, opt_out_reps=0.5))
    said = [
        [row for row in rows(scenario, 5) if b'"consent":' not in row]
        for scenario in (nobody, half)
    ]
    assert said[0] == said[1]


def test_gaps_and_disorder_change_no_word() -> None:
    calm = replace(TINY, disorder=Disorder(recalled_messages=0.0), recording=type(TINY.recording)())
    texts = {
        (event.interaction.source, event.interaction.native_id): event.interaction.text
        for event in World(calm, 5).events()
    }
    for event in World(TINY, 5).events():
        key = event.interaction.source, event.interaction.native_id
        assert texts.get(key, event.interaction.text) == event.interaction.text
