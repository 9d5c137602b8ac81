"""S2 LEGAL_WINDOW_SHIFT: against the formulas in batch, and its forms one by one."""

from math import asinh
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.model import (
    ActionKind,
    Channel,
    Level,
    Polarity,
    Role,
    Severity,
    Side,
    Stage,
    Topic,
    topic_set,
)
from dealgraph.stream.signals.detector import Episode, Observed
from dealgraph.stream.signals.legal_reference import (
    Delays,
    LegalWindowThresholds,
    Reference,
    reference_of,
)
from dealgraph.stream.signals.legal_window_shift import delays, detectors
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.thresholds import load_thresholds
from dealgraph.stream.signals.working_time import working_times
from tests.support.deals import MONDAY, deals, moved, said
from tests.support.observed import DAY, HOUR, MINUTE

CHINA_ONLY = {"china": load_thresholds().sections["working_time"]["candidates"]["china"]}  # type: ignore[index]
THRESHOLDS = load_thresholds({"working_time": {"candidates": CHINA_ONLY}})
LIMITS = THRESHOLDS.section("legal_window_shift", LegalWindowThresholds)
TIMES = working_times(THRESHOLDS)
TIME = TIMES.times[0]
NORMAL = NormalDist()
PAPER = (Role.LEGAL, Role.PROCUREMENT, Role.INFOSEC)


class Found(NamedTuple):
    form: str
    raised_at: int
    level: Level
    cleared_at: int | None


def newest(stream: list[Observed], until: int) -> list[Episode]:
    last: dict[tuple[str, int], Episode] = {}
    for episode in replay(detectors(THRESHOLDS)[0], stream, until):
        last[(episode.form, episode.number)] = episode
    return list(last.values())


