"""Watches registered channels: judges what comes, quarantines what spoils, releases what was held."""

import asyncio
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from msgspec.structs import replace

from dealgraph.graph.model import Channel, NodeRef, Side
from dealgraph.graph.storage import StorageError
from dealgraph.server import logs
from dealgraph.server.commit_queue import CommitQueue
from dealgraph.server.errors import CallError
from dealgraph.server.metrics import Metrics
from dealgraph.stream import codec
from dealgraph.stream.channel_quality import ChannelQuality, GoldenRecord
from dealgraph.stream.channels import (
    Check,
    RegisteredChannel,
    State,
    expires_soon,
    quality,
    spoiled,
)
from dealgraph.stream.ingest import Gate
from dealgraph.stream.interaction import (
    Interaction,
    InteractionKind,
    Person,
    Recall,
    Rejected,
)
from dealgraph.stream.log import EventLog, Record, Topic

_CHUNK: Final = 1000
_MAX_ID: Final = 512
_WARN_EVERY_MS: Final = 86_400_000
_JUDGED: Final = (State.CANARY, State.ACTIVE)


class ChannelWatch:
    """Looks at what the log took in since the last look. `clock` gives ms since 1970 UTC."""

    def __init__(
        self,
        log: EventLog,
        gate: Gate,
        commits: CommitQueue,
        metrics: Metrics,
        clock: Callable[[], int],
    ) -> None:
        self._log = log
        self._gate = gate
        self._commits = commits
        self._metrics = metrics
        self._clock = clock
        self._rules = gate.channels.rules
        self._warned: dict[str, int] = {}
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        """Look at the log from its start."""
        self._generation = self._gate.generation
        self._identities = self._gate.identities()
        self._quality = ChannelQuality(GoldenRecord(self._members), self._rules)
        self._read = dict.fromkeys((Topic.INTERACTIONS, Topic.HELD, Topic.DEAD_LETTERS), 0)
        self._since: dict[str, int] = {}
        self._held: defaultdict[str, list[int]] = defaultdict(list)
        self._held_ids: set[str] = set()

    async def run(self, every_seconds: float) -> None:
        """Watch until cancelled; a storage that cannot be read or written is tried again later."""
        while True:
            await asyncio.sleep(every_seconds)
            try:
                await self.look()
            except (StorageError, CallError) as error:
                logs.fault("channel_watch_failed", error)

    async def look(self) -> None:
        """Judge all channels once, and act on it."""
        if self._gate.channels.idle:
            return
        await asyncio.to_thread(self.catch_up)
        for channel in self._gate.channels.channels():
            self._warn(channel)
            checks = self.checks(channel.name)
            if any(check.records for check in checks):
                self._metrics.channel_quality.labels(channel.name).set(quality(checks))
            reason = spoiled(checks, self._rules) if channel.state in _JUDGED else ""
            if reason:
                await self._commits.submit(partial(self._quarantine, channel.name, reason))
                logs.warning("channel_quarantined")
            elif channel.state is State.ACTIVE:
                while await self._commits.submit(partial(self._release, channel.name)):
                    pass

    def checks(self, name: str) -> list[Check]:
        """Return the checks of a channel over its newest records."""
        with self._lock:
            return self._quality.checks(name)

    def held(self, channel: RegisteredChannel) -> int:
        """Return how many records of a channel are held and not released."""
        with self._lock:
            offsets = self._held.get(channel.name, [])
            return len(offsets) - bisect_right(offsets, channel.released)

    def catch_up(self) -> None:
        """Take what the log took in since the last time: first what counts, then what is held."""
        with self._lock:
            if self._generation != self._gate.generation:
                self._begin()
            if self._identities.decisions != (current := self._gate.identities()).decisions:
                self._identities = current
            channels = {channel.name: channel for channel in self._gate.channels.channels()}
            for name, channel in channels.items():
                if self._since.get(name) != channel.changed_at:
                    # Each step is judged by what came since.
                    self._quality.forget(name)
                    self._since[name] = channel.changed_at
            for topic in self._read:
                while page := self._log.read(topic, self._read[topic], _CHUNK):
                    self._read[topic] = page[-1].offset
                    for record in page:
                        self._take(topic, record, channels)

    def _take(self, topic: Topic, record: Record, channels: dict[str, RegisteredChannel]) -> None:
        if topic is Topic.DEAD_LETTERS:
            if record.body:
                source = codec.dead_letter_from_bytes(record.body).source
                if source in channels and record.recorded_at >= channels[source].changed_at:
                    self._quality.reject(source)
            return
        interaction = codec.interaction_from_record(record.body)
        if isinstance(interaction, Rejected):
            return
        channel = channels.get(interaction.source)
        released = topic is Topic.INTERACTIONS and record.id in self._held_ids
        if channel and not released and record.recorded_at >= channel.changed_at:
            counts = topic is Topic.INTERACTIONS
            self._quality.look(interaction, record.recorded_at, counts=counts)
        if topic is Topic.HELD:
            self._held[interaction.source].append(record.offset)
            self._held_ids.add(record.id)
        else:
            self._held_ids.discard(record.id)
            self._quality.golden.add(interaction)

    def _members(self, ref: NodeRef) -> Iterable[NodeRef]:
        return self._identities.members(ref)

    def _quarantine(self, name: str, reason: str) -> None:
        """Stop a channel, and take back what counted of it and failed a check."""
        with self._gate.changing_channels() as book:
            channel = book.find(name)
            if channel is not None and channel.state in _JUDGED:
                now = self._clock()
                with self._lock:
                    bad = self._quality.counted_in_error(name)
                self._gate.publish([_recall(name, *id_, now) for id_ in bad])
                state = State.QUARANTINED
                book.put(replace(channel, state=state, reason=reason, changed_at=now))

    def _release(self, name: str) -> bool:
        """Let the next of what was held of an active channel in; say whether there may be more."""
        with self._gate.changing_channels() as book:
            channel = book.find(name)
            if channel is None or channel.state is not State.ACTIVE:
                return False
            return book.release(channel, self._gate.publish) is not None

    def _warn(self, channel: RegisteredChannel) -> None:
        now = self._clock()
        due = now >= self._warned.get(channel.name, 0) + _WARN_EVERY_MS
        if due and expires_soon(channel, now, self._rules):
            self._warned[channel.name] = now
            days = (channel.expires_at - now) // _WARN_EVERY_MS
            logs.warning("channel_expires", days_left=days)


def _recall(source: str, native_id: str, part: int, now: int) -> Interaction:
    return Interaction(
        source=source,
        native_id=f"quarantine/{native_id}/{part}"[-_MAX_ID:],
        kind=InteractionKind.RECALL,
        channel=Channel.CRM,
        occurred_at=now,
        actor=Person(Side.SYSTEM),
        detail=Recall(native_id, part),
    )
