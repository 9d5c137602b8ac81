"""All that is learnt of what is usual, and learning it from histories at once."""

from collections.abc import Iterable, Mapping
from typing import Final

from dealgraph.stream.baselines.competitor_lesson import COMPETITORS
from dealgraph.stream.baselines.legal_lesson import LEGAL
from dealgraph.stream.baselines.lesson import History, Lesson
from dealgraph.stream.baselines.participation_lesson import PARTICIPATION
from dealgraph.stream.baselines.price_lesson import PRICE
from dealgraph.stream.baselines.question_lesson import QUESTIONS
from dealgraph.stream.baselines.sums import Sums
from dealgraph.stream.baselines.waits_lesson import WAITS
from dealgraph.stream.signals.thresholds import Thresholds

LESSONS: Final[tuple[Lesson, ...]] = (
    QUESTIONS,
    LEGAL,
    *PARTICIPATION,
    PRICE,
    *WAITS,
    COMPETITORS,
)
"""What is learnt, a lesson per section of thresholds."""


def learn(histories: Iterable[History], thresholds: Thresholds) -> Thresholds:
    """Return thresholds with what is usual in the histories, drawn towards what they say."""
    sums = {lesson.section: Sums() for lesson in LESSONS}
    add_up(sums, histories, thresholds)
    found = {one.section: one.usual(sums[one.section], thresholds) for one in LESSONS}
    return laid_over(thresholds, found)


def add_up(sums: Mapping[str, Sums], histories: Iterable[History], thresholds: Thresholds) -> None:
    """Add to the sums of each section what histories show, by what is usual so far.

    One that breaks a lesson teaches it nothing: it must not stop the dataflow.
    """
    for history in histories:
        for lesson in LESSONS:
            try:
                seen = lesson.seen(history, thresholds)
            except Exception:
                continue
            sums[lesson.section].add(seen)


def laid_over(thresholds: Thresholds, values: Mapping[str, Mapping[str, object]]) -> Thresholds:
    """Return thresholds with single values replaced, per section."""
    changed = {
        section: {**thresholds.sections.get(section, {}), **values.get(section, {})}
        for section in (*thresholds.sections, *values)
    }
    return Thresholds(changed, thresholds.teams)
