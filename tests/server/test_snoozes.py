"""Snoozes: what they hold back, for how long, and that they outlive the server."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dealgraph.graph.model import DecisionSignal, Severity, SignalKind, SignalState
from dealgraph.server.snoozes import Snoozes
from dealgraph.stream.alerts import Alert
from tests.support.logs import open_log

KIND, OTHER = SignalKind.COMPETITOR_RATE, SignalKind.OVER_PROMISE
MINUTE = 60_000


class Desk:
    """Snoozes over a log in a directory, with a clock that stands where it is put."""

    def __init__(self, directory: Path) -> None:
        self.log = open_log(directory)
        self.now = 1_000 * MINUTE
        self.snoozes = Snoozes(self.log, lambda: self.now)

    def snooze(self, minutes: int = 0, session: str = "", request: str = "") -> bool:
        found, fresh = self.snoozes.prepare("wang", KIND, session, minutes, "wang", request)
        if fresh:
            self.snoozes.adopt(found)
        return fresh


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def alert(
    known_at: int,
    session: str = "call-1",
    rep: str = "chat:wang",
    kind: SignalKind = KIND,
    severity: Severity = Severity.WARNING,
    state: SignalState = SignalState.RAISED,
) -> Alert:
    return Alert(
        "a",
        DecisionSignal(
            "s", kind, state, severity, "R", "1", 0, "deal-1", session, "acme", rep, known_at,
            known_at, 1.0, 1.0, 0.0, 1.0, 0, (), "It is so.", "Do it.",
        ),
    )  # fmt: skip


def test_holds_back_a_kind_from_a_rep_for_some_minutes(desk: Desk) -> None:
    begun = desk.now
    desk.snooze(minutes=10)
    held = desk.snoozes.hold_back
    assert [held(alert(begun + m * MINUTE)) for m in (-1, 0, 9, 10)] == [False, True, True, False]
    assert not held(alert(begun, kind=OTHER))
    assert not held(alert(begun, rep="chat:li"))
    assert held(alert(begun, session="call-2", rep="wang"))


def test_holds_back_a_kind_for_the_rest_of_a_session_whoever_is_its_rep(desk: Desk) -> None:
    desk.snooze(session="call-1")
    held = desk.snoozes.hold_back
    later = desk.now + 10_000 * MINUTE
    assert held(alert(later, rep="chat:li"))
    assert not held(alert(later, session="call-2"))
    assert not held(alert(desk.now - 1))


def test_what_a_deal_says_to_a_talk_is_held_back_by_the_snooze_of_the_talk(desk: Desk) -> None:
    desk.snooze(session="call-1")
    of_the_deal = alert(desk.now, session="")
    assert desk.snoozes.hold_back(of_the_deal, "call-1")
    assert not desk.snoozes.hold_back(of_the_deal)


def test_critical_ones_and_what_takes_an_alert_back_come_all_the_same(desk: Desk) -> None:
    desk.snooze(minutes=10)
    assert not desk.snoozes.hold_back(alert(desk.now, severity=Severity.CRITICAL))
    assert not desk.snoozes.hold_back(alert(desk.now, state=SignalState.RETRACTED))
    assert desk.snoozes.hold_back(alert(desk.now, state=SignalState.REVISED))


def test_zero_minutes_end_it(desk: Desk) -> None:
    desk.snooze(minutes=10)
    desk.now += 3 * MINUTE
    desk.snooze(minutes=0)
    held = desk.snoozes.hold_back
    assert [held(alert(desk.now - 1)), held(alert(desk.now))] == [True, False]


def test_the_same_request_again_changes_nothing(desk: Desk) -> None:
    assert desk.snooze(minutes=10, request="r1")
    desk.now += 5 * MINUTE
    assert not desk.snooze(minutes=10, request="r1")
    assert not desk.snoozes.hold_back(alert(desk.now + 6 * MINUTE))
    assert desk.snooze(session="call-1")
    assert not desk.snooze(session="call-1")
    assert desk.snoozes.counts() == {KIND: (1, 1)}


def test_one_that_is_written_and_not_yet_durable_counts_for_the_next(desk: Desk) -> None:
    first, _ = desk.snoozes.prepare("wang", KIND, "", 5, "wang", "r1")
    again, fresh = desk.snoozes.prepare("wang", KIND, "", 5, "wang", "r1")
    assert (again, fresh) == (first, False)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from([0, 3, 8]), st.sampled_from(["", "", "c"])),
        max_size=8,
    )
)
def test_what_was_said_last_holds_and_a_restart_forgets_nothing(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, int, str]]
) -> None:
    desk = Desk(tmp_path_factory.mktemp("log"))
    spans: list[tuple[int, int]] = []
    session_since = 1 << 62
    for wait, minutes, session in said:
        desk.now += wait * MINUTE
        desk.snooze(minutes=minutes, session=session)
        if session:
            session_since = min(session_since, desk.now)
        else:
            spans.append((desk.now, desk.now + minutes * MINUTE))
    ends = [min(until, following[0]) for (_, until), following in pairwise(spans)]
    ends += [spans[-1][1]] if spans else []
    restarted = Snoozes(desk.log, lambda: desk.now)
    for at in range(1_000 * MINUTE, desk.now + 10 * MINUTE, MINUTE // 2):
        in_time = any(since <= at < end for (since, _), end in zip(spans, ends, strict=True))
        for snoozes in (desk.snoozes, restarted):
            assert snoozes.hold_back(alert(at, session="other")) == in_time
            assert snoozes.hold_back(alert(at, session="c")) == (in_time or at >= session_since)
