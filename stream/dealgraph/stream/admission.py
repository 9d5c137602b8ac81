"""The first keyless steps of the dataflow: who acted, may it be analysed, and what does it take back.

Consent, merges and corrections of clocks take effect in the order of the log, so the same log always gives
the same graph. At a start they are read from the registry up to the committed position.
"""

from collections.abc import Callable

from msgspec.structs import replace

from dealgraph.graph.model import OPEN, NodeRef, Side
from dealgraph.graph.schema import PERSONS
from dealgraph.graph.store import GraphStore
from dealgraph.stream import codec
from dealgraph.stream.consent import ConsentLedger, ConsentPolicy
from dealgraph.stream.event_time import sweep_at
from dealgraph.stream.identity import Identities, pair_of, person_ref
from dealgraph.stream.interaction import (
    ClockCorrection,
    ConsentChange,
    Interaction,
    Merge,
    Purpose,
    Recall,
    Rejected,
    Split,
    action_id,
)
from dealgraph.stream.log import EventLog, Topic
from dealgraph.stream.meter import Meter
from dealgraph.stream.steps import (
    Consented,
    Merged,
    Passed,
    Received,
    Swept,
    TakenBack,
    state_key,
)

_CHUNK = 1000

Admitted = Consented | Merged | TakenBack | Swept | Passed


class Admission:
    """Resolves people, checks consent for analysis, and routes merges and recalls."""

    def __init__(
        self,
        log: EventLog,
        graph: GraphStore,
        policy: ConsentPolicy,
        erased_at: Callable[[str], int | None],
        shards: int,
        meter: Meter,
    ) -> None:
        self._log = log
        self._shards = shards
        self._meter = meter
        self._identities = Identities()
        self._ledger = ConsentLedger(policy, self._identities, erased_at)
        self._offsets: dict[str, int] = {}
        self._awaited = {
            retraction.action: retraction.at for retraction in graph.pending_retractions()
        }
        self._swept = graph.event_time()
        self._restore(graph.position())

    def aliases(self) -> list[tuple[NodeRef, NodeRef]]:
        """Return (id, first id of the person) for all ids of people that were merged."""
        return [pair for pair in self._identities.aliases() if pair[0].kind in PERSONS]

    def take(self, received: Received) -> list[Admitted]:
        """Return the parts that a record has, with those of a sweep when it calls for one."""
        sweep = sweep_at(received.place, self._swept)
        if sweep is None:
            return self._parts(received)
        self._swept = sweep
        parts = self._parts(received)
        place = replace(received.place, parts=len(parts) + self._shards)
        return [
            *(replace(part, place=place) for part in parts),
            *(Swept(place, shard, sweep) for shard in range(self._shards)),
        ]

    def _parts(self, received: Received) -> list[Admitted]:
        if self._offsets and received.interaction.source in self._offsets:
            received = self._set_right(received)
        interaction = received.interaction
        detail = interaction.detail
        if detail is not None:
            if isinstance(detail, ClockCorrection):
                self._offsets[detail.source] = detail.offset_ms
                return [Passed(received.place)]
            if isinstance(detail, ConsentChange):
                self._ledger.record(detail, interaction.occurred_at, interaction.source)
                return [Passed(received.place)]
            if isinstance(detail, Merge | Split):
                return self._rename(received, detail)
            if isinstance(detail, Recall):
                return self._recall(received, detail)
        return [self._consent(received)]

    def _set_right(self, received: Received) -> Received:
        """Return what came with the time that it would have by a clock that is right."""
        interaction = received.interaction
        at = interaction.occurred_at - self._offsets[interaction.source]
        return replace(received, interaction=replace(interaction, occurred_at=at))

    def _consent(self, received: Received) -> Admitted:
        interaction = received.interaction
        refusal = self._ledger.refusal(interaction, Purpose.ANALYSE)
        if refusal is not None:
            self._meter.consent_drops(refusal, 1)
            return Passed(received.place)
        source, actor = interaction.source, interaction.actor
        return Consented(
            received.place,
            received.id,
            interaction,
            person_ref(actor.side, source, actor.native_id),
            person_ref(Side.REP, source, interaction.rep),
            actor.side is Side.CUSTOMER
            and self._ledger.refusal(interaction, Purpose.EMOTION) is None,
            self._awaited.pop(received.id, OPEN) if self._awaited else OPEN,
        )

    def _rename(self, received: Received, detail: Merge | Split) -> list[Admitted]:
        renamed = self._renamed(received.interaction, detail)
        place = replace(received.place, parts=self._shards)
        return [
            Merged(place, shard, received.interaction, renamed) for shard in range(self._shards)
        ]

    def _renamed(
        self, interaction: Interaction, detail: Merge | Split
    ) -> tuple[tuple[NodeRef, NodeRef], ...]:
        """Return the people whose first id changes: detectors know customers by their own ids."""
        pair = pair_of(interaction.source, detail)
        if pair is None:
            return ()
        joined = isinstance(detail, Merge)
        renamed = self._identities.state(pair, interaction.occurred_at, joined=joined)
        return renamed if pair[0].kind in PERSONS else ()

    def _recall(self, received: Received, detail: Recall) -> list[Admitted]:
        """Route a recall to the state of its target, or remember it until the target comes."""
        own = self._consent(received)
        if not isinstance(own, Consented):
            return [own]
        source = received.interaction.source
        target = action_id(source, detail.native_id, detail.part)
        record = self._log.find(Topic.INTERACTIONS, [target]).get(target)
        if record is None or record.offset > received.place.offset:
            at = received.interaction.occurred_at
            self._awaited[target] = min(at, self._awaited.get(target, at))
            return [own]
        recalled = codec.interaction_from_record(record.body)
        if isinstance(recalled, Rejected):
            return [own]
        place = replace(received.place, parts=2)
        own = replace(own, place=place)
        return [own, TakenBack(place, state_key(recalled), target)]

    def _restore(self, position: int) -> None:
        """Take consent and merges from the registry as they were at `position` of the log.

        A graph that is made from the start knows what was withdrawn, whenever that became known.
        """
        after = 0
        while page := self._log.read(Topic.REGISTRY, after, _CHUNK):
            after = page[-1].offset
            found = self._log.find(Topic.INTERACTIONS, [record.id for record in page])
            for record in sorted(found.values(), key=lambda record: record.offset):
                interaction = codec.interaction_from_record(record.body)
                if record.offset <= position:
                    self._restore_one(interaction)
                elif not position and isinstance(interaction, Interaction):
                    detail = interaction.detail
                    if isinstance(detail, ConsentChange) and not detail.granted:
                        self._ledger.record(detail, interaction.occurred_at, interaction.source)

    def _restore_one(self, interaction: Interaction | Rejected) -> None:
        if isinstance(interaction, Rejected):
            return
        detail = interaction.detail
        if isinstance(detail, ClockCorrection):
            self._offsets[detail.source] = detail.offset_ms
        elif isinstance(detail, ConsentChange):
            self._ledger.record(detail, interaction.occurred_at, interaction.source)
        elif isinstance(detail, Merge | Split):
            self._renamed(interaction, detail)
