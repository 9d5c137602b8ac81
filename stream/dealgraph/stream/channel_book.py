"""The channels of a log: each decision is a record, and what does not count is held beside it."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from dealgraph.stream import codec
from dealgraph.stream.channels import RegisteredChannel, Rules, Verdict, verdict
from dealgraph.stream.interaction import Interaction, InteractionKind, Rejected
from dealgraph.stream.log import Appended, EventLog, NewRecord, Topic

Unregistered = Literal["count", "hold"]

_CHUNK: Final = 1000
_ALWAYS: Final = frozenset(
    {InteractionKind.CONSENT, InteractionKind.RECALL, InteractionKind.DELETE}
)


class ChannelBook:
    """Registered channels. Not safe for use by several threads at once, but for `channels`.

    `unregistered` says what happens with sources that nobody registered.
    """

    def __init__(self, log: EventLog, rules: Rules, unregistered: Unregistered) -> None:
        self._log = log
        self.rules = rules
        self._open = unregistered == "count"
        self._offset = 0
        self._channels: dict[str, RegisteredChannel] = {}
        self._load()

    @property
    def idle(self) -> bool:
        """Whether every record counts, so that nothing need be asked."""
        return self._open and not self._channels

    def channels(self) -> list[RegisteredChannel]:
        """Return all channels by name."""
        channels = self._channels
        return [channels[name] for name in sorted(channels)]

    def find(self, name: str) -> RegisteredChannel | None:
        """Return a channel, None when nobody registered it."""
        return self._channels.get(name)

    def refresh(self) -> None:
        """Read the log again if a commit that held a decision was undone."""
        if self._log.end(Topic.CHANNELS) != self._offset:
            self._load()

    def verdict(self, interaction: Interaction, now: int) -> Verdict:
        """Return what happens with an interaction at time `now`.

        Consent, and what a source takes back of its own, always count.
        """
        if interaction.kind in _ALWAYS:
            return Verdict.COUNT
        channel = self._channels.get(interaction.source)
        if channel is None:
            return Verdict.COUNT if self._open else Verdict.HOLD
        conversation = interaction.session or interaction.native_id
        return verdict(channel, conversation, now, self.rules)

    def put(self, channel: RegisteredChannel) -> None:
        """Append a decision to the log; it must run in the writing thread."""
        body = msgspec.json.encode(channel)
        number = self._log.end(Topic.CHANNELS) + 1
        digest = hashlib.sha256(body).digest()[:16]
        record = NewRecord(f"{channel.name}/{number}", digest, channel.changed_at, body)
        self._log.append(Topic.CHANNELS, [record])
        self._offset = self._log.end(Topic.CHANNELS)
        self._channels = self._channels | {channel.name: channel}

    def hold(self, interactions: Sequence[Interaction], records: Sequence[NewRecord]) -> list[bool]:
        """Keep interactions that do not count yet; say of each whether it was held before."""
        held = [
            _as_it_came(record, interaction)
            for interaction, record in zip(interactions, records, strict=True)
        ]
        outcomes = self._log.append(Topic.HELD, held)
        return [outcome is not Appended.STORED for outcome in outcomes]

    def release(
        self, channel: RegisteredChannel, publish: Callable[[Sequence[Interaction]], object]
    ) -> RegisteredChannel | None:
        """Publish the next of what was held of a channel; return it, or None when nothing is left."""
        page = self._log.read(Topic.HELD, channel.released, _CHUNK)
        if not page:
            return None
        items = [codec.interaction_from_record(record.body) for record in page]
        publish(
            [
                item
                for item in items
                if not isinstance(item, Rejected) and item.source == channel.name
            ]
        )
        forward = replace(channel, released=page[-1].offset)
        self.put(forward)
        return forward

    def _load(self) -> None:
        found: dict[str, RegisteredChannel] = {}
        self._offset = 0
        while page := self._log.read(Topic.CHANNELS, self._offset, _CHUNK):
            self._offset = page[-1].offset
            for record in page:
                channel = msgspec.json.decode(record.body, type=RegisteredChannel)
                found[channel.name] = channel
        self._channels = found


def _as_it_came(record: NewRecord, interaction: Interaction) -> NewRecord:
    """Return a record that holds the interaction as it came: it becomes known when it is released."""
    return replace(record, body=msgspec.msgpack.encode(interaction))
