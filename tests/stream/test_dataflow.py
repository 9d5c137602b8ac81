"""The whole dataflow on an embedded dealgraph: what the log says decides, not when or how it came."""

import gc
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random
from threading import get_ident

import pytest
from bytewax.testing import cluster_main
from msgspec.structs import replace

from dealgraph.graph.hash import graph_hash
from dealgraph.graph.model import (
    ActionKind,
    Channel,
    EdgeKind,
    Level,
    NodeKind,
    NodeRef,
    SignalKind,
    SignalState,
)
from dealgraph.graph.storage import StorageError
from dealgraph.graph.store import EdgeQuery, GraphBatch, TimelineQuery
from dealgraph.server.compose import Embedded, rebuilding
from dealgraph.server.settings import DataflowSettings, Settings
from dealgraph.stream.ingest import Outcome
from dealgraph.stream.interaction import (
    ConsentChange,
    Interaction,
    InteractionKind,
    Purpose,
    Recall,
    action_id,
)
from dealgraph.stream.meter import SilentMeter
from dealgraph.stream.opportunity import OpportunityState
from dealgraph.stream.shard import Shard
from dealgraph.stream.steps import Outcome as StepOutcome
from dealgraph.stream.steps import Tagged
from tests.support.dealgraphs import NOW, alerts_of, opened, process
from tests.support.interactions import utterance
from tests.support.stories import delivery_story

STORY = delivery_story(deals=6, seed=7)


def hash_of(directory: Path, interactions: Sequence[Interaction], settings: Settings) -> str:
    """Return the graph hash after these interactions came in this order."""
    with opened(directory, settings) as dealgraph:
        process(dealgraph, interactions)
        return graph_hash(dealgraph.graph)


@pytest.fixture(scope="module")
def ordered_hash(tmp_path_factory: pytest.TempPathFactory) -> str:
    return hash_of(tmp_path_factory.mktemp("ordered"), STORY, Settings())


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_arrival_gives_the_same_graph(
    tmp_path: Path, ordered_hash: str, seed: int
) -> None:
    shuffled = list(STORY)
    Random(seed).shuffle(shuffled)
    assert hash_of(tmp_path, shuffled, Settings()) == ordered_hash


def test_the_number_of_shards_and_the_size_of_batches_change_nothing(
    tmp_path: Path, ordered_hash: str
) -> None:
    settings = Settings(dataflow=DataflowSettings(shards=3, batch=7))
    assert hash_of(tmp_path, STORY, settings) == ordered_hash


