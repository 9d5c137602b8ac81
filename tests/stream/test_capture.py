"""The capture report finds what was planted: coverage, inversions, missing keys, what can be traced."""

from itertools import combinations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.stream.capture import Capture, Dimension, Row
from dealgraph.stream.interaction import Interaction, InteractionKind
from tests.support.interactions import DAY, HOUR, MINUTE, MONDAY, consent, message, stage_change


def talk(n: int, at: int, rep: str = "rep-1", **changes: Any) -> Interaction:
    """A captured conversation."""
    return message(at=at, session=f"chat-{n}", rep=rep, **({"native_id": f"m-{n}"} | changes))


def listed(n: int, at: int, rep: str = "rep-1", **changes: Any) -> Interaction:
    """An activity that the rep lists in the customer relationship system."""
    own: dict[str, Any] = {
        "native_id": f"activity-{n}",
        "kind": InteractionKind.ACTIVITY,
        "detail": None,
    }
    return stage_change(at=at, rep=rep, **(own | changes))


def rows(told: list[Interaction], in_graph: bool = True, **window: int) -> dict[Any, Row]:
    capture = Capture()
    for one in told:
        capture.add(one, one.rep and f"crm:{one.rep}", in_graph=in_graph)
    found = capture.rows(window.get("since", 0), window.get("before", 0), lambda rep: rep)
    return {(row.dimension, row.key): row for row in found}


TOTAL = (Dimension.TOTAL, "")


@pytest.mark.parametrize("keyed", [True, False])
def test_a_planted_coverage_of_37_percent_is_recovered(keyed: bool) -> None:
    random, told = Random(3), []
    of_list = set(random.sample(range(2000), 740))
    for n in range(2000):
        at = MONDAY + n * HOUR
        key = {"event_key": f"e{n}"} if keyed else {}
        told.append(talk(n, at, attributes=key))
        if n in of_list:
            told.append(listed(n, at + random.randint(0, 20 * MINUTE), attributes=key))

    assert rows(told)[TOTAL].recording_coverage == pytest.approx(0.37, abs=0.01)


@settings(max_examples=60)
@given(st.permutations(range(9)))
def test_inversions_are_counted_exactly(order: list[int]) -> None:
    told = [talk(n, MONDAY + n * DAY, attributes={"event_key": f"e{n}"}) for n in range(9)]
    told += [
        listed(n, MONDAY + 30 * DAY + place, attributes={"event_key": f"e{n}"})
        for place, n in enumerate(order)
    ]

    planted = sum(one > other for one, other in combinations(order, 2))
    assert rows(told)[TOTAL].inversions == planted


def test_an_activity_lists_one_conversation_and_each_conversation_is_listed_once() -> None:
    told = [talk(1, MONDAY), talk(2, MONDAY + 5 * MINUTE), listed(1, MONDAY + 2 * MINUTE)]
    total = rows(told)[TOTAL]

    assert (total.captured, total.logged, total.matched) == (2, 1, 1)
    assert (total.recording_coverage, total.capture_coverage) == (0.5, 1.0)


@pytest.mark.parametrize(
    "activity",
    [listed(1, MONDAY + HOUR), listed(1, MONDAY, rep="rep-2"), listed(1, MONDAY, opportunity="x")],
)
def test_what_is_far_in_time_or_anothers_is_another(activity: Interaction) -> None:
    assert rows([talk(1, MONDAY), activity])[TOTAL].matched == 0


def test_the_session_matches_whatever_the_time() -> None:
    told = [talk(1, MONDAY), listed(1, MONDAY + 9 * DAY, session="chat-1")]

    assert rows(told)[TOTAL].matched == 1


def test_rows_are_told_apart_by_rep_team_and_source_and_add_up() -> None:
    told = [
        talk(1, MONDAY, "a", attributes={"team": "north"}),
        talk(2, MONDAY, "b", attributes={"team": "south"}),
        listed(1, MONDAY, "a", attributes={"team": "north"}),
    ]
    found = rows(told)

    assert found[Dimension.REP, "crm:a"].recording_coverage == 1
    assert found[Dimension.REP, "crm:b"].recording_coverage == 0
    assert found[Dimension.TEAM, "south"].captured == 1
    assert found[Dimension.SOURCE, "wecom"].matched == 1
    for dimension in Dimension:
        of = [row for key, row in found.items() if key[0] is dimension]
        assert sum(row.captured for row in of) == 2
        assert sum(row.known for row in of) == 3


def test_missing_keys_are_counted_by_name() -> None:
    bare = replace(talk(1, MONDAY), opportunity="", rep="")

    assert dict(rows([bare])[TOTAL].missing) == {"opportunity": 1, "rep": 1}


def test_what_can_be_followed_is_in_the_graph_with_a_deal_and_a_rep() -> None:
    told = [talk(1, MONDAY), replace(talk(2, MONDAY), opportunity=""), listed(1, MONDAY + 9 * DAY)]
    capture = Capture()
    for one in told:
        capture.add(one, one.rep, in_graph=True)
    capture.lose("wecom")
    (total, *_) = capture.rows(0, 0, lambda rep: rep)

    assert (total.traceable, total.known) == (1, 4)
    assert rows([talk(1, MONDAY)], in_graph=False)[TOTAL].traceable == 0


def test_statements_are_no_work_and_a_window_bounds_what_counts() -> None:
    assert rows([consent()]) == {}
    told = [talk(1, MONDAY), talk(2, MONDAY + DAY)]
    assert rows(told, since=MONDAY + 1)[TOTAL].captured == 1
    assert rows(told, before=MONDAY + 1)[TOTAL].captured == 1


@settings(max_examples=40)
@given(st.randoms(use_true_random=False))
def test_the_report_does_not_depend_on_the_order_of_arrival(random: Random) -> None:
    told = [talk(n // 2, MONDAY + n * MINUTE, native_id=f"m{n}") for n in range(12)]
    told += [listed(n, MONDAY + n * 3 * MINUTE) for n in range(6)]
    shuffled = list(told)
    random.shuffle(shuffled)

    assert rows(shuffled) == rows(told)
