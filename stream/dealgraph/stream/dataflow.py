"""The dataflow: from the event log to graph and alerts, built by one function for every shape.

log → decode → admit (people, consent, merges, recalls) → tag → keyed state (dedupe, signals) → writer

Bytewax carries whole batches as items, and one part of a batch per shard, since each item costs it
microseconds at every step; a step is a function over a batch, so that a plain loop could replace it.
Names of steps are frozen: renaming a stateful step would reset its state. Nothing is kept in Bytewax's own
recovery store, as the keyed state can be loaded from the graph and the position is committed with it.
"""

from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from time import perf_counter
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from msgspec import Struct

from dealgraph.graph.storage import StorageError
from dealgraph.graph.store import GraphStore, Timer
from dealgraph.stream.admission import Admission, Admitted
from dealgraph.stream.failure import Failure
from dealgraph.stream.meter import Meter
from dealgraph.stream.observation import settle_kind
from dealgraph.stream.shard import Rules, Shard
from dealgraph.stream.steps import (
    Batch,
    Consented,
    Merged,
    Outcome,
    Passed,
    Swept,
    Tagged,
    TakenBack,
    poisoned,
    shard_of,
    state_key,
)
from dealgraph.stream.tagging.tags import WORDLESS, Tagger, Tags, Utterance
from dealgraph.stream.writer import Writer

_Keyed = Tagged | Merged | TakenBack | Swept | Passed


class Parts(Struct, frozen=True):
    """What the dataflow is made of."""

    admission: Admission
    tagger: Tagger
    rules: Rules
    graph: GraphStore
    writer: Writer
    meter: Meter
    shards: int
    hot_actions: int


def build(source: Source[Batch], parts: Parts, failure: Failure) -> Dataflow:
    """Return the dataflow from `source` to the writer of `parts`.

    What a step raises is noted in `failure`, and nothing is done after it: the source is to end then.
    """
    names = [f"{number:03d}" for number in range(parts.shards)]
    aliases = parts.admission.aliases()
    flow = Dataflow("dealgraph")
    received = op.input("log", flow, source)
    admitted = op.map("admit", received, failure.noting(lambda batch: _admit(parts, batch)))
    tagged = op.map("tag", admitted, failure.noting(lambda batch: _tag(parts, batch)))
    keyed = op.flat_map("key", tagged, lambda batch: _key(names, batch))

    running: list[Shard] = []
    timers: dict[int, list[Timer]] = {}
    for timer in parts.graph.timers():
        timers.setdefault(shard_of(timer.key, parts.shards), []).append(timer)

    def open_shard(number: int) -> Shard:
        hot_actions = parts.hot_actions // parts.shards
        committed = parts.writer.committed
        shard = Shard(parts.shards, parts.rules, parts.graph, committed, hot_actions)
        shard.rename(aliases)
        shard.load_timers(timers.get(number, ()))
        running.append(shard)
        return shard

    def start(_resume: None) -> _ShardLogic:
        return _ShardLogic(open_shard, running, parts, failure)

    outcomes = op.stateful_batch("signal", keyed, start)
    op.output("write", outcomes, _WriterSink(parts.writer, failure))
    return flow


def _admit(parts: Parts, batch: Batch) -> list[Admitted]:
    started = perf_counter()
    admitted: list[Admitted] = []
    for item in batch:
        if isinstance(item, Passed):
            admitted.append(item)
            continue
        try:
            admitted += parts.admission.take(item)
        except StorageError:
            raise
        except Exception as error:
            rejected = poisoned(item.interaction, error, "its people and consent were looked up")
            admitted.append(Passed(item.place, rejected))
    parts.meter.stage("admit", perf_counter() - started)
    return admitted


def _tag(parts: Parts, batch: Sequence[Admitted]) -> list[_Keyed]:
    started = perf_counter()
    worded = [item for item in batch if isinstance(item, Consented) and item.interaction.text]
    tagged: list[_Keyed]
    try:
        found = iter(parts.tagger.tag_all([_utterance(item) for item in worded]))
        tagged = [
            _tagged(parts.tagger, item, next(found) if item.interaction.text else WORDLESS)
            if isinstance(item, Consented)
            else item
            for item in batch
        ]
    except Exception:  # one of them is poison: find out which
        tagged = [
            _tag_one(parts.tagger, item) if isinstance(item, Consented) else item for item in batch
        ]
    parts.meter.stage("tag", perf_counter() - started)
    return tagged


