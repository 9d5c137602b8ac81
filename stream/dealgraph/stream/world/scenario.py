"""Scenarios: how large a world is, what is usual in it, what is planted, and how badly it is recorded.

A scenario is YAML; `scenarios/example.yaml` holds every key with its default. Unknown keys are refused
with the line and the key that was probably meant.
"""

from datetime import date
from enum import StrEnum
from importlib import resources
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from dealgraph.stream.connectors.documents import parse_document, read_document
from dealgraph.stream.world.people import SEGMENTS

Range = tuple[float, float]
"""The lowest and the highest value; one between them is drawn evenly."""


DILIGENT = 0.9
"""Part of their conversations that diligent reps record."""


class Plant(StrEnum):
    """What can be planted into a deal: a signal of signals.md and its form."""

    TECH_QUESTION_SURGE = "TECH_QUESTION_SURGE"
    LEGAL_EARLY = "LEGAL_WINDOW_SHIFT.EARLY"
    LEGAL_LATE = "LEGAL_WINDOW_SHIFT.LATE"
    LEGAL_OVERDUE = "LEGAL_WINDOW_SHIFT.OVERDUE"
    LEGAL_WITHDRAWN = "LEGAL_WINDOW_SHIFT.WITHDRAWN"
    WIDEN = "STAKEHOLDER_BREADTH_SHIFT.WIDEN"
    NARROW = "STAKEHOLDER_BREADTH_SHIFT.NARROW"
    SINGLE_THREADED = "STAKEHOLDER_BREADTH_SHIFT.SINGLE_THREADED"
    CHAMPION_SILENT = "STAKEHOLDER_BREADTH_SHIFT.CHAMPION_SILENT"
    BUYER_ENTERED = "ECONOMIC_BUYER_SHIFT.ENTERED"
    BUYER_FELL = "ECONOMIC_BUYER_SHIFT.FELL"
    NO_POWER = "ECONOMIC_BUYER_SHIFT.NO_POWER"
    DELIVERY_CONCERN = "DELIVERY_CONCERN_RECURRENCE.CONCERN"
    DELIVERY_ANSWERED_LATE = "DELIVERY_CONCERN_RECURRENCE.ANSWERED_LATE"
    DELIVERY_COMMITMENT = "DELIVERY_CONCERN_RECURRENCE.COMMITMENT"
    PRICE_DIVERGENCE = "PRICE_EMOTION_DIVERGENCE"
    SLOWING = "RECIPROCITY_DRIFT.SLOWING"
    WARMING = "RECIPROCITY_DRIFT.WARMING"
    GHOST = "RECIPROCITY_DRIFT.GHOST"


class Hint(StrEnum):
    """What can be planted into a single meeting."""

    COMPETITOR_RATE = "R1"
    PRICE_SENSITIVITY = "R2"
    UNANSWERED_QUESTION = "R3"
    OVER_PROMISE = "R4"
    SENSITIVE_TERM = "R5"


class Planting(Struct, frozen=True, forbid_unknown_fields=True):
    """How often something is planted, how strong, and when it begins (a part of the deal's length).

    `strength` is in the unit of the plant; README.md of the folder has the table.
    """

    share: float
    strength: Range = (0.0, 0.0)
    start: Range = (0.35, 0.6)


class Usual(Struct, frozen=True, forbid_unknown_fields=True):
    """Rates and shares of a clean deal, before its hidden states move them."""

    tech_questions_per_minute: float = 0.3
    price_share: float = 0.12
    competitors_per_10_minutes: float = 0.4
    delivery_asks_per_conversation: float = 0.2
    answered: float = 0.97
    ownership_per_conversation: float = 0.02
    legal_delay_days: float = 9.0
    legal_spread: float = 0.3
    reply_minutes: float = 35.0
    reply_spread: float = 0.9
    mail_reply_minutes: float = 240.0
    customer_initiative: float = 0.4
    buyer_presence: float = 0.25
    valence: float = 0.08
    valence_spread: float = 0.3
    wobble: float = 0.15
    out_of_hours: float = 0.15


class Pace(Struct, frozen=True, forbid_unknown_fields=True):
    """How often people talk, per working week of a deal, and how long.

    `stage_days` are mean lengths of stages in working days; what it leaves out is as in `paths.yaml`.
    """

    meetings_per_week: float = 1.5
    threads_per_week: float = 2.5
    mails_per_week: float = 0.8
    customer_minutes: float = 4.5
    thread_exchanges: float = 2.5
    stage_days: dict[str, float] = {}
    stage_spread: float = 0.25


