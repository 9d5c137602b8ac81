"""What S7 measured, as readings with a sentence for people: waits in working time, dates and counts."""

from math import exp, sqrt

from dealgraph.graph.model import Channel
from dealgraph.stream.calendar import BusinessTime
from dealgraph.stream.signals.course import DAY, MINUTE, Reading, count_of, day_of
from dealgraph.stream.signals.reciprocity_state import SLOW, DriftState, Mark, drift_ratio
from dealgraph.stream.signals.reply_waits import ReciprocityThresholds, open_minutes

_HOUR_MINUTES = 60.0


def drift_reading(
    state: DriftState, which: int, limits: ReciprocityThresholds, threshold: float
) -> Reading:
    """Return what C⁺ or C⁻ is, and what led to it since it was last zero."""
    run = state.sums[which]
    evidence = [one for one in state.answers if one.at >= run.since]
    if which == SLOW:
        evidence += [Mark(one.at, one.id) for one in state.open_asked()[:1]]
    return Reading(
        statistic=state.statistics[which],
        threshold=threshold,
        baseline=limits.minutes(Channel.CHAT, state.m),
        exposure_minutes=state.talk_ms / MINUTE,
        window_ms=round(limits.window_days * DAY),
        evidence=tuple(one.id for one in sorted(evidence)),
        explanation=_drift_words(state, which, limits),
        minimum_effect=_least_ratio(state, limits, threshold),
    )


def ghost_reading(
    state: DriftState, at: int, time: BusinessTime, limits: ReciprocityThresholds, z: float
) -> Reading:
    """Return how long the customer has been silent; the least effect is a wait in working hours."""
    waiting = state.open_asked()
    spread = state.s * sqrt(1.0 + 1.0 / state.known)
    enough = limits.minutes(Channel.CHAT, state.m + z * spread)
    longest = max((open_minutes(time, one.at, at) for one in waiting), default=0.0)
    messages = count_of(len(waiting), "message", "messages")
    since = waiting[0].at if waiting else at
    heard = f" and was last heard on {day_of(state.heard_at)}" if state.heard_at else ""
    return Reading(
        statistic=state.statistics[-1],
        threshold=z,
        baseline=limits.minutes(Channel.CHAT, state.m),
        exposure_minutes=state.talk_ms / MINUTE,
        window_ms=round(limits.window_days * DAY),
        evidence=tuple(one.id for one in waiting),
        explanation=(
            f"The customer has not answered {messages} since {day_of(since)}{heard}; the first has waited "
            f"{_lasting(longest)} of working time, and it usually answers in "
            f"{_lasting(limits.minutes(Channel.CHAT, state.m))} in a chat."
        ),
        minimum_effect=enough / _HOUR_MINUTES,
    )


def heard_words(at: int) -> str:
    """Return that the customer is no ghost."""
    return f"The customer was heard again on {day_of(at)}."


def closed_words(at: int) -> str:
    """Return that the deal is closed."""
    return f"The deal was closed on {day_of(at)}."


def _drift_words(state: DriftState, which: int, limits: ReciprocityThresholds) -> str:
    run = state.sums[which]
    count = run.count
    usual = limits.minutes(Channel.CHAT, state.m)
    ratio = drift_ratio(state, which, limits)
    pace = f"{ratio:.1f} times as long" if ratio >= 1.0 else f"{100 * ratio:.0f} % of the time"
    begun = sum(one.by_customer for one in state.contacts)
    contacts = count_of(len(state.contacts), "contact", "contacts")
    return (
        f"The customer takes {pace} to answer as before: in a chat about {_lasting(usual * ratio)} of "
        f"working time instead of {_lasting(usual)}, over {count_of(count, 'answer', 'answers')} since "
        f"{day_of(run.since)}; it began {begun} of the last {contacts}."
    )


def _least_ratio(state: DriftState, limits: ReciprocityThresholds, threshold: float) -> float:
    """Return by what factor waits must change to be found within a window at the present exposure."""
    window = limits.window_days * DAY
    answers = max(1.0, state.usual.count * window / max(window, state.newest_at - state.first_at))
    shift = (limits.drift + threshold / answers) * state.s * sqrt(1.0 + 1.0 / state.known)
    return max(limits.least_ratio, exp(shift * limits.prior_chat_spread))


def _lasting(minutes: float) -> str:
    if minutes < 1.5 * _HOUR_MINUTES:
        return count_of(max(1, round(minutes)), "minute", "minutes")
    return f"{minutes / _HOUR_MINUTES:.3g} hours"
