"""Hints through the whole dataflow: told with measure, the same in every replay, judged by the rep's team."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from dealgraph.graph.hash import graph_hash
from dealgraph.graph.model import NodeKind, NodeRef, Severity, SignalKind
from dealgraph.server.compose import rebuilding
from dealgraph.server.settings import DataflowSettings, HintSettings, Settings, TeamSettings
from dealgraph.stream.alerts import Alert
from dealgraph.stream.interaction import Interaction
from dealgraph.stream.meter import SilentMeter
from tests.support.dealgraphs import NOW, alerts_of, opened, process
from tests.support.interactions import MINUTE, MONDAY, SECOND, message

SLIP = "Between us, let us talk about your kickback offline."
NAMING = "We are also talking to a competitor of yours."
CALM = "Thank you, that was helpful."
FEW = Settings(hints=HintSettings(cool_down_minutes=5.0, per_session=3))


def turn(text: str, at: int, session: str = "room", **changes: object) -> Interaction:
    base = message(
        text, at=MONDAY + at, session=session, opportunity="deal-1", duration_ms=20 * SECOND
    )
    return replace(base, **changes)


def slips(count: int, minutes: float, session: str = "room") -> list[Interaction]:
    """Slips so far apart that each is an episode of its own."""
    return [turn(SLIP, round(n * minutes * MINUTE), session) for n in range(count)]


def mixed(sessions: int) -> list[Interaction]:
    """Talks side by side with slips, competitors and calm, in order of time."""
    chance = Random(3)
    turns = [
        turn(
            chance.choice([SLIP, NAMING, NAMING, CALM]),
            n * 3 * MINUTE + number * SECOND,
            f"room-{number}",
        )
        for number in range(sessions)
        for n in range(40)
    ]
    return sorted(turns, key=lambda one: one.occurred_at)


def hints(directory: Path, turns: Sequence[Interaction], settings: Settings) -> list[Alert]:
    with opened(directory, settings) as dealgraph:
        process(dealgraph, turns)
        return alerts_of(dealgraph)


def test_a_talk_has_no_more_hints_than_the_settings_say_and_all_signals_are_known(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, FEW) as dealgraph:
        process(dealgraph, slips(6, 12))
        assert len(alerts_of(dealgraph)) == 3
        deal = NodeRef(NodeKind.OPPORTUNITY, "deal-1")
        assert len(dealgraph.graph.signals(deal)) == 6


def test_what_is_critical_is_told_all_the_same(tmp_path: Path) -> None:
    turns = [*slips(5, 12), turn(SLIP, 49 * MINUTE)]
    told = hints(tmp_path, turns, FEW)
    assert [alert.signal.severity for alert in told] == [Severity.WARNING] * 3 + [Severity.CRITICAL]


def test_another_talk_has_hints_of_its_own(tmp_path: Path) -> None:
    told = hints(tmp_path, [*slips(6, 12), *slips(2, 12, "other room")], FEW)
    assert [alert.signal.session for alert in told].count("other room") == 2


@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
def test_the_same_log_gives_the_same_hints_in_a_replay_and_when_states_are_dropped(
    tmp_path: Path, shuffled: bool
) -> None:
    turns = mixed(sessions=4)
    if shuffled:
        Random(2).shuffle(turns)
    told = hints(tmp_path / "live", turns, FEW)
    kinds = {alert.signal.kind for alert in told}
    assert kinds == {SignalKind.SENSITIVE_TERM, SignalKind.COMPETITOR_RATE}
    small = replace(FEW, dataflow=DataflowSettings(hot_actions=1, batch=7))
    assert hints(tmp_path / "small", turns, small) == told
    with rebuilding(tmp_path / "live", FEW, lambda: NOW, SilentMeter()) as rebuilt:
        rebuilt.runner.run_to_end()
        assert alerts_of(rebuilt) == told


@pytest.mark.parametrize("seed", range(2))
def test_a_server_that_stops_half_way_tells_what_one_that_runs_through_tells(
    tmp_path: Path, seed: int
) -> None:
    turns = mixed(sessions=2)
    whole = hints(tmp_path / "whole", turns, FEW)
    cut = Random(seed).randrange(10, len(turns) - 10)
    with opened(tmp_path / "halves", FEW) as dealgraph:
        process(dealgraph, turns[:cut])
    assert hints(tmp_path / "halves", turns[cut:], FEW) == whole


def test_signals_do_not_depend_on_the_order_in_which_turns_come(tmp_path: Path) -> None:
    turns = mixed(sessions=2)
    shuffled = list(turns)
    Random(1).shuffle(shuffled)
    hashes = set()
    for name, order in (("in order", turns), ("shuffled", shuffled)):
        with opened(tmp_path / name, FEW) as dealgraph:
            process(dealgraph, order)
            hashes.add(graph_hash(dealgraph.graph))
    assert len(hashes) == 1


def test_the_limits_of_the_reps_team_hold(tmp_path: Path) -> None:
    patient = TeamSettings(("wang",), {"competitor_rate": {"minimum_mentions": 30}})
    settings = Settings(hints=HintSettings(teams={"patient": patient}))
    turns = [
        turn(CALM if n < 3 else NAMING, n * MINUTE, f"talk of {rep}", rep=rep)
        for rep in ("wang", "li")
        for n in range(9)
    ]
    told = hints(tmp_path, turns, settings)
    assert {alert.signal.session for alert in told} == {"talk of li"}
