"""How many technical questions are usual per minute of customer talk, by segment and stage (S1)."""

from typing import Final

from dealgraph.stream.baselines.bounds import Values
from dealgraph.stream.baselines.lesson import NOTHING_SEEN, History, Lesson
from dealgraph.stream.baselines.sums import Place, Seen, Sums, kept_part, shrunk, spread_out
from dealgraph.stream.signals.tech_question_surge import TechQuestionSurgeThresholds, moments
from dealgraph.stream.signals.thresholds import Thresholds

_SECTION: Final = "tech_question_surge"
_ALL: Final[Place] = ("", "")


def _limits(thresholds: Thresholds) -> TechQuestionSurgeThresholds:
    return thresholds.section(_SECTION, TechQuestionSurgeThresholds)


def _seen(history: History, thresholds: Thresholds) -> Seen:
    limits = _limits(thresholds)
    by_stage = moments(history, limits)
    minutes = sum(minutes for _, minutes in by_stage.values())
    if minutes <= 0.0:
        return NOTHING_SEEN
    questions = sum(questions for questions, _ in by_stage.values())
    segment = history[-1].segment
    counted, heard = kept_part(questions, minutes, limits.rate(segment))
    cut = {stage: (n * counted, e * heard) for stage, (n, e) in by_stage.items()}
    return spread_out(segment, cut)


def _usual(sums: Sums, thresholds: Thresholds) -> Values:
    """Return the rates: a stage of a segment is drawn towards the segment times the stage of all deals."""
    if _ALL not in sums:
        return {}
    of_all = shrunk(_limits(thresholds).prior_rate_per_minute, _rate(sums, _ALL), sums.deals(_ALL))
    stages = {stage: _drawn(of_all, sums, ("", stage)) for segment, stage in sums if not segment}
    usual: dict[str, dict[str, float]] = {"": stages}
    for segment in sorted({segment for segment, _ in sums if segment}):
        rate = _drawn(of_all, sums, (segment, ""))
        usual[segment] = {
            stage: _drawn(rate * stages[stage] / of_all, sums, (segment, stage)) for stage in stages
        } | {"": rate}
    stages[""] = of_all
    return {"prior_rate_per_minute": of_all, "usual": usual}


def _drawn(wider: float, sums: Sums, place: Place) -> float:
    if place not in sums:
        return float(f"{wider:.4g}")
    return shrunk(wider, _rate(sums, place), sums.deals(place))


def _rate(sums: Sums, place: Place) -> float:
    questions, minutes = sums.numbers(place)
    return questions / minutes if minutes > 0.0 else 0.0


def _before(found: Values, thresholds: Thresholds) -> Values:
    limits = _limits(thresholds)
    usual = found.get("usual")
    shape = usual if isinstance(usual, dict) else {}
    return {
        "prior_rate_per_minute": limits.prior_rate_per_minute,
        "usual": {
            segment: {stage: limits.rate(segment, stage) for stage in stages}
            for segment, stages in shape.items()
        },
    }


QUESTIONS: Final = Lesson(
    _SECTION, frozenset({"prior_rate_per_minute", "usual"}), _seen, _usual, _before
)
"""S1."""