@pytest.mark.parametrize("seed", range(3))
def test_two_workers_give_the_same_graph_as_one(
    tmp_path: Path, ordered_hash: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Each of two threads runs the shards that Bytewax gives it, at its own pace."""
    two_workers = partial(cluster_main, addresses=[], proc_id=0, worker_count_per_proc=2)
    monkeypatch.setattr("dealgraph.stream.runner.run_main", two_workers)
    threads: set[int] = set()
    take = Shard.take

    def noting(shard: Shard, part: Tagged) -> StepOutcome:
        threads.add(get_ident())
        return take(shard, part)

    monkeypatch.setattr(Shard, "take", noting)
    shuffled = list(STORY)
    Random(seed).shuffle(shuffled)
    settings = Settings(dataflow=DataflowSettings(batch=5))
    assert hash_of(tmp_path, shuffled, settings) == ordered_hash
    assert len(threads) == 2


def test_states_that_are_dropped_and_loaded_again_change_nothing(
    tmp_path: Path, ordered_hash: str
) -> None:
    shuffled = list(STORY)
    Random(9).shuffle(shuffled)
    settings = Settings(dataflow=DataflowSettings(shards=2, batch=5, hot_actions=2))
    assert hash_of(tmp_path, shuffled, settings) == ordered_hash


def test_a_step_that_fails_ends_the_dataflow_without_a_trace_and_loses_nothing(
    tmp_path: Path, ordered_hash: str, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(dataflow=DataflowSettings(batch=5))
    with opened(tmp_path, settings) as dealgraph:
        dealgraph.gate.publish(STORY)
        apply, applied = dealgraph.graph.apply, 0

        def full(batch: GraphBatch) -> None:
            nonlocal applied
            applied += 1
            if applied > 3:
                raise StorageError("no room")
            apply(batch)

        dealgraph.graph.apply = full  # type: ignore[method-assign]
        with pytest.raises(StorageError, match="no room"):
            dealgraph.runner.run_to_end()
        assert applied == 4
        assert "panicked" not in capfd.readouterr().err
    with opened(tmp_path, settings) as dealgraph:
        dealgraph.runner.run_to_end()
        assert graph_hash(dealgraph.graph) == ordered_hash


def test_a_state_that_is_dropped_is_free_at_once(tmp_path: Path) -> None:
    """Opportunities come and go; waiting for a search for cycles would hold them for hours."""
    settings = Settings(dataflow=DataflowSettings(shards=1, batch=5, hot_actions=1))
    with opened(tmp_path, settings) as dealgraph:
        gc.collect()
        gc.disable()
        try:
            process(dealgraph, STORY)
            alive = [one for one in gc.get_objects() if type(one) is OpportunityState]
        finally:
            gc.enable()
    # Those of the last batch are not written yet when they are looked at.
    assert len(alive) <= 5


def test_a_restart_after_every_few_interactions_changes_nothing(
    tmp_path: Path, ordered_hash: str
) -> None:
    shuffled = list(STORY)
    Random(5).shuffle(shuffled)
    for start in range(0, len(shuffled), 12):
        with opened(tmp_path) as dealgraph:
            process(dealgraph, shuffled[start : start + 12])
            found = graph_hash(dealgraph.graph)
    assert found == ordered_hash


def test_what_is_published_again_changes_neither_graph_nor_alerts(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, STORY)
        before = graph_hash(dealgraph.graph), alerts_of(dealgraph)
        receipts = dealgraph.gate.publish(STORY)
        dealgraph.runner.run_to_end()
        assert {receipt.outcome for receipt in receipts} == {Outcome.DUPLICATE}
        assert (graph_hash(dealgraph.graph), alerts_of(dealgraph)) == before


def test_a_graph_made_anew_from_the_log_is_the_same_with_the_same_alerts(tmp_path: Path) -> None:
    shuffled = list(STORY)
    Random(3).shuffle(shuffled)
    with opened(tmp_path) as dealgraph:
        process(dealgraph, shuffled)
        before = graph_hash(dealgraph.graph), alerts_of(dealgraph)
    with rebuilding(tmp_path, Settings(), lambda: NOW, SilentMeter()) as dealgraph:
        assert alerts_of(dealgraph) == []
        dealgraph.runner.run_to_end()
    with opened(tmp_path) as dealgraph:
        assert (graph_hash(dealgraph.graph), alerts_of(dealgraph)) == before


def test_a_graph_that_cannot_be_made_anew_stays_as_it_was(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, STORY)
        before = graph_hash(dealgraph.graph)
    with (
        pytest.raises(ZeroDivisionError),
        rebuilding(tmp_path, Settings(), lambda: NOW, SilentMeter()),
    ):
        raise ZeroDivisionError
    with opened(tmp_path) as dealgraph:
        assert graph_hash(dealgraph.graph) == before


def test_every_alert_has_a_path_to_its_source_actions(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, STORY)
        alerts = alerts_of(dealgraph)
        assert {alert.signal.kind for alert in alerts} >= {
            SignalKind.DELIVERY_CONCERN_RECURRENCE,
            SignalKind.COMPETITOR_RATE,
        }
        for alert in alerts:
            node = NodeRef(NodeKind.DECISION_SIGNAL, alert.signal.id)
            query = EdgeQuery(edge_kinds=frozenset({EdgeKind.EVIDENCED_BY}))
            reached = {edge.target.id for edge in dealgraph.graph.edges([node], query)}
            assert alert.signal.evidence
            assert set(alert.signal.evidence) <= reached
            assert set(dealgraph.graph.actions(alert.signal.evidence)) == set(alert.signal.evidence)


def delivery_asks(count: int) -> list[Interaction]:
    """Messages of the first deal that keep asking about delivery, in two sessions."""
    return [
        one
        for one in STORY
        if one.opportunity == "deal-7-0" and one.kind is not InteractionKind.RECALL
    ][:count]


def test_a_signal_is_retracted_when_the_messages_it_rests_on_are_taken_back(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, [one for one in STORY if one.opportunity == "deal-7-0"])
        raised = [
            alert.signal
            for alert in alerts_of(dealgraph)
            if alert.signal.kind is SignalKind.DELIVERY_CONCERN_RECURRENCE
        ]
        newest = dealgraph.graph.signal(raised[-1].id)
        assert newest is not None
        rested_on = sorted({*raised[-1].evidence, *newest.evidence})
        taken_back = dealgraph.graph.actions(rested_on).values()
        process(dealgraph, [recall_of(action.native_id) for action in taken_back])
        told = [alert.signal for alert in alerts_of(dealgraph) if alert.signal.id == raised[-1].id]
        # People hear that it is no longer worth telling; that it goes altogether is then no news to them.
        assert (told[-1].state, told[-1].level) == (SignalState.REVISED, Level.RECORDED)
        assert told[-1].rep == raised[-1].rep
        known = dealgraph.graph.signal(raised[-1].id)
        assert known is not None
        assert known.state is SignalState.RETRACTED


def recall_of(native_id: str) -> Interaction:
    """Return the taking back of a message."""
    any_message = next(one for one in STORY if one.native_id == native_id)
    return replace(
        any_message,
        native_id=f"{native_id}/recall",
        kind=InteractionKind.RECALL,
        text="",
        occurred_at=any_message.occurred_at + 10**9,
        detail=Recall(native_id),
    )


def test_a_recall_that_comes_before_its_message_still_takes_it_back(tmp_path: Path) -> None:
    message = next(one for one in STORY if one.kind is InteractionKind.MESSAGE)
    with opened(tmp_path / "before") as early, opened(tmp_path / "after") as late:
        process(early, [recall_of(message.native_id)])
        process(late, [message, recall_of(message.native_id)])
        process(early, [message])
        assert graph_hash(early.graph) == graph_hash(late.graph)
        taken_back = action_id(message.source, message.native_id)
        assert early.graph.actions([taken_back])[taken_back].recalled_at


def test_a_recall_is_remembered_over_a_restart_until_its_message_comes(tmp_path: Path) -> None:
    asks = delivery_asks(100)
    messages = [one for one in asks if one.kind is InteractionKind.MESSAGE]
    with opened(tmp_path) as dealgraph:
        process(dealgraph, [recall_of(one.native_id) for one in messages])
    with opened(tmp_path) as dealgraph:
        process(dealgraph, asks)
        assert alerts_of(dealgraph) == []


def test_what_may_be_stored_but_not_analysed_reaches_the_log_and_not_the_graph(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, [consent(Purpose.CAPTURE), utterance("How long is the rollout?")])
        assert timeline_kinds(dealgraph) == []
        process(dealgraph, [consent(Purpose.ANALYSE)])
        process(dealgraph, [utterance("How long is the rollout?", native_id="again")])
        assert timeline_kinds(dealgraph) == [ActionKind.DELIVERY_CONCERN]


def test_emotion_is_inferred_only_with_consent_for_it(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, [consent(Purpose.CAPTURE), consent(Purpose.ANALYSE)])
        process(dealgraph, [utterance("This is terrible, I am angry.")])
        assert NodeKind.EMOTION not in dealgraph.graph.counts().nodes
        process(dealgraph, [consent(Purpose.EMOTION)])
        process(dealgraph, [utterance("This is terrible, I am angry.", native_id="again")])
        assert dealgraph.graph.counts().nodes[NodeKind.EMOTION] == 1


def timeline_kinds(dealgraph: Embedded) -> list[ActionKind]:
    """Return what was done in the deal of `utterance`."""
    deal = NodeRef(NodeKind.OPPORTUNITY, "deal-1")
    return [action.kind for action in dealgraph.graph.timeline(deal, TimelineQuery())]


def consent(purpose: Purpose) -> Interaction:
    """Return the consent of the rep of `utterance` to one use of voice, given long ago."""
    return Interaction(
        source="webvtt",
        native_id=f"consent/{purpose.name}",
        kind=InteractionKind.CONSENT,
        channel=Channel.VOICE,
        occurred_at=1_000_000_000_000,
        detail=ConsentChange("rep-1", Channel.VOICE, purpose, True),
    )
