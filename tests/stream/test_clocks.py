"""Offsets of clocks from events seen twice, and what a correction does to the graph."""

from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dealgraph.graph.hash import graph_hash
from dealgraph.graph.model import NodeKind, NodeRef
from dealgraph.graph.store import TimelineQuery
from dealgraph.server.compose import rebuilding
from dealgraph.server.settings import Settings
from dealgraph.stream.clocks import Sightings, Trust
from dealgraph.stream.interaction import ClockCorrection, InteractionKind
from dealgraph.stream.meter import SilentMeter
from tests.support.dealgraphs import NOW, opened, process
from tests.support.interactions import MINUTE, MONDAY, SECOND, message, stage_change


def seen(offset: int, pairs: int, seed: int = 1, wrong: int = 0) -> Sightings:
    """Events that "calls" sees `offset` ms late, a second of jitter, some of the pairs plain wrong."""
    random, sightings = Random(seed), Sightings()
    for n in range(pairs):
        at = MONDAY + n * MINUTE
        sightings.add("meetings", f"e{n}", at)
        slip = random.randint(-5000 * MINUTE, 5000 * MINUTE) if n < wrong else offset
        sightings.add("calls", f"e{n}", at + slip + random.randint(-500, 500))
    return sightings


@settings(max_examples=60)
@given(st.integers(-3600, 3600), st.integers(20, 80), st.integers())
def test_the_offset_is_found_within_its_margin_also_when_a_quarter_is_wrong(
    seconds: int, pairs: int, seed: int
) -> None:
    (skew,) = seen(seconds * SECOND, pairs, seed, wrong=pairs // 4).skews("meetings")

    assert (skew.source, skew.reference, skew.pairs) == ("calls", "meetings", pairs)
    assert abs(skew.offset_ms - seconds * SECOND) <= 600


def test_few_pairs_a_wide_spread_or_no_offset_are_not_sure() -> None:
    trust = Trust()

    assert not seen(MINUTE, 7).skews("meetings")[0].is_sure(trust)
    assert not seen(MINUTE, 20, wrong=18).skews("meetings")[0].is_sure(trust)
    assert not seen(0, 40).skews("meetings")[0].is_sure(trust)
    assert seen(MINUTE, 40).skews("meetings")[0].is_sure(trust)


def test_without_a_reference_each_source_is_compared_with_its_most_frequent_companion() -> None:
    sightings = seen(MINUTE, 10)
    sightings.add("mail", "e1", MONDAY)

    assert [(s.source, s.reference, s.pairs) for s in sightings.skews()] == [
        ("calls", "meetings", 10),
        ("mail", "calls", 1),
        ("meetings", "calls", 10),
    ]


def test_a_correction_sets_later_times_right_and_a_rebuild_gives_the_same_graph(
    tmp_path: Path,
) -> None:
    correction = replace(
        stage_change(source="dealgraph.clocks", native_id="clock/1"),
        kind=InteractionKind.CLOCK,
        detail=ClockCorrection("wecom", 10 * MINUTE, 400, 20, "mail"),
    )
    told = [message(at=MONDAY), correction, message(at=MONDAY + MINUTE)]
    with opened(tmp_path) as dealgraph:
        process(dealgraph, told)
        deal = NodeRef(NodeKind.OPPORTUNITY, "deal-1")
        times = [action.at for action in dealgraph.graph.timeline(deal, TimelineQuery())]
        before = graph_hash(dealgraph.graph)
    assert times == [MONDAY - 9 * MINUTE, MONDAY]

    with opened(tmp_path) as dealgraph:  # a restart keeps the correction
        process(dealgraph, [message(at=MONDAY + 2 * MINUTE)])
        after = graph_hash(dealgraph.graph)
        assert before != after
        last = dealgraph.graph.timeline(deal, TimelineQuery(newest_first=True, limit=3))
    assert MONDAY - 8 * MINUTE in [action.at for action in last]

    with rebuilding(tmp_path, Settings(), lambda: NOW, SilentMeter()) as dealgraph:
        dealgraph.runner.run_to_end()
        assert graph_hash(dealgraph.graph) == after
