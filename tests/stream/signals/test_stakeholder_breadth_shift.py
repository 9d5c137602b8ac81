"""S3 against its formula computed anew from the whole stream, and as people would meet it."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, Channel, Level, Polarity, Role, Side, Stage
from dealgraph.stream.signals.detector import Episode, Observed
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.stakeholder_breadth_shift import (
    BreadthThresholds,
    detectors,
    moments,
)
from dealgraph.stream.signals.thresholds import load_thresholds
from tests.support.observed import DAY, HOUR, MINUTE, START, observed

(DETECTOR,) = detectors(load_thresholds())
LIMITS = load_thresholds().section("stakeholder_breadth_shift", BreadthThresholds)
LATER = START + 2_000 * DAY
PAPER = (Role.LEGAL, Role.PROCUREMENT, Role.INFOSEC)


def said(number: int, at: int, who: str, role: Role = Role.USER, session: str = "") -> Observed:
    return observed(number, at, session=session or f"s{number}", person=who, role=role)


def weeks(*people: str, since: int = START, number: int = 0, count: int = 1) -> list[Observed]:
    """`count` weeks in which each of `people` is heard on two days."""
    return [
        said(number + week * 100 + day * 20 + n, since + (7 * week + 3 * day) * DAY + n * HOUR, who)
        for week in range(count)
        for day in range(2)
        for n, who in enumerate(people)
    ]


def move(number: int, at: int, stage: Stage) -> Observed:
    return observed(number, at, kind=ActionKind.STAGE_CHANGE, stage=stage, side=Side.REP)


def found(stream: list[Observed], until: int = LATER) -> list[Episode]:
    return list(replay(DETECTOR, sorted(stream, key=lambda a: (a.at, a.id)), until))


def raised(stream: list[Observed]) -> list[str]:
    return [e.form for e in found(stream) if e.raised_at == e.at and e.cleared_at is None]


# The formula, in batch -------------------------------------------------------------------------------


def appearances(stream: list[Observed]) -> list[Observed]:
    newest: dict[str, Observed] = {}
    result = []
    for action in stream:
        last = newest.get(action.person)
        newest[action.person] = action
        if last is None or last.session != action.session or action.at - last.at >= HOUR:
            result.append(action)
    return result


def breadth(seen: list[Observed], clock: np.ndarray, life: float, *, paper: bool) -> float:
    """B at the last appearance of `seen`."""
    last = {a.person: clock[n] for n, a in enumerate(seen) if paper or a.role not in PAPER}
    return float(sum(2.0 ** (-(clock[len(seen) - 1] - at) / life) for at in last.values()))


def sizes(stream: list[Observed]) -> list[tuple[int, float, float]]:
    """(at, z, B of threads) at every appearance."""
    seen = appearances(stream)
    if not seen:
        return []
    gaps = np.minimum(np.diff([a.at for a in seen], prepend=seen[0].at) / DAY, 2.0)
    clock = np.cumsum(gaps)
    marks: list[tuple[float, float, int]] = []
    result, count = [], 0
    for n, action in enumerate(seen):
        past = seen[: n + 1]
        now = breadth(past, clock, 14.0, paper=False)
        if action.role not in PAPER:
            count += 1
            if len(marks) > 1 and clock[n] - marks[-2][0] < 0.5:
                marks.pop()
            marks.append((clock[n], now, count))
            while len(marks) > 1 and marks[1][0] <= clock[n] - 15.0:
                marks.pop(0)
        z = 0.0
        if marks and marks[0][0] <= clock[n] - 15.0 and marks[0][2] >= 10:
            z = (now - marks[0][1] - 0.08) / 0.63
        result.append((action.at, z, breadth(past, clock, 3.0, paper=True)))
    return result


def changes(stream: list[Observed]) -> list[tuple[str, int, bool]]:
    """(form, at, open) of each change of state, from the formula alone; the deal is at its proposal."""
    result = []
    for form in ("WIDEN", "NARROW", "SINGLE_THREADED"):
        is_open, low, ended = False, None, None
        for at, z, threads in sizes(stream):
            if is_open and low is not None and low + 14 * DAY <= at:
                is_open, ended = False, low + 14 * DAY
                result.append((form, ended, False))
            size = -z if form == "NARROW" else z
            level = 2.75 if form == "NARROW" else 3.3
            on, off = size >= level, size < level / 2
            if form == "SINGLE_THREADED":
                on, off = threads < 1.5, threads >= 1.5
            if not is_open:
                low = None
                if on and (ended is None or at - ended >= DAY):
                    is_open = True
                    result.append((form, at, True))
            elif not off:
                low = None
            elif low is None:
                low = at
        if is_open and low is not None:
            result.append((form, low + 14 * DAY, False))
    return sorted(result, key=lambda change: (change[1], change[0]))


def random_deal(seed: int, length: int) -> list[Observed]:
    chance, at, stream = random.Random(seed), START, list[Observed]()
    people = [(f"p{n}", chance.choice([Role.USER, Role.CHAMPION, Role.LEGAL])) for n in range(9)]
    circle = people[:3]
    for number in range(length):
        if number % 25 == 0:
            circle = chance.sample(people, chance.choice([1, 2, 5, 9]))
        at += chance.choice([MINUTE, HOUR, 5 * HOUR, DAY, 4 * DAY])
        who, role = chance.choice(circle)
        stream.append(said(number, at, who, role, chance.choice(["a", "b", ""])))
    return stream


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 150))
def test_raises_and_clears_exactly_when_the_formula_says(seed: int, length: int) -> None:
    stream, is_open, seen = random_deal(seed, length), dict[str, bool](), []
    for episode in found([move(0, START - DAY, Stage.PROPOSAL), *stream]):
        if (episode.cleared_at is None) != is_open.get(episode.form, False):
            is_open[episode.form] = episode.cleared_at is None
            seen.append((episode.form, episode.at, is_open[episode.form]))
    assert sorted(seen, key=lambda change: (change[1], change[0])) == changes(stream)


# As people would meet it ----------------------------------------------------------------------------


def test_new_people_widen_the_circle() -> None:
    before = weeks("ann", "bo", "cy", count=6)
    after = weeks("ann", "bo", "cy", "di", "ed", "fu", "gi", since=START + 42 * DAY, number=600)
    (episode,) = [e for e in found([*before, *after], START + 50 * DAY) if e.form == "WIDEN"]
    assert episode.polarity is Polarity.POSITIVE
    assert episode.explanation.endswith("New are: user.")
    assert "on 17 March 2026 it was 3.0" in episode.explanation


def test_people_who_are_heard_no_more_narrow_it() -> None:
    before = weeks("ann", "bo", "cy", "di", "ed", "fu", count=6)
    after = weeks("ann", "bo", since=START + 42 * DAY, number=600, count=4)
    narrow = [e for e in found([*before, *after], START + 70 * DAY) if e.form == "NARROW"]
    assert narrow[0].level is Level.RECORDED
    assert narrow[0].statistic <= narrow[0].threshold < 0
    assert narrow[0].explanation.endswith("Not heard lately: user.")


def test_the_silence_of_all_is_no_narrowing() -> None:
    before = weeks("ann", "bo", "cy", "di", "ed", "fu", count=6)
    after = weeks("ann", "bo", "cy", "di", "ed", "fu", since=START + 100 * DAY, number=600)
    assert raised([*before, *after]) == []


def test_people_of_the_paper_process_widen_nothing() -> None:
    before = weeks("ann", "bo", "cy", count=6)
    after = weeks("ann", "bo", "cy", "di", "ed", "fu", "gi", since=START + 42 * DAY, number=600)
    paper = [replace(a, role=Role.LEGAL) if a.person > "cy" else a for a in after]
    assert raised([*before, *paper]) == []


def test_too_little_before_says_nothing() -> None:
    after = weeks("ann", "bo", "cy", "di", "ed", "fu", "gi", since=START + 21 * DAY, number=600)
    assert raised([*weeks("ann", count=3), *after]) == []


def test_one_person_alone_at_the_proposal_is_single_threaded() -> None:
    alone = weeks("ann", since=START + 21 * DAY, number=600, count=3)
    deal = [*weeks("ann", "bo", "cy", count=3), *alone]
    assert "SINGLE_THREADED" not in raised(deal)
    stream = [*deal, move(999_999, START + 20 * DAY, Stage.PROPOSAL)]
    first, *more = [e for e in found(stream, START + 45 * DAY) if e.form == "SINGLE_THREADED"]
    assert first.statistic > first.threshold
    assert first.explanation.endswith("the last one heard beside the user spoke on 20 March 2026.")
    assert more[-1].level is Level.PUSHED


def test_the_end_of_the_deal_ends_it_and_afterwards_nothing_is_watched() -> None:
    alone = weeks("ann", since=START, number=0, count=6)
    offer = move(900_000, START + 7 * DAY, Stage.PROPOSAL)
    lost = move(900_001, START + 20 * DAY, Stage.LOST)
    assert [e.cleared_at for e in found([*alone, offer, lost])][-1] == lost.at
    assert raised([lost, *weeks("ann", since=START + 21 * DAY, count=6)]) == []


def test_what_the_crm_notes_is_no_appearance() -> None:
    noted = [replace(a, channel=Channel.CRM) for a in weeks("ann", "bo", count=9)]
    assert moments(noted, LIMITS) == (0, 0.0, 0.0)


def test_moments_are_of_the_changes_over_the_lag() -> None:
    count, total, squares = moments(weeks("ann", "bo", "cy", count=12), LIMITS)
    assert count > 20
    assert abs(total / count) < 0.15
    assert squares / count < 0.1
