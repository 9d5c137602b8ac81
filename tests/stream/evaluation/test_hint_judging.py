"""Hints are judged by talks: planted ones found, clean ones left alone."""

from msgspec.structs import replace

from dealgraph.graph.model import Channel, Side, Topic
from dealgraph.stream.evaluation.hint_judging import HintJudge, HintVerdict
from dealgraph.stream.evaluation.histories import Histories
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.thresholds import load_thresholds
from dealgraph.stream.world.truth import MeetingTruth
from tests.support.observed import MINUTE, SECOND, START, observed


def talk(session: str, *topics: Topic, side: Side = Side.REP) -> list[Observed]:
    return [
        observed(n, START + n * 10 * SECOND, *topics, side=side, session=session) for n in range(12)
    ]


def meeting(session: str, hint: str, minutes: float) -> MeetingTruth:
    return MeetingTruth(session, "deal", hint, START, START + MINUTE, minutes, ())


def judged(actions: list[Observed], *meetings: MeetingTruth) -> dict[str, HintVerdict]:
    judge = HintJudge(detectors(load_thresholds()))
    judge.add(Histories({"deal": actions}, {}, list(meetings), START + MINUTE, len(actions)))
    return dict(judge.verdicts)


def test_planted_hints_are_found_or_missed_and_clean_talks_alarm_or_do_not() -> None:
    actions = [
        *talk("found", Topic.SENSITIVE),
        *talk("missed"),
        *talk("false", Topic.SENSITIVE),
        *talk("calm"),
    ]
    verdicts = judged(actions, meeting("found", "R5", 3.0), meeting("missed", "R5", 3.0))
    verdict = verdicts["R5"]
    assert verdict == HintVerdict(planted=2, found=1, clean=2, false=1, warned=1)
    assert (verdict.recall(), verdict.even_precision()) == (0.5, 0.5)
    assert verdicts["R4"] == HintVerdict(clean=2)


def test_a_talk_that_is_too_short_for_its_hint_is_not_asked_for() -> None:
    rivals = talk("short", Topic.COMPETITOR, side=Side.CUSTOMER)
    assert judged(rivals, meeting("short", "R1", 2.0))["R1"] == HintVerdict()
    assert judged(rivals, meeting("short", "R1", 4.0))["R1"] == HintVerdict(planted=1, found=1)


def test_only_what_is_spoken_is_a_talk() -> None:
    written = [replace(one, channel=Channel.CHAT) for one in talk("chat", Topic.SENSITIVE)]
    assert judged(written) == {}
