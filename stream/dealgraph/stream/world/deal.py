"""A deal: its people, its course, and the list of everything that will be said and noted in it.

Conversations are planned here and drawn only when their time comes (`Slot.number` names their draws), so a
deal that waits takes little memory.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Role
from dealgraph.stream.calendar import BusinessTime
from dealgraph.stream.world.course import Course, draw_course
from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.paths import SIDE_ACTIVITIES
from dealgraph.stream.world.people import (
    BUYERS,
    PAPER,
    Contact,
    Customer,
    Rep,
    make_customer,
    names,
)
from dealgraph.stream.world.rates import Rates, Wobble, note_baselines, rates_at
from dealgraph.stream.world.scenario import Plant, Scenario

_NEEDED: Final = {
    Plant.WIDEN: (Role.USER, Role.ENGINEER, Role.USER, Role.USER, Role.ENGINEER, Role.USER),
    Plant.NARROW: (Role.USER, Role.ENGINEER, Role.USER),
}
_FIRST_NEEDED: Final = 5


WITH_LEGAL: Final = "legal"
"""`value` of a meeting that belongs to no stage and in which legal takes part."""


class SlotKind(StrEnum):
    """What happens at a slot."""

    MEETING = "meeting"
    THREAD = "thread"
    MAIL = "mail"
    ANSWER_MAIL = "answer_mail"
    STAGE = "stage"
    ACTIVITY = "activity"
    FIELD = "field"


class Slot(Struct):
    """Something planned: when it begins (ms), and the stage or activity it belongs to ("" none).

    `asks` is the number of delivery asks that are planned for it, -1 when chance decides. `held_until` is
    when a late record of it arrives, 0 when at once.
    """

    at: int
    number: int
    kind: SlotKind
    code: str = ""
    audience: int = 0
    value: str = ""
    asks: int = -1
    held_until: int = 0


class Deal(Struct, frozen=True):
    """A deal with its people, its course and its hidden states over time."""

    key: str
    rep: Rep
    customer: Customer
    course: Course
    wobble: Wobble
    product: str
    competitor: str
    other: str
    system: str
    amount: int
    has_history: bool

    @property
    def id(self) -> str:
        """The id of the opportunity."""
        return f"opp-{self.key}"

    @property
    def language(self) -> str:
        """The language in which people talk."""
        return self.customer.language

    @property
    def champion(self) -> Contact:
        """The champion of the committee."""
        return self.customer.contacts[0]

    def rates(self, scenario: Scenario, at: int) -> Rates:
        """Return the rates at a moment."""
        return rates_at(
            self.course, scenario.usual_in(self.customer.segment), self.wobble.states(at), at
        )


def make_deal(
    scenario: Scenario, seed: int, rep: Rep, number: int, opened: int, time: BusinessTime
) -> Deal:
    """Draw the `number`th deal of a rep, opened at `opened`."""
    key = f"{rep.number:04d}-{number:02d}"
    draws = Draws(seed, "deal", key)
    segment = make_customer(seed, key, rep.language, 0.0).segment
    course = draw_course(scenario, draws, opened, segment, time)
    needed: tuple[Role, ...] = ()
    if course.planted and not course.planted[0].implied:
        needed = _NEEDED.get(course.planted[0].plant, ())
    again = number > 0 and not needed and draws.chance(scenario.repeat_customers)
    account = f"{rep.number:04d}-{number - 1:02d}" if again else key
    two_ids = scenario.disorder.two_ids
    customer = make_customer(seed, account, rep.language, two_ids, needed)
    known = names(rep.language)
    rivals = draws.some(known.competitors, 2)
    wobble = Wobble(course, draws, scenario.usual.wobble)
    note_baselines(course, scenario.usual_in(customer.segment), wobble)
    return Deal(
        key=key,
        rep=rep,
        customer=customer,
        course=course,
        wobble=wobble,
        product=draws.one(known.products),
        competitor=rivals[0],
        other=rivals[1],
        system=draws.one(known.systems),
        amount=1000 * round(draws.lognormal(300, 0.7)),
        has_history=course.way == "P6",
    )


def is_active(deal: Deal, contact: Contact, at: int) -> bool:
    """Say whether a contact takes part in the deal at all at a moment."""
    course = deal.course
    seat = deal.customer.contacts.index(contact)
    if contact.role in PAPER:
        withdrawn = course.plant(Plant.LEGAL_WITHDRAWN)
        if at < course.legal or (withdrawn is not None and at >= withdrawn.start):
            return False
    for planted in course.planted:
        if planted.plant is Plant.WIDEN and at < planted.start:
            if _FIRST_NEEDED <= seat < _FIRST_NEEDED + round(planted.strength):
                return False
        elif not planted.active(at):
            continue
        elif planted.plant is Plant.CHAMPION_SILENT and seat == 0:
            return False
        elif planted.plant is Plant.SINGLE_THREADED and seat != 0:
            return False
        elif planted.plant is Plant.NARROW and seat > 1:
            return False
    return True


def attendance(deal: Deal, rates: Rates, draws: Draws, slot: Slot) -> list[Contact]:
    """Draw which contacts are in a meeting; somebody always is."""
    contacts = [c for c in deal.customer.contacts if is_active(deal, c, slot.at)]
    found = [c for c in contacts if draws.chance(_readiness(deal, c, rates, slot))]
    if slot.code == "M" and any(episode.audience for episode in deal.course.episodes):
        found = _split_audience(deal, contacts, slot.audience)
    return found or contacts[:1]


def _split_audience(deal: Deal, contacts: list[Contact], audience: int) -> list[Contact]:
    """Return who sees the first demo, or the one for others: they share the champion alone."""
    seats = {contact: seat for seat, contact in enumerate(deal.customer.contacts)}
    return [c for c in contacts if seats[c] == 0 or seats[c] % 2 == 1 - audience]


def _readiness(deal: Deal, contact: Contact, rates: Rates, slot: Slot) -> float:
    if contact.role in BUYERS:
        needed = slot.code == "E" or _first_contact(deal, slot)
        return 1.0 if needed and rates.buyer > 0.02 else rates.buyer
    if contact.role in (Role.CHAMPION, Role.TECH_LEAD):
        return 1.0 if contact.role is Role.TECH_LEAD else 0.9
    if contact.role is Role.INFOSEC and slot.code == "G":
        return 1.0
    if contact.role in PAPER:
        if slot.value == WITH_LEGAL:
            return 1.0
        return 0.9 if slot.code in "LG" and slot.code else 0.4
    return contact.weight


def _first_contact(deal: Deal, slot: Slot) -> bool:
    """Say whether this is the first contact of a way without a meeting of the economic buyer."""
    codes = [episode.code for episode in deal.course.episodes]
    before = codes[: codes.index("P")] if "P" in codes else codes
    return slot.code == "C" and "E" not in before


def stage_of(course: Course, at: int) -> str:
    """Return the code of the newest stage that had begun at a moment."""
    code = "C"
    for episode in course.episodes:
        if episode.start > at:
            break
        if episode.code not in SIDE_ACTIVITIES and episode.code != "~":
            code = episode.code
    return code
