"""The whole world as one stream in order of arrival, drawn piece by piece.

Deals open on the calendars of their reps; a deal is planned when it opens, a conversation is drawn when it
begins. Two heaps hold what was planned and what is on its way, so memory follows the number of open deals
and not the length of the stream. Ties are broken by names: the order is total.
"""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dealgraph.stream.calendar import (
    DAY_MS,
    WEEKENDS_ONLY,
    BusinessTime,
    WorkingHours,
    china,
)
from dealgraph.stream.world.deal import Deal, Slot, SlotKind, make_deal
from dealgraph.stream.world.disorder import Records, opted_out
from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.event import Event
from dealgraph.stream.world.letters import Clocks, Turn, answer_mail, chat, mails, plan_turns
from dealgraph.stream.world.meeting import Meeting, choose_hint
from dealgraph.stream.world.notes import account_merge, consents, history, merges, note
from dealgraph.stream.world.people import Rep, make_rep
from dealgraph.stream.world.scenario import Scenario
from dealgraph.stream.world.schedule import plan, stage_name
from dealgraph.stream.world.truth import DealTruth, Ledger, MeetingTruth, RepTruth, Truth

_BEYOND_DAYS: Final = 500
_CONSENT_BEFORE_MS: Final = DAY_MS
_EUROPE_HOURS: Final = ((540, 750), (810, 1050))


class _Running(Struct):
    """A deal that is open: what is planned in it and what was noted of it."""

    deal: Deal
    turns: dict[int, tuple[Turn, ...]]
    records: Records
    ledger: Ledger
    stage: str = ""
    left: int = 0
    customer: str = ""
    moved_at: int = 1 << 62


