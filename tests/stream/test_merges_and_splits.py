"""Merges and splits through the whole dataflow: the graph follows exactly, in whatever order they come."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.hash import graph_hash
from dealgraph.graph.model import EdgeKind, NodeKind, NodeRef, Side
from dealgraph.graph.store import EdgeQuery
from dealgraph.server.compose import rebuilding
from dealgraph.server.settings import DataflowSettings, Settings
from dealgraph.stream.interaction import Entity, Interaction, Merge, Split
from dealgraph.stream.meter import SilentMeter
from tests.support.dealgraphs import NOW, opened, process
from tests.support.interactions import DAY, merge, split
from tests.support.stories import BEGIN, delivery_story

STORY = delivery_story(deals=2, seed=7)
LATER = BEGIN + 30 * DAY
SMALL = Settings(dataflow=DataflowSettings(shards=2, batch=5, hot_actions=2))


def joined(deal: int, a: str, b: str, at: int) -> Interaction:
    """Two people of a deal of the story are one."""
    one, other = (f"deal-7-{deal}-{name}" for name in (a, b))
    return replace(merge(one, other, at, source="wecom"), native_id=f"merge/{one}/{other}/{at}")


def parted(deal: int, a: str, b: str, at: int) -> Interaction:
    """Two people of a deal of the story are not one."""
    one, other = (f"deal-7-{deal}-{name}" for name in (a, b))
    return replace(split(one, other, at, source="wecom"), native_id=f"split/{one}/{other}/{at}")


def hash_of(directory: Path, interactions: Sequence[Interaction], stated: Settings) -> str:
    """Return the graph hash after these interactions came in this order."""
    with opened(directory, stated) as dealgraph:
        process(dealgraph, interactions)
        return graph_hash(dealgraph.graph)


def test_after_merge_and_split_the_graph_is_that_before(tmp_path: Path) -> None:
    deal = NodeRef(NodeKind.OPPORTUNITY, "deal-7-0")
    contact = NodeRef(NodeKind.CONTACT, "wecom:deal-7-0-b")
    with opened(tmp_path) as dealgraph:
        process(dealgraph, STORY)
        graph = dealgraph.graph
        before, committee = graph_hash(graph), graph.committee(deal.id)
        counts, edges = graph.counts(), graph.edges([contact], EdgeQuery())

        process(dealgraph, [joined(0, "b", "c", LATER)])
        assert len(graph.committee(deal.id)) == len(committee) - 1
        assert graph_hash(graph) != before

        process(dealgraph, [parted(0, "b", "c", LATER + 1)])
        assert graph_hash(graph) == before
        assert graph.committee(deal.id) == committee
        assert graph.counts() == counts
        assert graph.edges([contact], EdgeQuery()) == edges


def test_a_merge_after_a_split_joins_again(tmp_path: Path) -> None:
    once = hash_of(tmp_path / "once", [*STORY, joined(0, "b", "c", LATER + 2)], Settings())
    told = [joined(0, "b", "c", LATER), parted(0, "b", "c", LATER + 1)]

    again = [*STORY, *told, joined(0, "b", "c", LATER + 2)]
    assert hash_of(tmp_path / "again", again, Settings()) == once


def test_what_was_believed_before_a_split_can_still_be_asked(tmp_path: Path) -> None:
    ticks = iter(range(NOW, NOW + 1_000_000, 1000))
    b, c = (NodeRef(NodeKind.CONTACT, f"wecom:deal-7-0-{name}") for name in "bc")
    with opened(tmp_path, clock=lambda: next(ticks)) as dealgraph:
        process(dealgraph, [*STORY, joined(0, "b", "c", LATER)])
        then = next(ticks)
        process(dealgraph, [parted(0, "b", "c", LATER + 1)])

        assert dealgraph.graph.same_as([c], then)[c] == dealgraph.graph.same_as([b], then)[b]
        assert dealgraph.graph.same_as([b])[b] == b
        kinds = frozenset({EdgeKind.SAME_AS})
        assert dealgraph.graph.edges([b], EdgeQuery(edge_kinds=kinds)) == []
        assert len(dealgraph.graph.edges([b], EdgeQuery(edge_kinds=kinds, as_of=then))) == 1


@pytest.mark.parametrize("entity", [Entity.CUSTOMER, Entity.OPPORTUNITY])
def test_customers_and_opportunities_merge_and_split_too(tmp_path: Path, entity: Entity) -> None:
    kind = NodeKind.CUSTOMER if entity is Entity.CUSTOMER else NodeKind.OPPORTUNITY
    ids = sorted(
        {one.customer if entity is Entity.CUSTOMER else one.opportunity for one in STORY} - {""}
    )
    first, second = (NodeRef(kind, id_) for id_ in ids[:2])
    pair = (first.id, second.id, Side.UNKNOWN, entity)
    with opened(tmp_path) as dealgraph:
        process(dealgraph, STORY)
        before = graph_hash(dealgraph.graph)

        process(dealgraph, [merge("", "", LATER, detail=Merge(*pair))])
        assert dealgraph.graph.same_as([second]) == {first: first, second: first}

        process(dealgraph, [split("", "", LATER + 1, detail=Split(*pair))])
        assert graph_hash(dealgraph.graph) == before


_STATEMENTS = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(0, 1),
        st.sampled_from([("a", "b"), ("b", "c"), ("c", "a")]),
        st.integers(0, 3),
    ),
    max_size=6,
    unique=True,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(_STATEMENTS, st.randoms(use_true_random=False))
def test_in_whatever_order_merges_splits_and_actions_arrive_the_graph_is_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    statements: list[tuple[bool, int, tuple[str, str], int]],
    random: Random,
) -> None:
    told = [
        (joined if merged else parted)(deal, *pair, LATER + at)
        for merged, deal, pair, at in statements
    ]
    shuffled = [*STORY, *told]
    random.shuffle(shuffled)

    ordered = hash_of(tmp_path_factory.mktemp("ordered"), [*STORY, *told], Settings())
    assert hash_of(tmp_path_factory.mktemp("shuffled"), shuffled, SMALL) == ordered


def test_a_rebuild_gives_the_same_people(tmp_path: Path) -> None:
    told = [joined(0, "a", "b", LATER), parted(0, "a", "c", LATER), parted(0, "a", "b", LATER + 1)]
    before = hash_of(tmp_path, [*told, *STORY], Settings())

    with rebuilding(tmp_path, Settings(), lambda: NOW, SilentMeter()) as dealgraph:
        dealgraph.runner.run_to_end()

        assert graph_hash(dealgraph.graph) == before
