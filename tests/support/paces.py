"""How often people of a simulated deal talk: the paces of scenario `tuning`, for tables of delays.

Times are in working days since a Monday on which a change begins. A working day has eight hours, a week
five of them; between two conversations of a kind lie Erlang-2 gaps, as in the simulated world.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Draws = np.random.Generator
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MEETINGS: Final = 2.0
"""Meetings a week, with those that begin a stage."""
THREADS: Final = 2.5
MAILS: Final = 0.8
MORE_ANSWERS: Final = 1.5
"""A chat has 1 + Poisson(this) answers."""
TALK_MINUTES: Final = 5.0
"""Customer talk of a meeting, lognormal with `TALK_SPREAD`."""
TALK_SPREAD: Final = 0.35
WEEK: Final = 5
"""Working days."""


def moments(draws: Draws, per_week: float, since: float, until: float) -> Floats:
    """When conversations begin, in working days; `since` is in the midst of a gap."""
    mean = WEEK / per_week
    gaps = draws.gamma(2.0, mean / 2.0, int(3.0 * (until - since) / mean) + 20)
    at: Floats = since - draws.random() * mean + np.cumsum(gaps)
    return at[(at >= since) & (at < until)]


def calendar(at: Floats, weekday: int = 0) -> Floats:
    """Working days as days of the calendar, eight hours from nine on, when 0 is on a weekday (0 to 4)."""
    day = np.floor(at)
    week, place = np.divmod(day + weekday, WEEK)
    return 7.0 * week + place - weekday + (9.0 + 8.0 * (at - day)) / 24.0