class World:
    """A world to be drawn: the same scenario and seed always give the same stream and truth."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.seed = seed
        self.start = round(datetime.combine(scenario.start, time(), UTC).timestamp() * 1000)
        self.end = self.start + scenario.days * DAY_MS
        self._opted_out = opted_out(scenario, seed)
        self._times: dict[tuple[str, int], BusinessTime] = {}
        self.truth: list[Truth] = []
        """Truth that was not yet taken; whoever reads the stream empties it."""

    def business_time(self, rep: Rep) -> BusinessTime:
        """Return the business time of a rep and their customers."""
        key = (rep.language, rep.offset_minutes)
        if key not in self._times:
            chinese = rep.language == "zh"
            hours = WorkingHours(
                WorkingHours().spans if chinese else _EUROPE_HOURS, rep.offset_minutes
            )
            first = self.scenario.start - timedelta(days=30)
            last = self.scenario.start + timedelta(days=self.scenario.days + _BEYOND_DAYS)
            self._times[key] = BusinessTime(
                china() if chinese else WEEKENDS_ONLY, hours, first, last
            )
        return self._times[key]

    def events(self) -> Iterator[Event]:
        """Yield everything that arrives, in order of arrival; each with the time of it as recorded."""
        on_their_way: list[tuple[int, str, int, Event]] = []
        planned: list[tuple[int, str, int, Slot | None, _Running | Rep]] = []
        for number in range(self.scenario.reps):
            rep = make_rep(self.seed, number, self.scenario.chinese_share)
            self._introduce(rep, on_their_way)
            first = self._opening(rep, 0, self.start, first=True)
            heapq.heappush(planned, (first, f"{number:04d}", 0, None, rep))
        while planned or on_their_way:
            if planned and (not on_their_way or planned[0][0] <= on_their_way[0][0]):
                at, key, number, slot, what = heapq.heappop(planned)
                if at >= self.end:
                    self._give_up(what)
                elif isinstance(what, Rep):
                    self._open(what, number, at, planned, on_their_way)
                else:
                    self._take_place(what, slot, key, on_their_way)
            else:
                yield _stamped(heapq.heappop(on_their_way)[3])

    def _opening(self, rep: Rep, number: int, after: int, *, first: bool = False) -> int:
        draws = Draws(self.seed, "opening", rep.number, number)
        scenario = self.scenario
        mean = scenario.days / scenario.deals_per_rep * DAY_MS
        gap = draws.between(0.0, min(scenario.opening_days * DAY_MS, mean)) if first else (
            draws.exponential(mean)
        )  # fmt: skip
        return self.business_time(rep).after(after + round(gap), 0)

    def _introduce(self, rep: Rep, on_their_way: list[tuple[int, str, int, Event]]) -> None:
        out = rep.number in self._opted_out
        self.truth.append(RepTruth.of(rep, out))
        at = self.start - _CONSENT_BEFORE_MS
        for place, event in enumerate(consents(rep, opted_out=out, at=at)):
            heapq.heappush(on_their_way, (at, f"{rep.number:04d}", place, event))

    def _open(
        self,
        rep: Rep,
        number: int,
        at: int,
        planned: list[tuple[int, str, int, Slot | None, _Running | Rep]],
        on_their_way: list[tuple[int, str, int, Event]],
    ) -> None:
        """Open a deal: plan it, state who is who, and plan the rep's next one."""
        clock = self.business_time(rep)
        deal = make_deal(self.scenario, self.seed, rep, number, at, clock)
        slots = plan(deal, self.scenario, self.seed, clock)
        turns = plan_turns(deal, slots, self.scenario, self.seed, Clocks(clock, clock))
        out = rep.number in self._opted_out
        running = _Running(
            deal, turns, Records(deal, self.scenario, self.seed), Ledger(deal, opted_out=out)
        )
        disorder = self.scenario.disorder
        draws = Draws(self.seed, "merges", deal.key)
        stated = [*history(deal), *merges(deal, disorder, draws)]
        moved = account_merge(deal, disorder, draws)
        if moved is not None and moved.arrives < deal.course.close:
            stated.append(moved)
            running.moved_at = moved.arrives
            running.customer = f"{deal.customer.id}-main"
        for place, event in enumerate(stated):
            heapq.heappush(on_their_way, (event.arrives, f"{deal.key}/", place, event))
        for slot in slots:
            when = running.turns[slot.number][0].at if slot.number in turns else slot.at
            if slot.kind in (SlotKind.THREAD, SlotKind.MAIL) and slot.number not in turns:
                continue
            running.left += 1
            heapq.heappush(planned, (when, deal.key, slot.number, slot, running))
        following = self._opening(rep, number + 1, at)
        heapq.heappush(planned, (following, f"{rep.number:04d}", number + 1, None, rep))

    def _take_place(
        self,
        running: _Running,
        slot: Slot | None,
        key: str,
        on_their_way: list[tuple[int, str, int, Event]],
    ) -> None:
        """Let a planned slot happen, and send on what is recorded of it."""
        if slot is None:
            return
        happened = self._happen(running, slot)
        place = 0
        if running.moved_at <= slot.at:
            happened = [_moved(event, running.customer) for event in happened]
        told = {event.interaction.native_id: event for event in happened}
        for event in running.records.recorded(happened):
            if event.arrives >= self.end:
                continue
            heapq.heappush(on_their_way, (event.arrives, f"{key}/{slot.number:05d}", place, event))
            place += 1
            if event.words is not None:
                told.pop(event.interaction.native_id, None)
                self._note(running, event, observed=True)
        for event in told.values():
            self._note(running, event, observed=False)
        self._give_up(running)

    def _note(self, running: _Running, event: Event, *, observed: bool) -> None:
        truth = running.ledger.note(event, observed=observed)
        if truth is not None:
            self.truth.append(truth)

    def _give_up(self, what: _Running | Rep) -> None:
        """Count a slot as done; after the last one the truth of the deal is complete."""
        if isinstance(what, Rep):
            return
        what.left -= 1
        if what.left == 0:
            self.truth.append(DealTruth.of(what.deal, what.ledger))

    def _happen(self, running: _Running, slot: Slot) -> list[Event]:
        deal, scenario = running.deal, self.scenario
        draws = Draws(self.seed, "talk", deal.key, slot.number)
        if slot.kind is SlotKind.MEETING:
            if deal.rates(scenario, slot.at).silent:
                return []
            meeting = Meeting(deal, slot, scenario, draws, choose_hint(scenario, draws))
            events = meeting.events()
            if meeting.hint is not None:
                self.truth.append(MeetingTruth.of(deal, meeting, events))
            return events
        if slot.kind is SlotKind.THREAD:
            return chat(deal, slot, running.turns[slot.number], scenario, draws)
        if slot.kind is SlotKind.MAIL:
            return mails(deal, slot, running.turns[slot.number], scenario, draws)
        if slot.kind is SlotKind.ANSWER_MAIL:
            return answer_mail(deal, slot, scenario, draws)
        event = note(deal, slot, running.stage)
        if slot.kind is SlotKind.STAGE:
            running.stage = stage_name(slot.code)
        return [event]


def _stamped(event: Event) -> Event:
    """Return the event with the time of its arrival as the time at which it was recorded."""
    event.interaction = replace(event.interaction, recorded_at=event.arrives)
    return event


def _moved(event: Event, customer: str) -> Event:
    event.interaction = replace(event.interaction, customer=customer)
    return event
