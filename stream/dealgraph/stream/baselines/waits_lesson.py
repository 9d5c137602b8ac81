"""How long the champion usually keeps silent (S3), and how long answers usually take by channel (S7).

Numbers are those of the logarithms of waits: how many, their sum, the sum of their squares.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final

from dealgraph.graph.model import Channel
from dealgraph.stream.baselines.bounds import Values
from dealgraph.stream.baselines.lesson import NOTHING_SEEN, History, Lesson, as_they_are
from dealgraph.stream.baselines.sums import Seen, Sums, shrunk
from dealgraph.stream.signals.champion_silence import (
    ChampionSilence,
    ChampionThresholds,
    moments,
)
from dealgraph.stream.signals.reply_waits import ReciprocityThresholds, log_waits
from dealgraph.stream.signals.thresholds import Thresholds
from dealgraph.stream.signals.working_time import working_times

_CHAMPION: Final = "champion_silence"
_ANSWERS: Final = "reciprocity_drift"
_ALL: Final = ("", "")
_LEAST_WAITS: Final = 2.0


def _champion_seen(history: History, thresholds: Thresholds) -> Seen:
    limits = thresholds.section(_CHAMPION, ChampionThresholds)
    waits, total, squares = moments(history, ChampionSilence(limits, working_times(thresholds)))
    return {_ALL: (float(waits), total, squares)} if waits else NOTHING_SEEN


def _champion_usual(sums: Sums, thresholds: Thresholds) -> Values:
    if _ALL not in sums:
        return {}
    limits = thresholds.section(_CHAMPION, ChampionThresholds)
    prior = (limits.prior_log_days, limits.prior_log_spread)
    mean, spread = _drawn(prior, sums.numbers(_ALL), sums.deals(_ALL))
    return {"prior_log_days": mean, "prior_log_spread": spread}


def _answers_seen(history: History, thresholds: Thresholds) -> Seen:
    waits = log_waits(history, working_times(thresholds))
    numbers = (*_numbers(waits[Channel.CHAT]), *_numbers(waits[Channel.MAIL]))
    return {_ALL: numbers} if any(waits.values()) else NOTHING_SEEN


def _answers_usual(sums: Sums, thresholds: Thresholds) -> Values:
    if _ALL not in sums:
        return {}
    limits = thresholds.section(_ANSWERS, ReciprocityThresholds)
    numbers, deals = sums.numbers(_ALL), sums.deals(_ALL)
    chats = (limits.prior_chat_log_minutes, limits.prior_chat_spread)
    mails = (limits.prior_mail_log_minutes, limits.prior_mail_spread)
    chat, mail = _drawn(chats, numbers[:3], deals), _drawn(mails, numbers[3:], deals)
    return {
        "prior_chat_log_minutes": chat[0],
        "prior_chat_spread": chat[1],
        "prior_mail_log_minutes": mail[0],
        "prior_mail_spread": mail[1],
    }


def _numbers(waits: Sequence[float]) -> tuple[float, float, float]:
    return float(len(waits)), sum(waits), sum(x * x for x in waits)


def _drawn(
    prior: tuple[float, float], numbers: Sequence[float], deals: float
) -> tuple[float, float]:
    """Return mean and spread between the prior and what was seen; the prior for hardly any waits."""
    count, total, squares = numbers
    if count < _LEAST_WAITS:
        return prior
    mean = total / count
    spread = sqrt(max(0.0, squares / count - mean * mean))
    return shrunk(prior[0], mean, deals), shrunk(prior[1], spread, deals)


WAITS: Final = (
    Lesson(
        _CHAMPION,
        frozenset({"prior_log_days", "prior_log_spread"}),
        _champion_seen,
        _champion_usual,
        as_they_are(_CHAMPION),
    ),
    Lesson(
        _ANSWERS,
        frozenset(
            f"prior_{channel}_{value}"
            for channel in ("chat", "mail")
            for value in ("log_minutes", "spread")
        ),
        _answers_seen,
        _answers_usual,
        as_they_are(_ANSWERS),
    ),
)
"""S3's silent champion, and S7."""
