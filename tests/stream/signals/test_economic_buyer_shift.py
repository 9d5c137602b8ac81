"""S4 against its formula computed anew from the whole stream, and as people would meet it."""

import random
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, Channel, Level, Polarity, Role, Severity, Stage
from dealgraph.stream.signals.detector import Episode, Observed
from dealgraph.stream.signals.economic_buyer_shift import EconomicBuyerShift, detectors
from dealgraph.stream.signals.participation import listener, moments
from dealgraph.stream.signals.replay import replay
from dealgraph.stream.signals.thresholds import ThresholdError, load_thresholds
from tests.support.observed import DAY, HOUR, MINUTE, START, observed

THRESHOLDS = load_thresholds()
LISTENER = listener(THRESHOLDS)
(DETECTOR,) = detectors(THRESHOLDS)
LATER = START + 2_000 * DAY
EVERY = 3 * DAY + 5 * HOUR


def said(number: int, at: int, session: str, role: Role, talk_ms: int) -> Observed:
    person = f"mail:{role.name}@x.example"
    return observed(number, at, session=session, role=role, talk_ms=talk_ms, person=person)


def meeting(number: int, at: int, buyer: float, minutes: int = 4) -> list[Observed]:
    """A meeting of four actions in which the buyer has a part `buyer` of the talk."""
    whole = minutes * MINUTE
    talk = round(whole * buyer)
    session, first = f"m{number}", number * 10
    found = [
        said(first + n, at + n * MINUTE, session, Role.CHAMPION, (whole - talk) // 3)
        for n in range(3)
    ]
    if talk:
        found.append(said(first + 3, at + 3 * MINUTE, session, Role.ECONOMIC_BUYER, talk))
    return found


def meetings(*buyer: float, every: int = EVERY) -> list[Observed]:
    return [a for n, share in enumerate(buyer) for a in meeting(n, START + n * every, share)]


def stage(number: int, at: int, stage: Stage) -> Observed:
    return observed(number, at, kind=ActionKind.STAGE_CHANGE, stage=stage, role=Role.UNKNOWN)


def found(stream: list[Observed], until: int = LATER) -> list[Episode]:
    return list(replay(DETECTOR, sorted(stream, key=lambda a: (a.at, a.id)), until))


def raised(stream: list[Observed]) -> list[tuple[str, int]]:
    return [(e.form, e.at) for e in found(stream) if e.raised_at == e.at and e.cleared_at is None]


# The formula, in batch -------------------------------------------------------------------------------


def conversations(stream: list[Observed]) -> list[tuple[int, int, float]]:
    """(end, at, participation) of every conversation, in the order of their ends."""
    parts: dict[tuple[str, int], list[Observed]] = {}
    runs: dict[str, int] = {}
    newest: dict[str, int] = {}
    for a in stream:
        if a.channel is not Channel.VOICE or a.role is Role.UNKNOWN:
            continue
        if a.at - newest.get(a.session, -HOUR) >= HOUR:
            runs[a.session] = runs.get(a.session, 0) + 1
        newest[a.session] = a.at
        parts.setdefault((a.session, runs[a.session]), []).append(a)
    result = []
    for said_in in parts.values():
        talk = sum(a.exposure_ms for a in said_in)
        buyers = [a for a in said_in if a.role in (Role.ECONOMIC_BUYER, Role.EXECUTIVE)]
        if talk < MINUTE:
            continue
        y = min(1.0, sum(a.exposure_ms for a in buyers) / talk / 0.1)
        at = buyers[0].at if y >= 0.5 else said_in[0].at
        result.append((said_in[-1].at + HOUR, at, y))
    return sorted(result)


def changes(stream: list[Observed]) -> list[tuple[str, int, bool]]:
    """(form, at, open) of each change of state, from the formula alone."""
    talks = conversations(stream)
    result: list[tuple[str, int, bool]] = []
    for form, sign, drift, level in (("ENTERED", 1, 0.7, 4.0), ("FELL", -1, 0.5, 3.1)):
        total, run, is_open, low, ended = 0.0, 0, False, None, None
        for place, (end, at, y) in enumerate(talks):
            if is_open and low is not None and low + 21 * DAY <= end:
                is_open, ended = False, low + 21 * DAY
                result.append((form, low + 21 * DAY, False))
            old = [o[2] for o in talks[:place] if o[1] <= at - 21 * DAY]
            mean = (4 * 0.39 + sum(old)) / (4 + len(old))
            spread = max(0.25, sqrt(mean * (1 - mean)))
            total = max(0.0, total + sign * (y - mean) / spread - drift)
            run = run + 1 if total else 0
            before = [o[2] >= 0.5 for o in talks[: place + 1 - run]]
            tells = (y >= 0.5 and len(old) >= 3) if sign > 0 else (y < 0.5 and sum(before) >= 2)
            if not is_open:
                low = None
                if tells and total >= level and (ended is None or end - ended >= DAY):
                    is_open = True
                    result.append((form, end, True))
            elif total >= level / 2:
                low = None
            elif low is None:
                low = end
        if is_open and low is not None:
            result.append((form, low + 21 * DAY, False))
    return sorted(result, key=lambda change: (change[1], change[0]))


def random_meetings(seed: int, length: int) -> list[Observed]:
    chance, at, presence = random.Random(seed), START, 0.4
    stream: list[Observed] = []
    for number in range(length):
        if number % 8 == 0:
            presence = chance.choice([0.0, 0.1, 0.4, 0.9, 1.0])
        at += chance.choice([2 * HOUR, DAY, 3 * DAY, 4 * DAY, 30 * DAY])
        share = chance.choice([0.02, 0.08, 0.3]) if chance.random() < presence else 0.0
        stream += meeting(number, at, share, chance.choice([0, 1, 4]))
    return stream


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 80))
def test_raises_and_clears_exactly_when_the_formula_says(seed: int, length: int) -> None:
    stream, is_open, seen = random_meetings(seed, length), {"ENTERED": False, "FELL": False}, []
    for episode in found(stream):
        if (episode.cleared_at is None) != is_open[episode.form]:
            is_open[episode.form] = episode.cleared_at is None
            seen.append((episode.form, episode.at, is_open[episode.form]))
    assert sorted(seen, key=lambda change: (change[1], change[0])) == changes(stream)


