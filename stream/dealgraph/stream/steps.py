"""What passes from step to step of the dataflow, as values.

Each record of the log becomes one or more parts; the writer at the end waits for all parts of a record
and writes records in the order of the log. `sequence` counts the records of one run from 0.
"""

from collections.abc import Sequence
from zlib import crc32

from msgspec import Struct

from dealgraph.graph.model import Action, DecisionSignal, NodeRef
from dealgraph.graph.store import EventTime, Timer
from dealgraph.stream.alerts import Alert
from dealgraph.stream.interaction import Interaction, Reason, Rejected
from dealgraph.stream.tagging.tags import Tags


class Place(Struct, frozen=True, gc=False):
    """Where a part belongs: its record in this run and in the log, and the record's number of parts.

    `ingested_at` is when the log took the record in. `recorded_at` is when its content became known:
    the same, or earlier where a source tells when it learnt of it. `reached` is the watermark after it.
    """

    sequence: int
    offset: int
    ingested_at: int
    recorded_at: int
    parts: int = 1
    reached: int = 0


class Received(Struct, frozen=True, gc=False):
    """An interaction read from the log. `id` is its action id."""

    place: Place
    id: str
    interaction: Interaction


class Consented(Struct, frozen=True, gc=False):
    """An interaction that may be analysed; emotion may be inferred only `with_emotion`.

    `actor` and `rep` are the nodes of the person who acted and of the rep, None when unknown.
    `recalled_at` is the event
    time at which it had already been taken back when it came, 0 when it stands.
    """

    place: Place
    id: str
    interaction: Interaction
    actor: NodeRef | None
    rep: NodeRef | None
    with_emotion: bool
    recalled_at: int


class Tagged(Struct, frozen=True, gc=False):
    """An interaction with its tags; `tagger` is the version of the tagger, empty without words."""

    place: Place
    id: str
    interaction: Interaction
    actor: NodeRef | None
    rep: NodeRef | None
    tags: Tags
    tagger: str
    recalled_at: int


class Merged(Struct, frozen=True, gc=False):
    """Who is one person changed: told to every shard.

    `renamed` holds (id, first id of the person) for the ids whose first id is another one now.
    """

    place: Place
    shard: int
    interaction: Interaction
    renamed: tuple[tuple[NodeRef, NodeRef], ...]


class TakenBack(Struct, frozen=True, gc=False):
    """An earlier action, known under the state key `key`, was taken back."""

    place: Place
    key: str
    action: str


class Swept(Struct, frozen=True, gc=False):
    """Event time has come to `event_time.swept`: told to every shard."""

    place: Place
    shard: int
    event_time: EventTime


class Passed(Struct, frozen=True, gc=False):
    """A record that changes nothing in the graph: its consent event was noted, or it was refused."""

    place: Place
    rejected: Rejected | None = None


Batch = Sequence[Received | Passed]
"""Consecutive records of the log, as they enter the flow."""


class Outcome(Struct, frozen=True, gc=False):
    """What a part of a record adds: to the graph, to the alerts, or to the dead letters.

    `timers` say when states must be looked at again, `swept` how far that was done.
    `interaction` is what an `action`, or a merge or split when there is none, came from.
    """

    place: Place
    interaction: Interaction | None = None
    action: Action | None = None
    signals: tuple[DecisionSignal, ...] = ()
    alerts: tuple[Alert, ...] = ()
    rejected: Rejected | None = None
    timers: tuple[Timer, ...] = ()
    swept: EventTime | None = None


Step = Consented | Tagged | Merged | TakenBack | Swept | Passed


def poisoned(interaction: Interaction, error: Exception, doing: str) -> Rejected:
    """Return the dead letter of an interaction that broke a step: it must not stop the flow."""
    detail = f"{type(error).__name__} while {doing}"
    return Rejected(interaction.source, interaction.native_id, Reason.FAILED, detail)


def state_key(interaction: Interaction) -> str:
    """Return the key of the state that an interaction belongs to: its opportunity, else its session."""
    if interaction.opportunity:
        return "o:" + interaction.opportunity
    return "s:" + interaction.session


def shard_of(key: str, shards: int) -> int:
    """Return the shard of a state key."""
    return crc32(key.encode("utf-8", "surrogatepass")) % shards
