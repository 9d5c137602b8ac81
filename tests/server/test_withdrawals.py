"""Withdrawals of consent that were learnt late: what was kept or derived in between goes."""

from pathlib import Path

import pytest

from dealgraph.graph.hash import graph_hash
from dealgraph.graph.model import Channel, NodeKind, Side
from dealgraph.server.compose import Embedded, rebuilding
from dealgraph.server.settings import Settings
from dealgraph.stream.interaction import Interaction, Person, Purpose
from dealgraph.stream.log import Topic
from dealgraph.stream.meter import SilentMeter
from tests.support.dealgraphs import NOW, alerts_of, opened, process
from tests.support.interactions import HOUR, LI, MINUTE, MONDAY, consent, message
from tests.support.server import alarming

ANGRY = "This is terrible, I am angry."
BEFORE, AFTER = MONDAY, MONDAY + 2 * HOUR


def said() -> list[Interaction]:
    """Li says something before and after the time of the withdrawal, and somebody else does too."""
    other = Person(Side.CUSTOMER, "other@acme.example", "Other", confidence=1.0)
    return [
        message(ANGRY, at=BEFORE),
        message(ANGRY, at=AFTER),
        message(ANGRY, at=AFTER + MINUTE, actor=other, session="another", opportunity="deal-2"),
    ]


def withdrawn(purpose: Purpose, channel: Channel = Channel.CHAT, **changes: str) -> Interaction:
    stated = {"subject": LI.native_id, **changes}
    return consent(
        granted=False, at=MONDAY + HOUR, channel=channel, purpose=purpose, side=LI.side, **stated
    )


def counts(dealgraph: Embedded) -> tuple[int, int, int]:
    """Return the number of actions, of emotions, and of interactions in the log that say something."""
    nodes = dealgraph.graph.counts().nodes
    kept = [
        one for one in dealgraph.log.read(Topic.INTERACTIONS, 0, 99) if ANGRY.encode() in one.body
    ]
    return nodes.get(NodeKind.ACTION, 0), nodes.get(NodeKind.EMOTION, 0), len(kept)


@pytest.mark.parametrize(
    ("purpose", "left"),
    [
        (Purpose.EMOTION, (3, 2, 3)),
        (Purpose.ANALYSE, (2, 2, 3)),
        (Purpose.CAPTURE, (2, 2, 2)),
    ],
)
def test_what_may_not_be_kept_or_derived_goes_and_nothing_else(
    tmp_path: Path, purpose: Purpose, left: tuple[int, int, int]
) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, said())
        process(dealgraph, [withdrawn(purpose)])
        assert counts(dealgraph) == (3, 3, 3)
        assert dealgraph.erasing.carry_out()
        assert counts(dealgraph) == left
        after = graph_hash(dealgraph.graph)
        assert not dealgraph.erasing.carry_out()
    with rebuilding(tmp_path, Settings(), lambda: NOW, SilentMeter()) as rebuilt:
        rebuilt.runner.run_to_end()
        assert graph_hash(rebuilt.graph) == after


def test_the_order_in_which_it_became_known_does_not_matter(tmp_path: Path) -> None:
    hashes: list[str] = []
    withdrawal = withdrawn(Purpose.EMOTION)
    for name, order in (("first", [withdrawal, *said()]), ("last", [*said(), withdrawal])):
        with opened(tmp_path / name) as dealgraph:
            for one in order:
                process(dealgraph, [one])
            dealgraph.erasing.carry_out()
            hashes.append(graph_hash(dealgraph.graph))
    assert hashes[0] == hashes[1]


def test_signals_and_alerts_that_rest_on_it_go(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, alarming("deal-1"))
        assert alerts_of(dealgraph)
        process(dealgraph, [consent(
            granted=False, at=MONDAY, subject=LI.native_id, channel=Channel.CHAT,
            purpose=Purpose.ANALYSE, side=LI.side,
        )])  # fmt: skip
        dealgraph.erasing.carry_out()
        assert alerts_of(dealgraph) == []
        assert NodeKind.DECISION_SIGNAL not in dealgraph.graph.counts().nodes


def test_a_withdrawal_that_concerns_nothing_known_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, said())
        process(dealgraph, [withdrawn(Purpose.CAPTURE, Channel.MAIL)])
        process(dealgraph, [withdrawn(Purpose.CAPTURE, subject="nobody@acme.example")])
        assert not dealgraph.erasing.carry_out()
        assert counts(dealgraph) == (3, 3, 3)
