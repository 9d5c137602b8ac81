"""A record that breaks a step becomes a dead letter, and what comes after it goes on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, NodeKind, NodeRef, Side
from dealgraph.graph.store import TimelineQuery
from dealgraph.server.compose import Embedded
from dealgraph.stream.log import Topic
from dealgraph.stream.runner import Runner
from dealgraph.stream.signals.detector import NOTHING, Detector, Episode, Observed, Scope, State
from dealgraph.stream.tagging.tags import Tagger, Tags, Utterance
from dealgraph.stream.told import InForce, bind
from tests.support.dealgraphs import NOW, opened
from tests.support.interactions import message

DEAL = NodeRef(NodeKind.OPPORTUNITY, "deal-1")


class Brittle(Struct, frozen=True):
    """A tagger and a detector that break at the word "poison"."""

    tagger: Tagger
    version: str = "1"

    def tag(self, text: str, side: Side, *, with_emotion: bool) -> Tags:
        if "poison" in text:
            raise ZeroDivisionError
        return self.tagger.tag(text, side, with_emotion=with_emotion)

    def tag_all(self, utterances: Sequence[Utterance]) -> list[Tags]:
        return [self.tag(one.text, one.side, with_emotion=one.with_emotion) for one in utterances]


class BrittleDetector(Struct, frozen=True):
    """A detector that breaks at an objection."""

    rule: str = "T"
    version: str = "1"
    scope: Scope = Scope.SESSION
    topics: int = 0

    def begin(self) -> State:
        return State()

    def observe(self, state: State, action: Observed) -> Sequence[Episode]:
        if action.kind is ActionKind.OBJECTION:
            raise ZeroDivisionError
        return NOTHING

    def wake(self, state: State, at: int) -> Sequence[Episode]:
        return NOTHING


def run(
    dealgraph: Embedded, *, tagger: Tagger | None = None, detector: Detector[Any] | None = None
) -> None:
    """Run the dataflow of a dealgraph with another tagger or detector."""
    parts = dealgraph.runner.parts
    rules = parts.rules
    if detector is not None:
        in_force = InForce(bind([detector]))
        rules = replace(rules, in_force_at=lambda at: in_force)
    broken = replace(parts, tagger=tagger or parts.tagger, rules=rules)
    Runner(dealgraph.log, broken, batch=10, clock=lambda: NOW).run_to_end()


def texts(dealgraph: Embedded) -> set[str]:
    return {action.text for action in dealgraph.graph.timeline(DEAL, TimelineQuery())}


def reasons(dealgraph: Embedded) -> int:
    return len(dealgraph.log.read(Topic.DEAD_LETTERS, 0, 10))


def test_a_text_that_breaks_the_tagger_is_a_dead_letter(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        dealgraph.gate.publish(
            [
                message("before", native_id="1"),
                message("poison", native_id="2"),
                message("after", native_id="3"),
            ]
        )
        run(dealgraph, tagger=Brittle(dealgraph.tagger))
        assert texts(dealgraph) == {"before", "after"}
        assert reasons(dealgraph) == 1


def test_an_action_that_breaks_a_detector_is_a_dead_letter(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        dealgraph.gate.publish(
            [
                message("before", native_id="1"),
                message("poison", native_id="2", action_kind=ActionKind.OBJECTION),
                message("after", native_id="3"),
            ]
        )
        run(dealgraph, detector=BrittleDetector())
        assert texts(dealgraph) == {"before", "after"}
        assert reasons(dealgraph) == 1
