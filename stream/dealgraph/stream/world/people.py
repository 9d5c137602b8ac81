"""Who there is: reps with habits, customers with buying committees. All names are invented.

A rep has habits: how fast they answer (median · lognormal), whether they work in the evening, how much of
the talking they do. A committee has a champion and a technical lead always, the others by the size of the
customer; each contact has a weight, how readily they join in.
"""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec
import yaml
from msgspec import Struct

from dealgraph.graph.model import Role, Side
from dealgraph.stream.interaction import Person
from dealgraph.stream.world.draws import Draws

TECHNICAL: Final = frozenset({Role.TECH_LEAD, Role.ENGINEER})
BUYERS: Final = frozenset({Role.ECONOMIC_BUYER, Role.EXECUTIVE})
PAPER: Final = frozenset({Role.LEGAL, Role.PROCUREMENT, Role.INFOSEC})

_ALWAYS: Final = (Role.CHAMPION, Role.TECH_LEAD, Role.ECONOMIC_BUYER, Role.LEGAL, Role.PROCUREMENT)
_SOMETIMES: Final = (Role.USER, Role.ENGINEER, Role.USER, Role.INFOSEC, Role.EXECUTIVE, Role.USER)
_DINGTALK_SHARE: Final = 0.25
SEGMENTS: Final = ("small", "middle", "large")
_SIZES: Final = {"small": (1, 2), "middle": (2, 4), "large": (4, 6)}
SEGMENT_FACTOR: Final = {"small": 0.75, "middle": 1.0, "large": 1.3}


class Contact(Struct, frozen=True):
    """A person at the customer. `chat` and `mail` name them where they have two ids, else are equal."""

    name: str
    role: Role
    weight: float
    mail: str
    chat: str

    def person(self, native_id: str) -> Person:
        """Return the contact as an interaction names them, by one of the ids."""
        return Person(Side.CUSTOMER, native_id, self.name, self.role, 1.0)

    @property
    def has_two_ids(self) -> bool:
        """Whether sources name the contact by different ids."""
        return self.mail != self.chat


class Rep(Struct, frozen=True):
    """A rep and their habits. `offset_minutes` is the time zone, `evening` whether they answer then."""

    number: int
    name: str
    id: str
    language: str
    offset_minutes: int
    reply_factor: float
    evening: bool
    person: Person


class Customer(Struct, frozen=True):
    """A customer: its segment and committee, and the source `chat` in which it writes."""

    id: str
    name: str
    segment: str
    language: str
    chat: str
    contacts: tuple[Contact, ...]


class Names(Struct, frozen=True, forbid_unknown_fields=True):
    """Invented names of a language; a person's name is made of the two lists of parts."""

    companies: tuple[str, ...]
    products: tuple[str, ...]
    competitors: tuple[str, ...]
    systems: tuple[str, ...]
    surnames: str = ""
    given: tuple[str, ...] = ()
    pinyin: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()


@cache
def names(language: str) -> Names:
    """Return the invented names of a language."""
    text = resources.files(__package__).joinpath("people.yaml").read_text(encoding="utf-8")
    plain: Any = yaml.safe_load(text)
    return msgspec.convert(plain[language], Names)


def competitors() -> tuple[str, ...]:
    """Return the competitors of the simulated seller, as its settings would name them."""
    return names("zh").competitors + names("en").competitors


def _person_name(draws: Draws, language: str) -> str:
    known = names(language)
    if language == "zh":
        return draws.one(known.surnames) + draws.one(known.given)
    return f"{draws.one(known.first)} {draws.one(known.last)}"


def make_rep(seed: int, number: int, chinese_share: float) -> Rep:
    """Return a rep."""
    draws = Draws(seed, "rep", number)
    language = "zh" if draws.chance(chinese_share) else "en"
    name = _person_name(draws, language)
    rep_id = f"rep:r{number:04d}"
    return Rep(
        number=number,
        name=name,
        id=rep_id,
        language=language,
        offset_minutes=480 if language == "zh" else draws.one((0, 60)),
        reply_factor=draws.lognormal(1.0, 0.35),
        evening=draws.chance(0.2),
        person=Person(Side.REP, rep_id, name, Role.UNKNOWN, 1.0),
    )


def make_customer(
    seed: int, key: str, language: str, two_ids: float, needed: Sequence[Role] = ()
) -> Customer:
    """Return a customer; its committee has the usual roles, those `needed`, and some more."""
    draws = Draws(seed, "customer", key)
    segment = draws.weighted(SEGMENTS, (0.4, 0.4, 0.2))
    low, high = _SIZES[segment]
    more = [role for role in needed if role not in _ALWAYS]
    roles = (*_ALWAYS, *more, *draws.some(_SOMETIMES, draws.whole(low, high)))
    # Drawn apart, so that which chat it is changes nothing else.
    dingtalk = language == "zh" and Draws(seed, "chat", key).chance(_DINGTALK_SHARE)
    chat = "dingtalk" if dingtalk else "wecom"
    taken: set[str] = set()
    contacts = []
    for seat, role in enumerate(roles):
        name = _person_name(draws, language)
        while name in taken:
            name = _person_name(draws, language)
        taken.add(name)
        mail = f"mail:c{seat}@{key}.example"
        two = draws.chance(two_ids)
        weight = draws.between(0.35, 0.65)
        contacts.append(
            Contact(name, role, weight, mail, f"{chat}:wm-{key}-{seat}" if two else mail)
        )
    company = draws.one(names(language).companies)
    return Customer(f"acct-{key}", company, segment, language, chat, tuple(contacts))