# As people would meet it ----------------------------------------------------------------------------


def test_a_buyer_who_begins_to_come_has_entered() -> None:
    stream = meetings(*[0.0] * 10, *[0.3] * 4)
    (first, *_) = found(stream)
    assert (first.form, first.polarity, first.level) == (
        "ENTERED",
        Polarity.POSITIVE,
        Level.RECORDED,
    )
    assert first.severity is Severity.INFO
    assert first.explanation == (
        "The economic buyer or executive took part in 3 of 3 conversations since 4 April 2026; "
        "before it was 16%."
    )
    assert first.evidence == ("000103", "000113", "000123")


def test_a_buyer_who_stays_away_fell_and_the_last_time_is_named() -> None:
    stream = meetings(*[0.3] * 10, *[0.0] * 4)
    first = next(e for e in found(stream) if e.form == "FELL")
    assert first.polarity is Polarity.NEGATIVE
    assert first.explanation.endswith("and the last time was 1 April 2026.")
    assert first.statistic >= first.threshold


def test_what_is_very_clear_is_pushed() -> None:
    levels = [e.level for e in found(meetings(*[0.0] * 10, *[0.3] * 8)) if e.form == "ENTERED"]
    assert levels[0] is Level.RECORDED
    assert Level.PUSHED in levels


def test_a_buyer_who_never_came_cannot_stay_away() -> None:
    assert raised(meetings(*[0.0] * 40)) == []


def test_a_buyer_who_was_there_from_the_start_does_not_enter() -> None:
    assert raised(meetings(*[0.3] * 6)) == []


def test_a_buyer_who_comes_now_and_then_raises_nothing() -> None:
    assert raised(meetings(*[0.3, 0.0, 0.0, 0.3, 0.0] * 8)) == []


def test_silence_is_no_absence() -> None:
    assert raised(meetings(*[0.3, 0.0, 0.3, 0.0, 0.3])) == []
    assert len(found(meetings(*[0.3] * 10), LATER)) == len(
        found(meetings(*[0.3] * 10), START + 60 * DAY)
    )


def test_chats_and_people_whose_role_nobody_knows_count_on_neither_side() -> None:
    stream = meetings(*[0.0] * 10, *[0.3] * 6)
    written = [replace(a, channel=Channel.CHAT) for a in stream]
    unknown = [replace(a, role=Role.UNKNOWN) for a in stream]
    assert raised(written) == raised(unknown) == []


def test_two_meetings_at_once_are_two_conversations() -> None:
    one, other = meeting(0, START, 0.0), meeting(1, START + MINUTE // 2, 0.3)
    mixed = sorted([*one, *other], key=lambda a: (a.at, a.id))
    assert moments(mixed, LISTENER) == (2, 1.0, 1.0)


def test_it_ends_a_window_after_the_buyer_came_no_more() -> None:
    stream = meetings(*[0.0] * 10, *[0.3] * 5, *[0.0] * 10)
    last = [e for e in found(stream, START + 160 * DAY) if e.form == "ENTERED"][-1]
    assert last.cleared_at is not None
    assert last.cleared_at > START + 15 * EVERY + 21 * DAY


def test_the_end_of_the_deal_ends_it() -> None:
    stream = meetings(*[0.0] * 10, *[0.3] * 6)
    closed = stage(999, START + 60 * DAY, Stage.WON)
    last = found([*stream, closed])[-1]
    assert (last.form, last.cleared_at) == ("ENTERED", START + 60 * DAY)
    assert raised([stage(999, START - DAY, Stage.LOST), *stream]) == []


def test_a_role_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ThresholdError, match="there is no role 'BOSS'"):
        detectors(load_thresholds({"participation": {"seniority": {"BOSS": 1.0}}}))


def test_the_version_changes_with_the_words_of_participation() -> None:
    (other,) = detectors(load_thresholds({"participation": {"full_share": 0.2}}))
    assert isinstance(other, EconomicBuyerShift)
    assert other.version != DETECTOR.version
