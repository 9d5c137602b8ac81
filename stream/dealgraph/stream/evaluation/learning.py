"""Learns from histories what is usual: the priors from which detectors judge a deal.

Each value moves from what the thresholds say towards what the histories show with weight n / (n + κ), κ = 20
and n the number of deals that show it: a handful of deals hardly moves it. Source: signals.md B0.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from statistics import fmean, pstdev
from typing import Final

import msgspec

from dealgraph.graph.model import ActionKind, Stage
from dealgraph.stream.signals.competitor_rate import CompetitorRateThresholds
from dealgraph.stream.signals.competitor_rate import moments as mention_moments
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.legal_reference import Delays, LegalWindowThresholds, learnt
from dealgraph.stream.signals.legal_window_shift import delays
from dealgraph.stream.signals.participation import listener
from dealgraph.stream.signals.participation import moments as participation_moments
from dealgraph.stream.signals.price_emotion_divergence import PriceEmotionDivergenceThresholds
from dealgraph.stream.signals.price_emotion_divergence import moments as divergence_moments
from dealgraph.stream.signals.tech_question_surge import TechQuestionSurgeThresholds
from dealgraph.stream.signals.tech_question_surge import moments as question_moments
from dealgraph.stream.signals.thresholds import Thresholds
from dealgraph.stream.signals.working_time import working_times

_SHRINKAGE: Final = 20.0
_WON: Final = frozenset({Stage.WON, Stage.ONBOARDING})

Histories = Sequence[Sequence[Observed]]
Learner = Callable[[Histories, Thresholds], Mapping[str, object]]
"""Returns the values of a section that differ, given histories and present thresholds."""


def learn(histories: Histories, thresholds: Thresholds) -> Thresholds:
    """Return thresholds with what is usual in the histories."""
    sections = dict(thresholds.sections)
    for name, learner in _LEARNERS.items():
        sections[name] = {**sections.get(name, {}), **learner(histories, thresholds)}
    return Thresholds(sections, thresholds.teams)


def shrunk(prior: float, found: float, count: int) -> float:
    """Return a value between the prior and what `count` deals show, to four digits."""
    return float(f"{prior + count / (count + _SHRINKAGE) * (found - prior):.4g}")


def _question_rate(histories: Histories, thresholds: Thresholds) -> Mapping[str, object]:
    limits = thresholds.section("tech_question_surge", TechQuestionSurgeThresholds)
    found = [question_moments(history, limits) for history in histories]
    heard = [(questions, minutes) for questions, minutes in found if minutes > 0.0]
    if not heard:
        return {}
    rate = sum(questions for questions, _ in heard) / sum(minutes for _, minutes in heard)
    return {"prior_rate_per_minute": shrunk(limits.prior_rate_per_minute, rate, len(heard))}


def _price_and_mood(histories: Histories, thresholds: Thresholds) -> Mapping[str, object]:
    """Learn mean and spread of the looks of all deals, of the share of price and of the valence."""
    limits = thresholds.section("price_emotion_divergence", PriceEmotionDivergenceThresholds)
    seen = [looks for history in histories if (looks := divergence_moments(history, limits))]
    if not seen:
        return {}
    shares, valences = zip(*chain.from_iterable(seen), strict=True)
    found = {
        "prior_price_share": fmean(shares),
        "prior_price_share_spread": max(pstdev(shares), limits.least_price_share_spread),
        "prior_valence": fmean(valences),
        "prior_valence_spread": max(pstdev(valences), limits.least_valence_spread),
    }
    return {name: shrunk(getattr(limits, name), value, len(seen)) for name, value in found.items()}


def _competitor_rate(histories: Histories, thresholds: Thresholds) -> Mapping[str, object]:
    limits = thresholds.section("competitor_rate", CompetitorRateThresholds)
    heard = [(n, minutes) for n, minutes in map(mention_moments, histories) if minutes > 0.0]
    if not heard:
        return {}
    rate = 10.0 * sum(n for n, _ in heard) / sum(minutes for _, minutes in heard)
    usual = shrunk(limits.usual_per_10_minutes, rate, len(heard))
    return {"usual_per_10_minutes": max(0.01, usual)}


def _legal_delays(histories: Histories, thresholds: Thresholds) -> Mapping[str, object]:
    limits = thresholds.section("legal_window_shift", LegalWindowThresholds)
    times = working_times(thresholds)
    won: dict[str, list[Delays]] = {}
    for history in histories:
        if any(a.kind is ActionKind.STAGE_CHANGE and a.stage in _WON for a in history):
            won.setdefault(history[-1].segment, []).append(delays(history, times, limits))
    found = learnt(won, limits)
    if found == limits:
        return {}
    plain: dict[str, object] = msgspec.to_builtins(found)
    return {"usual": plain["usual"], "segments": plain["segments"]}


def _participation(name: str) -> Learner:
    """Return the learner of the usual participation of people with power, named `name` in its section."""

    def learner(histories: Histories, thresholds: Thresholds) -> Mapping[str, object]:
        section = _SECTION_OF[name]
        prior = thresholds.sections.get(section, {}).get(name)
        found = [participation_moments(history, listener(thresholds)) for history in histories]
        met = [(count, total) for count, total, _ in found if count]
        if not met or not isinstance(prior, int | float):
            return {}
        mean = sum(total for _, total in met) / sum(count for count, _ in met)
        return {name: min(0.99, max(0.01, shrunk(float(prior), mean, len(met))))}

    return learner


_SECTION_OF: Final = {
    "prior_participation": "economic_buyer_shift",
    "usual_participation": "economic_buyer_contact",
}
_LEARNERS: Final[Mapping[str, Learner]] = {
    "competitor_rate": _competitor_rate,
    "tech_question_surge": _question_rate,
    "price_emotion_divergence": _price_and_mood,
    "legal_window_shift": _legal_delays,
    **{section: _participation(name) for name, section in _SECTION_OF.items()},
}