def _utterance(item: Consented) -> Utterance:
    return Utterance(item.interaction.text, item.interaction.actor.side, item.with_emotion)


def _tag_one(tagger: Tagger, item: Consented) -> Tagged | Passed:
    interaction = item.interaction
    tags = WORDLESS
    if interaction.text:
        try:
            tags = tagger.tag(
                interaction.text, interaction.actor.side, with_emotion=item.with_emotion
            )
        except Exception as error:
            return Passed(item.place, poisoned(interaction, error, "its text was tagged"))
    return _tagged(tagger, item, tags)


def _tagged(tagger: Tagger, item: Consented, tags: Tags) -> Tagged:
    interaction = item.interaction
    return Tagged(
        item.place,
        item.id,
        interaction,
        item.actor,
        item.rep,
        settle_kind(interaction, tags),
        tagger.version if interaction.text else "",
        item.recalled_at,
    )


def _key(names: Sequence[str], batch: Sequence[_Keyed]) -> Iterable[tuple[str, list[_Keyed]]]:
    """Split a batch by shard, each part in the order of the batch."""
    shards = len(names)
    split: dict[int, list[_Keyed]] = {}
    for item in batch:
        shard = _shard_of(item, shards)
        part = split.get(shard)
        if part is None:
            split[shard] = [item]
        else:
            part.append(item)
    return [(names[shard], part) for shard, part in split.items()]


def _shard_of(item: _Keyed, shards: int) -> int:
    if type(item) is Tagged:
        return shard_of(state_key(item.interaction), shards)
    if type(item) is TakenBack:
        return shard_of(item.key, shards)
    return item.shard if isinstance(item, Merged | Swept) else 0


class _ShardLogic(StatefulBatchLogic[list[_Keyed], list[Outcome], None]):
    """Runs a shard inside Bytewax, which does not say which one: the first part does.

    `running` holds all shards of the flow, to count their keys.
    """

    def __init__(
        self,
        open_shard: Callable[[int], Shard],
        running: Sequence[Shard],
        parts: Parts,
        failure: Failure,
    ) -> None:
        self._take = failure.noting(self._outcomes)
        self._open = open_shard
        self._shard: Shard | None = None
        self._running = running
        self._shards = parts.shards
        self._meter = parts.meter

    def on_batch(self, values: list[list[_Keyed]]) -> tuple[Iterable[list[Outcome]], bool]:
        return self._take(values), StatefulBatchLogic.RETAIN

    def _outcomes(self, values: list[list[_Keyed]]) -> list[list[Outcome]]:
        started = perf_counter()
        if self._shard is None:
            self._shard = self._open(_shard_of(values[0][0], self._shards))
        take = self._shard.take
        outcomes = [[take(part) for part in parts] for parts in values]
        self._meter.stage("signal", perf_counter() - started)
        self._meter.state_keys("signal", sum(len(shard) for shard in self._running))
        return outcomes

    def snapshot(self) -> None:
        return None


class _WriterPartition(StatelessSinkPartition[tuple[str, list[Outcome]]]):
    def __init__(self, writer: Writer, turn: Lock, failure: Failure) -> None:
        self._writer = writer
        self._turn = turn
        self._write = failure.noting(self._in_turn)

    def write_batch(self, items: list[tuple[str, list[Outcome]]]) -> None:
        self._write(items)

    def _in_turn(self, items: list[tuple[str, list[Outcome]]]) -> list[None]:
        with self._turn:
            self._writer.write([outcome for _, outcomes in items for outcome in outcomes])
        return []


class _WriterSink(DynamicSink[tuple[str, list[Outcome]]]):
    """All workers of a process share one writer, and take turns."""

    def __init__(self, writer: Writer, failure: Failure) -> None:
        self._writer = writer
        self._turn = Lock()
        self._failure = failure

    def build(self, _step_id: str, _worker_index: int, _worker_count: int) -> Any:
        return _WriterPartition(self._writer, self._turn, self._failure)
