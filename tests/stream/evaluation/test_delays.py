"""Delays: what is counted since a plant began, what the table says, and what the ratio of both amounts to."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, Channel, Level, Role, Side, Topic
from dealgraph.stream.evaluation.delays import (
    Unit,
    compare_delays,
    counted,
    expected_delays,
)
from dealgraph.stream.evaluation.plants import RAISES
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.world.scenario import Plant, shipped_scenario
from tests.support.observed import DAY, HOUR, START, observed

TUESDAY = START
"""3 March 2026."""


def letter(number: int, hour: int, side: Side, session: str = "room") -> Observed:
    one = observed(number, START + hour * HOUR, side=side, session=session)
    return replace(one, channel=Channel.CHAT)


@dataclass(frozen=True)
class Said:
    """What the customer says on some days, one sentence a day."""

    days: tuple[float, ...]

    def actions(self, *topics: Topic, kind: ActionKind = ActionKind.STATEMENT) -> list[Observed]:
        return [
            observed(n, START + round(day * DAY), *topics, kind=kind, session=f"call-{n}")
            for n, day in enumerate(self.days)
        ]


def test_every_plant_with_a_signal_has_a_row_that_covers_what_is_planted() -> None:
    assert set(expected_delays()) == set(RAISES)
    for name in ("tuning", "judging"):
        for plant, planting in shipped_scenario(name).signals.items():
            if plant in RAISES:
                low, high = planting.strength
                assert expected_delays()[plant].strengths[-1] >= high
                assert expected_delays()[plant].strengths[0] <= max(low, 2.2)


def test_pushed_is_never_sooner_than_recorded_nor_the_stronger_later() -> None:
    for row in expected_delays().values():
        assert list(row.strengths) == sorted(row.strengths)
        assert all(p >= r for r, p in zip(row.recorded, row.pushed, strict=True))
        if row.unit is not Unit.ASKS:  # who asks more often in a conversation asks in fewer of them
            assert list(row.recorded) == sorted(row.recorded, reverse=True)


def test_between_two_strengths_a_delay_is_interpolated_and_beyond_them_it_stays() -> None:
    row = expected_delays()[Plant.WIDEN]
    half = (row.recorded[0] + row.recorded[1]) / 2
    assert row.at(4.5, Level.RECORDED) == pytest.approx(half)
    assert row.at(9.0, Level.PUSHED) == row.pushed[-1]


def test_meetings_and_days_of_talk_count_from_the_start_and_with_the_signal() -> None:
    said = Said((0, 1, 2, 2.1, 3)).actions()
    start, at = START + DAY, START + round(2.1 * DAY)
    units = (Unit.MEETINGS, Unit.TALK_DAYS, Unit.DAYS)
    assert [counted(unit, said, start, at) for unit in units] == pytest.approx([3, 2, 1.1])


def test_what_the_rep_says_and_what_stands_in_the_crm_is_not_counted() -> None:
    rep = observed(1, START, side=Side.REP)
    noted = replace(observed(2, START), channel=Channel.CRM)
    assert counted(Unit.MEETINGS, [rep, noted], START, START + DAY) == 0


def test_questions_are_those_of_technical_people() -> None:
    asked = Said((0, 1)).actions(kind=ActionKind.QUESTION)
    technical = [replace(one, role=Role.ENGINEER) for one in asked]
    assert counted(Unit.QUESTIONS, asked, START, START + DAY) == 0
    assert counted(Unit.QUESTIONS, technical, START, START + DAY) == 2


def test_asks_and_remarks_are_those_that_the_detectors_hear() -> None:
    days = Said((0, 1))
    asks = days.actions(Topic.DELIVERY, kind=ActionKind.QUESTION)
    assert counted(Unit.ASKS, asks, START, START + DAY) == 2
    assert counted(Unit.ASKS, days.actions(Topic.DELIVERY), START, START + DAY) == 0
    assert counted(Unit.REMARKS, days.actions(Topic.OWNERSHIP), START, START + DAY) == 2
    assert counted(Unit.REMARKS, asks, START, START + DAY) == 0


def test_an_answer_is_what_a_message_waited_for_whenever_it_was_written() -> None:
    letters = [
        letter(1, 0, Side.REP),
        letter(2, 2, Side.CUSTOMER),
        letter(3, 3, Side.CUSTOMER),
        letter(4, 4, Side.REP),
        letter(5, 5, Side.CUSTOMER, session="another"),
        letter(6, 6, Side.CUSTOMER),
    ]
    assert counted(Unit.ANSWERS, letters, START + HOUR, START + DAY) == 2
    assert counted(Unit.ANSWERS, letters, START + 3 * HOUR, START + DAY) == 1


def test_the_clock_of_the_circle_stands_still_in_a_long_silence() -> None:
    said = Said((1, 9, 9.5)).actions()
    assert counted(Unit.CLOCK_DAYS, said, START, START + 30 * DAY) == pytest.approx(3.5)


def test_working_days_leave_weekends_out() -> None:
    said = Said((0,)).actions()
    assert counted(Unit.WORKING_DAYS, said, TUESDAY, TUESDAY + 7 * DAY) == pytest.approx(5.0)


def test_days_with_legal_are_those_on_which_its_people_are_heard() -> None:
    said = [replace(one, role=Role.PROCUREMENT) for one in Said((0, 0.1, 2)).actions()]
    assert counted(Unit.LEGAL_DAYS, said + Said((4,)).actions(), START, START + 9 * DAY) == 2


def test_a_ratio_whose_whole_interval_is_outside_falls_short() -> None:
    near = compare_delays([(5.0, 5.0), (6.0, 5.0), (4.0, 5.0)])
    slow = compare_delays([(9.0, 5.0), (8.0, 5.0), (7.0, 5.0)])
    unsure = compare_delays([(12.0, 5.0), (5.0, 5.0), (3.0, 5.0)])
    assert near and slow and unsure
    assert (near.ratio, near.is_near, near.falls_short) == (1.0, True, False)
    assert (slow.ratio, slow.is_near, slow.falls_short) == (1.6, False, True)
    assert (unsure.is_near, unsure.falls_short) == (False, False)
    assert slow.ratio_interval == (1.4, 1.8)


def test_where_the_table_says_at_once_there_is_no_ratio() -> None:
    found = compare_delays([(0.5, 0.0), (0.0, 0.0)])
    assert found is not None
    assert (found.measured, found.ratio, found.is_near, found.falls_short) == (
        0.25, None, True, False,
    )  # fmt: skip
    assert compare_delays([]) is None
