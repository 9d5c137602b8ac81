"""What is planned in a deal: meetings of each stage, chats, mails, and what the rep notes in the CRM.

Meetings, chats and mails follow each other at gaps of working time that are Erlang-2 distributed (the mean
of two exponentials): more even than a Poisson process, so that a long silence is rare by chance.
Each stage begins with a meeting of its own.
"""

from collections.abc import Iterator
from typing import Final

from dealgraph.stream.calendar import MINUTE_MS, BusinessTime
from dealgraph.stream.world.course import Course
from dealgraph.stream.world.deal import WITH_LEGAL, Deal, Slot, SlotKind
from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.paths import ACTIVITIES, SIDE_ACTIVITIES
from dealgraph.stream.world.scenario import Plant, Scenario

_ROOM_MS: Final = 60 * MINUTE_MS
"""A meeting begins at least so long before a break, and is over by then."""
_LOGGED: Final = frozenset("MTPBFKGHEL")
"""Codes whose beginning a rep notes as an activity."""
_WEEK_DAYS: Final = 5
_FORCED: Final = 3


def plan(deal: Deal, scenario: Scenario, seed: int, time: BusinessTime) -> list[Slot]:
    """Return the slots of a deal in order of time, numbered."""
    draws = Draws(seed, "plan", deal.key)
    course = deal.course
    slots = [
        *_meetings(course, scenario, draws, time),
        *_spread(course, scenario.pace.threads_per_week, SlotKind.THREAD, draws, time),
        *_spread(course, scenario.pace.mails_per_week, SlotKind.MAIL, draws, time),
        *_notes(deal, draws, time),
    ]
    if scenario.curious:
        segment = f"segment={deal.customer.segment}"
        slots.append(Slot(course.opened, 0, SlotKind.FIELD, value=segment))
    slots.sort(key=lambda slot: slot.at)
    late = course.plant(Plant.DELIVERY_ANSWERED_LATE)
    if late is not None:
        _answer_late(slots, late.start, draws, time)
        slots.sort(key=lambda slot: slot.at)
    for number, slot in enumerate(slots):
        slot.number = number
    return slots


def _gap(draws: Draws, per_week: float, day_ms: int) -> int:
    mean = _WEEK_DAYS * day_ms / per_week
    return round((draws.exponential(mean / 2.0)) + draws.exponential(mean / 2.0))


def _meetings(
    course: Course, scenario: Scenario, draws: Draws, time: BusinessTime
) -> Iterator[Slot]:
    if course.plant(Plant.LEGAL_EARLY) is not None and course.legal < course.last:
        yield Slot(with_room(course.legal, time), 0, SlotKind.MEETING, value=WITH_LEGAL)
    for episode in course.episodes:
        if episode.quiet or episode.code in "WXFH":
            continue
        code = "" if episode.code == "~" else episode.code
        at = with_room(episode.start + draws.whole(5, 50) * MINUTE_MS, time)
        if code:
            yield Slot(at, 0, SlotKind.MEETING, code, episode.audience)
        if code == "E":
            continue
        while True:
            at = time.after(at, _gap(draws, scenario.pace.meetings_per_week, time.day_ms))
            at = with_room(at, time)
            if at >= episode.end:
                break
            yield Slot(at, 0, SlotKind.MEETING, code, episode.audience)


def with_room(at: int, time: BusinessTime) -> int:
    """Return the first moment from `at` on that leaves room for a meeting before the next break."""
    at = time.after(at, 0)
    if not time.is_open(at + _ROOM_MS) or time.between(at, at + _ROOM_MS) < _ROOM_MS:
        at = time.after(at, time.between(at, at + _ROOM_MS) + 1)
    return at


def _spread(
    course: Course, per_week: float, kind: SlotKind, draws: Draws, time: BusinessTime
) -> Iterator[Slot]:
    quiet = [(e.start, e.end) for e in course.episodes if e.quiet]
    at = course.opened
    while per_week > 0.0:
        at = time.after(at, _gap(draws, per_week, time.day_ms))
        if at >= course.last:
            return
        if not any(start <= at < end for start, end in quiet):
            yield Slot(at, 0, kind)


def _notes(deal: Deal, draws: Draws, time: BusinessTime) -> Iterator[Slot]:
    """Yield what stands in the CRM: stages with a lag, activities, the amount, the expected close."""
    course = deal.course
    yield Slot(course.opened, 0, SlotKind.FIELD, value=f"amount={deal.amount}")
    quotes = 0
    for episode in course.episodes:
        code = episode.code
        if code not in SIDE_ACTIVITIES and code != "~":
            lag = round(draws.exponential(90 * MINUTE_MS))
            yield Slot(time.after(episode.start, lag), 0, SlotKind.STAGE, code)
        if code in _LOGGED:
            at = time.after(episode.start, draws.whole(60, 150) * MINUTE_MS)
            yield Slot(at, 0, SlotKind.ACTIVITY, code, value="begun")
        if code in "BK":
            yield Slot(episode.end, 0, SlotKind.ACTIVITY, code, value="done")
        if code == "P":
            quotes += 1
            at = time.after(episode.start, 120 * MINUTE_MS)
            yield Slot(at, 0, SlotKind.FIELD, value=f"quote_version={quotes}")
    if course.slipped:
        at = max(course.opened, time.after(course.close, -6 * time.day_ms))
        yield Slot(at, 0, SlotKind.FIELD, value="close_date=slipped")


def _answer_late(slots: list[Slot], start: int, draws: Draws, time: BusinessTime) -> None:
    """Plan three unanswered asks and, after the second, a mail that answers and arrives too late."""
    later = [s for s in slots if s.at >= start and s.kind in (SlotKind.MEETING, SlotKind.THREAD)]
    asked: list[Slot] = []
    for slot in later:
        if len(asked) < _FORCED and (not asked or slot.at > asked[-1].at + 24 * _ROOM_MS):
            slot.asks = 1
            asked.append(slot)
    if len(asked) < _FORCED:
        return
    at = time.after(asked[1].at, 5 * _ROOM_MS)
    arrives = time.after(asked[2].at, draws.whole(1, 3) * time.day_ms)
    if at < asked[2].at:
        slots.append(Slot(at, 0, SlotKind.ANSWER_MAIL, held_until=arrives))


def stage_name(code: str) -> str:
    """Return the name of a stage as the CRM has it."""
    return ACTIVITIES[code].replace("_", " ").title()
