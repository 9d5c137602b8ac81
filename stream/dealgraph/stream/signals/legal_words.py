"""What S2 says to people: numbers, dates and roles in one sentence."""

from collections.abc import Mapping
from math import sinh
from typing import Final

from dealgraph.graph.model import Role
from dealgraph.stream.signals.course import count_of, day_of
from dealgraph.stream.signals.legal_reference import Reference, working_days

_JOINED: Final[Mapping[Role, str]] = {
    Role.LEGAL: "Legal joined",
    Role.PROCUREMENT: "Procurement joined",
    Role.INFOSEC: "Information security joined",
}
_TWO_SIDED: Final = 2.0


def delay_words(
    who: Role | None, days: float, since: int, reference: Reference, *, proposed: bool
) -> str:
    """Return when legal came (`who` of them, None: nobody yet) after the anchor, beside what is usual."""
    anchor = "proposal" if proposed else "qualification"
    low, middle, high = (
        round(working_days(max(0.0, sinh(reference.median + z * reference.spread))))
        for z in (-_TWO_SIDED, 0.0, _TWO_SIDED)
    )
    usual = f"usual in won deals are {middle}, nearly always {low} to {high}"
    count = round(working_days(abs(days)))
    passed = f"{count_of(count, 'working day', 'working days')} {'before' if days < 0 else 'after'}"
    if who is None:
        came = f"Nobody of the customer's legal has been heard {passed}"
    else:
        came = f"{_JOINED.get(who, 'Talk about the contract began')} {passed}"
    return f"{came} the {anchor} of {day_of(since)}; {usual}."


def silence_words(last: int, days: int, chance: float) -> str:
    """Return since when legal is silent, and how likely that is."""
    if not days:
        return f"Legal has been silent and was heard again on {day_of(last)}."
    times = count_of(days, "day", "days")
    return (
        f"Legal was last heard on {day_of(last)} and on none of the {times} since then on which others were; "
        f"as often as it took part before, the chance of that is {100 * chance:.2g} %."
    )


def closed_words(at: int) -> str:
    """Return that the deal is closed."""
    return f"The deal was closed on {day_of(at)}."