def batch(stream: list[Observed], until: int) -> set[Found]:
    """All that S2 finds, from the definition: days, delays and chances at once."""
    closing = next((n for n, a in enumerate(stream) if a.stage >= Stage.WON), len(stream))
    closed = stream[closing].at if closing < len(stream) else until + 1
    changes = [a for a in stream[:closing] if a.kind is ActionKind.STAGE_CHANGE]
    order = [a for a in changes if a.stage >= Stage.PROPOSAL]
    proposed = order[0].at if order else None
    since = None
    if order:
        earlier = [a.at for a in changes[: changes.index(order[0])]]
        since = proposed if order[0].stage is Stage.PROPOSAL else max(earlier, default=None)
    qualified = next((a.at for a in changes if a.stage is Stage.QUALIFICATION), None)
    talk = [a for a in stream[:closing] if a.side is Side.CUSTOMER and a.channel is not Channel.CRM]
    days: dict[int, list[Observed]] = {}
    for a in talk:
        days.setdefault(a.at // DAY, []).append(a)
    legal = {day: first for day, said_then in days.items() if (first := _first_legal(said_then))}
    entered = min(legal.values(), key=lambda a: (a.at, a.id), default=None)
    found = set()
    ends = [(d + 1) * DAY for d in days if (d + 1) * DAY <= min(until, closed)]
    unheard = 1.0
    if proposed is not None:
        waiting = [
            end for end in ends
            if end >= proposed and (entered is None or end <= entered.at // DAY * DAY)
        ]  # fmt: skip
        chances = _unheard([_days(proposed, end) for end in waiting])
        found |= _rises("OVERDUE", waiting, chances, entered.at if entered else closed, until)
        unheard = chances[-1] if len(chances) else 1.0
    if entered is not None:
        found |= _entry(entered.at, qualified, since, proposed, unheard, closed, until)
        found |= _silences(entered, days, legal, ends, min(closed, until + 1), until)
    return found


def _first_legal(said_then: list[Observed]) -> Observed | None:
    counts = np.cumsum([bool(a.topics & topic_set(Topic.LEGAL)) and a.role not in PAPER
                        for a in said_then])  # fmt: skip
    for n, a in enumerate(said_then):
        on_it = bool(a.topics & topic_set(Topic.LEGAL))
        enough = counts[n] >= max(LIMITS.topic_actions, LIMITS.topic_share * (n + 1))
        if a.role in PAPER or (on_it and enough):
            return a
    return None


def _days(since: int, at: int) -> float:
    return TIME.between(since, at) / TIME.day_ms * 7 / 5


def _z(days: float, reference: Reference) -> float:
    return (asinh(days) - reference.median) / reference.spread


def _unheard(waited: list[float]) -> np.ndarray:
    reached = np.array([NORMAL.cdf(_z(days, LIMITS.usual.proposal)) for days in waited])
    steps = np.diff(reached, prepend=0.0)
    powers = np.subtract.outer(np.arange(len(steps)), np.arange(len(steps))) + 1
    kept = np.where(powers > 0, (1.0 - LIMITS.presence) ** np.maximum(powers, 0), 0.0)
    result: np.ndarray = kept @ steps + 1.0 - reached
    return result


def _rises(form: str, at: list[int], chances: object, ended: int, until: int) -> set[Found]:
    values = np.asarray(chances)
    over = np.flatnonzero(values <= LIMITS.recorded_probability)
    if not len(over):
        return set()
    pushed = bool((values[over[0] :] <= LIMITS.pushed_probability).any())
    level = Level.PUSHED if pushed else Level.RECORDED
    return {Found(form, at[over[0]], level, ended if ended <= until else None)}


def _entry(
    entered: int,
    qualified: int | None,
    since: int | None,
    proposed: int | None,
    unheard: float,
    closed: int,
    until: int,
) -> set[Found]:
    ended = closed if closed <= until else None
    looks: list[tuple[int, int, Reference]] = []
    if qualified is not None and qualified <= entered and (proposed is None or entered < proposed):
        looks.append((entered, qualified, LIMITS.usual.qualification))
    if proposed is not None and since is not None:
        looks.append((max(entered, proposed), since, LIMITS.usual.proposal))
    early = []
    for at, anchor, reference in looks:
        z = _z(max(_days(anchor, entered), (entered - anchor) / DAY - 2), reference)
        if z <= -LIMITS.recorded_z:
            early.append((at, Level.PUSHED if z <= -LIMITS.pushed_z else Level.RECORDED))
    if early:
        return {Found("EARLY", early[0][0], max(level for _, level in early), ended)}
    if proposed is not None and unheard < LIMITS.recorded_probability:
        z = _z(_days(proposed, entered), LIMITS.usual.proposal)
        if z >= LIMITS.recorded_z:
            level = Level.PUSHED if z >= LIMITS.pushed_z else Level.RECORDED
            return {Found("LATE", entered, level, ended)}
    return set()


def _silences(
    entered: Observed,
    days: dict[int, list[Observed]],
    legal: dict[int, Observed],
    ends: list[int],
    closed: int,
    until: int,
) -> set[Found]:
    found: set[Found] = set()
    with_legal = without = 0
    run: list[int] = []
    chances: list[float] = []
    for day in [*(d for d in sorted(days) if d > entered.at // DAY), None]:
        if day is not None and day not in legal:
            if (day + 1) * DAY in ends:
                run.append((day + 1) * DAY)
                a = LIMITS.presence_weight * LIMITS.presence + with_legal
                b = LIMITS.presence_weight * (1 - LIMITS.presence) + without
                steps = np.arange(len(run))
                chances.append(float(np.prod((b + steps) / (a + b + steps))))
            continue
        ended = closed if day is None else legal[day].at
        few = LIMITS.silent_days - 1
        found |= _rises("WITHDRAWN", run[few:], chances[few:], ended, until)
        without += len(run)
        with_legal += 1
        run, chances = [], []
    return found


@settings(max_examples=150, deadline=None)
@given(stream=st.one_of(deals(400, paper=0.15), deals(400, paper=0.01)))
def test_equals_the_formulas_computed_in_batch(stream: list[Observed]) -> None:
    until = stream[-1].at + 10 * DAY if stream else MONDAY
    streamed = {Found(e.form, e.raised_at, e.level, e.cleared_at) for e in newest(stream, until)}
    assert streamed == batch(stream, until)


def talk_days(first: int, count: int, *roles: Role, start: int = 100) -> list[Observed]:
    """One meeting on each of `count` days from day `first` on."""
    stream: list[Observed] = []
    for day in range(first, first + count):
        for place, role in enumerate((Role.CHAMPION, *roles)):
            at = MONDAY + day * DAY + place * MINUTE
            stream.append(said(start + len(stream), at, channel=Channel.VOICE, role=role))
    return stream


PROPOSAL = moved(1, MONDAY, Stage.PROPOSAL)


def forms(stream: list[Observed], days: float = 2.0) -> dict[str, Episode]:
    return {e.form: e for e in newest(stream, stream[-1].at + round(days * DAY))}


def test_legal_two_days_after_the_proposal_is_early_and_good_news() -> None:
    (early,) = forms([PROPOSAL, *talk_days(2, 1, Role.LEGAL)]).values()
    assert (early.form, early.polarity, early.level) == ("EARLY", Polarity.POSITIVE, Level.PUSHED)
    assert early.statistic < early.threshold < 0
    assert early.explanation.startswith("Legal joined 2 working days after the proposal of 2 March")
    assert set(early.evidence) == {"000001", "000101"}


def test_legal_at_the_usual_time_is_no_signal() -> None:
    assert not forms([PROPOSAL, *talk_days(1, 8), *talk_days(9, 5, Role.LEGAL, start=200)])


def test_legal_does_not_come_and_is_overdue_and_then_late() -> None:
    waiting = [PROPOSAL, *talk_days(1, 25)]
    overdue = forms(waiting)["OVERDUE"]
    assert (overdue.severity, overdue.cleared_at) == (Severity.WARNING, None)
    assert overdue.explanation.startswith("Nobody of the customer's legal has been heard ")
    came = forms([*waiting, *talk_days(28, 1, Role.PROCUREMENT, start=300)])
    assert came["OVERDUE"].cleared_at == came["LATE"].raised_at
    assert came["LATE"].explanation.startswith("Procurement joined 20 working days after")


def test_where_nothing_was_recorded_nobody_is_overdue_or_late() -> None:
    silent = [PROPOSAL, *talk_days(1, 1)]
    assert not forms(silent, days=60)
    assert not forms([*silent, *talk_days(30, 1, Role.LEGAL, start=300)])


def test_a_holiday_makes_nobody_overdue_and_nobody_early() -> None:
    before_spring_festival = MONDAY - 17 * DAY
    proposal = moved(1, before_spring_festival, Stage.PROPOSAL)
    assert not forms([proposal, *talk_days(-3, 5)])
    assert not forms([proposal, *talk_days(-4, 1, Role.LEGAL)])


def test_a_weekend_between_does_not_keep_legal_from_being_early() -> None:
    friday = moved(1, MONDAY + 4 * DAY, Stage.PROPOSAL)
    (early,) = forms([friday, *talk_days(8, 1, Role.LEGAL)]).values()
    assert early.explanation.startswith("Legal joined 2 working days after")


def test_legal_that_falls_silent_has_withdrawn_until_it_is_heard_again() -> None:
    active = [PROPOSAL, *talk_days(8, 4, Role.LEGAL)]
    silent = [*active, *talk_days(12, 6, start=200)]
    withdrawn = forms(silent)["WITHDRAWN"]
    assert withdrawn.explanation.startswith("Legal was last heard on 13 March 2026 and on none of")
    back = forms([*silent, *talk_days(18, 1, Role.LEGAL, start=300)])["WITHDRAWN"]
    assert back.cleared_at == MONDAY + 18 * DAY + MINUTE


def test_two_days_without_legal_say_nothing_however_often_it_was_there() -> None:
    stream = [PROPOSAL, *talk_days(8, 60, Role.LEGAL), *talk_days(68, 2, start=400)]
    assert "WITHDRAWN" not in forms(stream)


def test_closing_the_deal_ends_everything_and_nothing_begins_after_it() -> None:
    stream = [PROPOSAL, *talk_days(1, 30)]
    closed = moved(500, MONDAY + 31 * DAY, Stage.LOST)
    (overdue,) = forms([*stream, closed], days=90).values()
    assert overdue.cleared_at == closed.at
    assert overdue.explanation == "The deal was closed on 2 April 2026."


def test_a_proposal_that_no_change_shows_may_have_come_any_time_since_the_one_before() -> None:
    validation = moved(1, MONDAY, Stage.VALIDATION)
    negotiation = moved(2, MONDAY + 20 * DAY, Stage.NEGOTIATION)
    assert not forms([validation, negotiation, *talk_days(21, 2, Role.LEGAL)])


def test_legal_before_any_proposal_is_measured_from_the_qualification() -> None:
    qualification = moved(1, MONDAY, Stage.QUALIFICATION)
    (early,) = forms([qualification, *talk_days(7, 1, Role.INFOSEC)]).values()
    assert "Information security joined 5 working days after the qualification" in early.explanation


def on_contract(count: int, others: int) -> list[Observed]:
    stream = [said(100 + n, MONDAY + 2 * DAY + n * MINUTE) for n in range(others)]
    topics = topic_set(Topic.LEGAL)
    return stream + [
        said(200 + n, MONDAY + 2 * DAY + HOUR + n * MINUTE, role=Role.CHAMPION, topics=topics)
        for n in range(count)
    ]


def test_talk_about_the_contract_counts_when_there_is_enough_of_it() -> None:
    (early,) = forms([PROPOSAL, *on_contract(4, 10)]).values()
    assert early.explanation.startswith("Talk about the contract began 2 working days after")
    assert not forms([PROPOSAL, *on_contract(3, 10)])
    assert not forms([PROPOSAL, *on_contract(4, 40)])


def test_a_segment_has_its_own_reference() -> None:
    window = {"proposal": {"median": 1.4, "spread": 0.3},
              "qualification": {"median": 4.0, "spread": 0.3}}  # fmt: skip
    changes = {"legal_window_shift": {"segments": {"small": window}}}
    (detector,) = detectors(load_thresholds(changes))
    proposal = replace(PROPOSAL, segment="small")
    stream = [proposal, *talk_days(2, 1, Role.LEGAL)]
    assert not list(replay(detector, stream, MONDAY + 3 * DAY))


def test_references_are_learnt_from_won_deals_and_drawn_towards_the_prior() -> None:
    prior = LIMITS.usual.proposal
    days = [float(day) for day in range(2, 42)]
    seen = [(asinh(day), 1.0) for day in days]
    found = reference_of(seen, prior, 20)
    exact = float(np.median(np.arcsinh(days)))
    assert found.median == pytest.approx(prior.median + (exact - prior.median) * 40 / 60)
    assert found.deals == 40
    assert reference_of(seen[:19], prior, 20) == prior


def test_the_delays_of_a_deal_are_those_the_detector_measures() -> None:
    qualification = moved(0, MONDAY - 3 * DAY, Stage.QUALIFICATION)  # the Saturday is worked
    stream = [qualification, PROPOSAL, *talk_days(2, 1, Role.LEGAL)]
    found = delays(stream, TIMES, LIMITS)
    assert found.proposal == pytest.approx(2 * 7 / 5, abs=0.01)
    assert found.qualification == pytest.approx(4 * 7 / 5, abs=0.01)
    assert delays(stream[:2], TIMES, LIMITS) == Delays(None, None)
