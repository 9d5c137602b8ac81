"""What must hold for any facts: the embedded graph answers like the one in memory, in any order."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.hash import graph_hash
from dealgraph.graph.memory import MemoryGraph
from dealgraph.graph.store import NOW, GraphBatch, GraphStore
from tests.support.graph_facts import facts, logs, merged
from tests.support.graph_stores import everything_known, fresh_embedded, known_now

_EXAMPLES = 60


def _filled(store: GraphStore, batches: Sequence[GraphBatch]) -> GraphStore:
    for batch in batches:
        store.apply(batch)
    return store


@given(logs(), st.sampled_from([3, 6, 9, NOW]))
@settings(max_examples=_EXAMPLES, deadline=None)
def test_the_embedded_graph_knows_at_any_time_what_the_one_in_memory_knows(
    batches: list[GraphBatch], as_of: int
) -> None:
    memory = _filled(MemoryGraph(), batches)
    with fresh_embedded() as embedded:
        _filled(embedded, batches)
        assert known_now(embedded) == known_now(memory)
        assert everything_known(embedded, as_of) == everything_known(memory, as_of)


@given(facts())
@settings(max_examples=_EXAMPLES, deadline=None)
def test_the_embedded_graph_believes_now_what_the_one_in_memory_believes_whatever_came_late(
    batches: list[GraphBatch],
) -> None:
    memory = _filled(MemoryGraph(), batches)
    with fresh_embedded() as embedded:
        _filled(embedded, batches)
        assert known_now(embedded) == known_now(memory)
        assert everything_known(embedded) == everything_known(memory)
        assert graph_hash(embedded) == graph_hash(memory)


@given(facts(), st.data())
@settings(max_examples=_EXAMPLES, deadline=None)
def test_the_hash_is_the_same_for_any_order_and_any_batches(
    batches: list[GraphBatch], data: st.DataObject
) -> None:
    expected = graph_hash(_filled(MemoryGraph(), batches))
    shuffled = data.draw(st.permutations(batches))
    cut = data.draw(st.integers(0, len(shuffled)))
    with fresh_embedded() as embedded:
        _filled(embedded, [merged(shuffled[:cut]), merged(shuffled[cut:])])
        assert graph_hash(embedded) == expected
    assert graph_hash(_filled(MemoryGraph(), shuffled)) == expected


@given(logs(), st.data(), st.sampled_from([6, NOW]))
@settings(max_examples=_EXAMPLES, deadline=None)
def test_what_is_applied_again_changes_nothing(
    batches: list[GraphBatch], data: st.DataObject, as_of: int
) -> None:
    again = data.draw(st.integers(0, len(batches)))
    with fresh_embedded() as embedded:
        _filled(embedded, batches)
        before = (everything_known(embedded, as_of), known_now(embedded), graph_hash(embedded))
        _filled(embedded, [*batches[:again], *batches])
        after = (everything_known(embedded, as_of), known_now(embedded), graph_hash(embedded))
    assert after == before


@given(logs(), st.data())
@settings(max_examples=_EXAMPLES, deadline=None)
def test_caches_do_not_tell_in_the_result(batches: list[GraphBatch], data: st.DataObject) -> None:
    memory = _filled(MemoryGraph(), batches)
    forgetful = data.draw(st.sets(st.integers(0, 25)))
    with fresh_embedded() as embedded:
        for number, batch in enumerate(batches):
            embedded.apply(batch)
            if number in forgetful:
                _roll_back_something(embedded)
        assert known_now(embedded) == known_now(memory)
        assert everything_known(embedded) == everything_known(memory)


def _roll_back_something(store: GraphStore) -> None:
    class TakenBackError(Exception):
        """Ends a transaction without keeping it."""

    try:
        with store.transaction():
            raise TakenBackError
    except TakenBackError:
        pass
