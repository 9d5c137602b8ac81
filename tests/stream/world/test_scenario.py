"""Scenarios: what is shipped can be read, and what is wrong is told with line and key."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.interaction import FieldChange
from dealgraph.stream.world.scenario import (
    Hint,
    Plant,
    Recording,
    Scenario,
    load_scenario,
    shipped,
    shipped_scenario,
)
from dealgraph.stream.world.world import World


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_scenario_can_be_read_and_says_what_it_is_for(name: str) -> None:
    scenario = shipped_scenario(name)
    assert scenario.name == name
    assert scenario.about


def test_some_shipped_scenario_plants_everything_there_is() -> None:
    small = shipped_scenario("small")
    assert set(small.signals) == set(Plant)
    assert set(small.paths) == {f"P{number}" for number in range(1, 18)}
    assert set(small.hints) == set(Hint)


def test_the_example_holds_every_key_with_its_default() -> None:
    example = shipped_scenario("example")
    plain = Scenario(name="example", about=example.about)
    assert example == plain


def test_diligent_reps_change_who_records_and_not_how_much() -> None:
    recording = Recording(conversations=0.37, diligent_reps=0.3)
    shares = [recording.of_rep((number + 0.5) / 1000) for number in range(1000)]
    assert sum(shares) / 1000 == pytest.approx(0.37)
    assert shares[0] == 0.9
    assert min(shares) > 0.1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x\nreps: 3\ndayz: 9\n", r"line 3, dayz: unknown key `dayz`; did you mean `days`"),
        ("name: x\nusual: {price_shares: 0.1}\n", r"did you mean `price_share`"),
        ("name: x\nsignals: {TECH_SURGE: {share: 1}}\n", "TECH_SURGE"),
        ("name: x\npaths: {P18: 0.1}\n", "no path 'P18'"),
        ("name: x\npaths: {P1: 0.6, P2: 0.6}\n", r"add up to 1.2; at most 1"),
        ("name: x\nreps: 0\n", "above 0"),
        ("name: x\ncurious: {huge: 2.0}\n", "no segment 'huge'"),
        ("name: x\nrecording: {conversations: 0.2, diligent_reps: 0.5}\n", "alone record more"),
    ],
)
def test_a_wrong_scenario_is_refused_with_its_reason(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    with pytest.raises(SourceError, match=words):
        load_scenario(path)


def test_a_curious_segment_asks_more_and_the_crm_states_every_segment() -> None:
    calm = replace(shipped_scenario("small"), days=40)
    curious = replace(calm, curious={"large": 3.0})
    assert curious.usual_in("large").tech_questions_per_minute == pytest.approx(
        3.0 * calm.usual_in("large").tech_questions_per_minute
    )
    assert curious.usual_in("small") == calm.usual
    details = [event.interaction.detail for event in World(curious, 1).events()]
    stated = {d.value for d in details if isinstance(d, FieldChange) and d.field == "segment"}
    assert stated <= {"small", "middle", "large"} and len(stated) > 1