class Recording(Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of what happens is recorded: conversations, logged activities, changes of stage.

    So many reps are diligent: they record 0.9 of their conversations, and the others so much less that
    the share of all stays what it is.
    """

    conversations: float = 1.0
    activities: float = 1.0
    stages: float = 1.0
    diligent_reps: float = 0.0

    def __post_init__(self) -> None:
        if self.diligent_reps and self.conversations < DILIGENT * self.diligent_reps:
            raise ValueError("so many `diligent_reps` alone record more than `conversations`")

    def of_rep(self, draw: float) -> float:
        """Return the share of conversations that a rep records, by a draw of theirs from [0, 1)."""
        q = self.diligent_reps
        if not q or draw < q:
            return DILIGENT if q else self.conversations
        return (self.conversations - q * DILIGENT) / (1.0 - q)


class Disorder(Struct, frozen=True, forbid_unknown_fields=True):
    """How what is recorded arrives. Shares are of messages, mails, calls, people or rows."""

    opt_out_reps: float = 0.0
    duplicates: float = 0.0
    late_mails: float = 0.0
    late_mail_days: Range = (1.0, 9.0)
    uploaded_calls: float = 0.0
    uploaded_hours: Range = (0.2, 6.0)
    wrong_clocks: float = 0.0
    wrong_clock_seconds: Range = (5.0, 90.0)
    network_delay_ms: float = 300.0
    two_ids: float = 0.3
    late_merges: float = 0.1
    account_merges: float = 0.02
    recalled_messages: float = 0.002
    broken_rows: float = 0.0


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """A world. `deals_per_rep` is how many deals a rep opens on average within `days`.

    `curious` says by segment how many times the usual technical questions its customers ask; where it says
    anything, the CRM states the segment of a deal.
    """

    name: str
    about: str = ""
    start: date = date(2026, 3, 2)
    days: int = 120
    reps: int = 12
    deals_per_rep: float = 3.0
    opening_days: float = 40.0
    chinese_share: float = 0.7
    repeat_customers: float = 0.1
    lost_share: float = 0.3
    slip_share: float = 0.15
    usual: Usual = field(default_factory=Usual)
    curious: dict[str, float] = {}
    pace: Pace = field(default_factory=Pace)
    signals: dict[Plant, Planting] = {}
    paths: dict[str, float] = {}
    hints: dict[Hint, float] = {}
    recording: Recording = field(default_factory=Recording)
    disorder: Disorder = field(default_factory=Disorder)

    def usual_in(self, segment: str) -> Usual:
        """Return what is usual in a segment."""
        if segment not in self.curious:
            return self.usual
        asked = self.usual.tech_questions_per_minute * self.curious[segment]
        return replace(self.usual, tech_questions_per_minute=asked)

    def __post_init__(self) -> None:
        shares = (
            ("signals", sum(planting.share for planting in self.signals.values())),
            ("paths", sum(self.paths.values())),
            ("hints", sum(self.hints.values())),
        )
        for name, total in shares:
            if total > 1.0 + 1e-9:
                raise ValueError(f"the shares of `{name}` add up to {total:g}; at most 1")
        strange = set(self.curious) - set(SEGMENTS)
        if strange:
            known = ", ".join(SEGMENTS)
            raise ValueError(f"there is no segment {min(strange)!r}; segments are {known}")
        unknown = set(self.paths) - {f"P{number}" for number in range(1, 18)}
        if unknown:
            raise ValueError(f"there is no path {min(unknown)!r}; paths are P1 to P17")
        if self.days < 1 or self.reps < 1 or self.deals_per_rep <= 0:
            raise ValueError("`days`, `reps` and `deals_per_rep` are above 0")


def shipped() -> list[str]:
    """Return the names of the scenarios that come with dealgraph."""
    folder = resources.files(__package__).joinpath("scenarios")
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir())


def load_scenario(path: Path) -> Scenario:
    """Return the scenario in a YAML file. Raises SourceError that says line, key and fix."""
    return read_document(path, Scenario, "scenario")


def shipped_scenario(name: str) -> Scenario:
    """Return a scenario that comes with dealgraph."""
    file = resources.files(__package__).joinpath("scenarios", f"{name}.yaml")
    return parse_document(file.read_bytes(), Scenario, f"scenario {name}")
