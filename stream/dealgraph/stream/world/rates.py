"""From hidden states to rates: what the people of a deal do at a moment, and how often.

With x_s(t) = x_s + wobble_s(week), wobble an AR(1) of spread `usual.wobble`, and r(t) what the plant does:

    tech questions per customer minute   λ_T = usual · exp(0.10·need)            · ρ   from t0  (S1)
    price share of customer talk         p   = logit⁻¹(logit(usual) + 0.25·pain + 1.7·s·ramp)   (S6)
    valence of customer talk             v   = usual + 0.06·need − 0.06·pain − 0.45·s·ramp      (S6)
    competitors per 10 customer minutes  λ_K = usual · exp(0.20·competition)
    delivery asks per conversation       λ_D = usual · exp(0.05·need), or s from t0             (S5)
    answered by the rep                  q   = usual, or 0.03 from t0                           (S5)
    ownership talk per conversation      λ_O = usual, or s from t0                              (S5)
    customer's reply latency, median     m   = usual · exp(−0.20·champion) · f from t0          (S7)
    contacts begun by the customer       i   = logit⁻¹(logit(usual) + 0.20·champion ± ln f)     (S7)
    economic buyer in a meeting          e   = logit⁻¹(logit(usual) + 0.30·power), or the plant's (S4)

`ramp` goes from 0 to 1 in the seven days after t0. Everything else follows from who takes part.
"""

from collections.abc import Mapping
from math import exp, log
from typing import Final

from msgspec import Struct

from dealgraph.stream.calendar import DAY_MS
from dealgraph.stream.world.course import Course
from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.planted import STATES
from dealgraph.stream.world.scenario import Plant, Usual

_WEEK_MS: Final = 7 * DAY_MS
_MEMORY: Final = 0.6
"""Correlation of the wobble from week to week."""
_RAMP_MS: Final = 7 * DAY_MS
_UNANSWERED: Final = 0.03


class Rates(Struct, frozen=True):
    """What happens in a conversation at a moment; the table above says what each is."""

    tech_questions: float
    price_share: float
    valence: float
    competitors: float
    delivery_asks: float
    answered: float
    ownership: float
    reply_factor: float
    initiative: float
    buyer: float
    silent: bool


class Wobble:
    """The hidden states of a deal over time: levels with a slow wobble, drawn week by week."""

    def __init__(self, course: Course, draws: Draws, spread: float) -> None:
        self._opened = course.opened
        self.weeks: list[dict[str, float]] = []
        noise = dict.fromkeys(STATES, 0.0)
        fresh = spread * (1.0 - _MEMORY**2) ** 0.5
        for _ in range((course.last - course.opened) // _WEEK_MS + 2):
            noise = {name: _MEMORY * noise[name] + draws.normal(0.0, fresh) for name in STATES}
            self.weeks.append({name: course.states[name] + noise[name] for name in STATES})

    def states(self, at: int) -> dict[str, float]:
        """Return the hidden states at a moment."""
        week = (at - self._opened) // _WEEK_MS
        return self.weeks[max(0, min(week, len(self.weeks) - 1))]


def rates_at(course: Course, usual: Usual, states: dict[str, float], at: int) -> Rates:
    """Return the rates of a deal at a moment."""
    planted = next((one for one in course.planted if not one.implied and one.active(at)), None)
    plant = planted.plant if planted is not None else None
    strength = planted.strength if planted is not None else 0.0
    ramp = min(1.0, (at - planted.start) / _RAMP_MS) if planted is not None else 0.0
    price = ramp * strength if plant is Plant.PRICE_DIVERGENCE else 0.0
    factor = 1.0
    if plant is Plant.SLOWING:
        factor = strength
    elif plant is Plant.WARMING:
        factor = 1.0 / strength
    concern = plant is Plant.DELIVERY_CONCERN
    surge = strength if plant is Plant.TECH_QUESTION_SURGE else 1.0
    return Rates(
        tech_questions=usual.tech_questions_per_minute * exp(0.10 * states["need"]) * surge,
        price_share=_sigmoid(_logit(usual.price_share) + 0.25 * states["pain"] + 1.7 * price),
        valence=usual.valence + 0.06 * states["need"] - 0.06 * states["pain"] - 0.45 * price,
        competitors=usual.competitors_per_10_minutes * exp(0.20 * states["competition"]),
        delivery_asks=strength if concern else _delivery(course, usual, states),
        answered=_UNANSWERED if concern else usual.answered,
        ownership=strength
        if plant is Plant.DELIVERY_COMMITMENT
        else usual.ownership_per_conversation,
        reply_factor=exp(-0.20 * states["champion"]) * factor,
        initiative=_sigmoid(
            _logit(usual.customer_initiative) + 0.2 * states["champion"] - log(factor)
        ),
        buyer=_buyer(course, usual, states, at),
        silent=plant is Plant.GHOST,
    )


_BASELINES: Final[Mapping[Plant, str]] = {
    Plant.TECH_QUESTION_SURGE: "tech_questions",
    Plant.BUYER_ENTERED: "buyer",
    Plant.BUYER_FELL: "buyer",
    Plant.DELIVERY_CONCERN: "delivery_asks",
    Plant.DELIVERY_COMMITMENT: "ownership",
    Plant.PRICE_DIVERGENCE: "price_share",
    Plant.SLOWING: "reply_factor",
    Plant.WARMING: "reply_factor",
    Plant.GHOST: "reply_factor",
}


def note_baselines(course: Course, usual: Usual, wobble: Wobble) -> None:
    """Write into each plant the rate that it changes, as it was just before."""
    for planted in course.planted:
        name = _BASELINES.get(planted.plant)
        if name is not None:
            before = planted.start - 1
            rates = rates_at(course, usual, wobble.states(before), before)
            planted.baseline = round(getattr(rates, name), 4)


def _delivery(course: Course, usual: Usual, states: dict[str, float]) -> float:
    """Where an answer comes late, asks are planned one by one and none come by chance."""
    if course.plant(Plant.DELIVERY_ANSWERED_LATE) is not None:
        return 0.0
    return usual.delivery_asks_per_conversation * exp(0.05 * states["need"])


def _buyer(course: Course, usual: Usual, states: dict[str, float], at: int) -> float:
    """Return how likely the economic buyer takes part in a meeting."""
    normal = _sigmoid(_logit(usual.buyer_presence) + 0.3 * states["power"])
    if (entered := course.plant(Plant.BUYER_ENTERED)) is not None:
        return entered.strength if at >= entered.start else 0.02
    if (fell := course.plant(Plant.BUYER_FELL)) is not None:
        return 0.0 if at >= fell.start else fell.strength
    if course.plant(Plant.NO_POWER) is not None and course.way != "P4":
        return 0.0
    return normal


def _logit(share: float) -> float:
    share = min(max(share, 1e-6), 1.0 - 1e-6)
    return log(share / (1.0 - share))


def _sigmoid(odds: float) -> float:
    return 1.0 / (1.0 + exp(-odds))
