"""What happens to a record of a customer relationship system, whatever the vendor.

Ids of records are "vendor:id". Two fields say how a record stands: `record_state` is live or deleted,
`sync_state` is dirty where the vendor lost changes and the record must be fetched again, clean once it was.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dealgraph.graph.model import Channel
from dealgraph.stream.interaction import (
    FieldChange,
    Interaction,
    InteractionKind,
    Person,
    Provenance,
    StageChange,
)

RECORD_STATE: Final = "record_state"
SYNC_STATE: Final = "sync_state"
LIVE: Final = "live"
DELETED: Final = "deleted"
DIRTY: Final = "dirty"
CLEAN: Final = "clean"
RESYNC: Final = "resync_needed"
"""Activity that asks for all records of an entity to be fetched again."""

_MAX_VALUE: Final = 10_000


class CrmRecord(Struct, frozen=True):
    """A record that changed at `at` (ms). `key` names the change, `entity` the table, `id` the record.

    `opportunity`, `customer` and `contact` say what it is, or belongs to.
    """

    source: str
    key: str
    entity: str
    id: str
    at: int
    actor: Person
    opportunity: str = ""
    customer: str = ""
    contact: str = ""
    facts: Mapping[str, str] = {}

    def interaction(self, what: str, kind: InteractionKind, origin: Provenance) -> Interaction:
        """Return what happened to it, without details; `what` tells it from the rest of the change."""
        return Interaction(
            source=self.source,
            native_id=f"{self.key}/{what}" if what else self.key,
            kind=kind,
            channel=Channel.CRM,
            occurred_at=self.at,
            actor=self.actor,
            session=f"{self.source}:{self.entity}/{self.id}" if self.id else "",
            opportunity=self.opportunity,
            customer=self.customer,
            contact=self.contact,
            provenance=origin,
            attributes={"entity": self.entity, **self.facts},
        )

    def field(self, name: str, value: str, origin: Provenance) -> Interaction:
        """Return the change of a field."""
        changed = self.interaction(name, InteractionKind.FIELD_CHANGE, origin)
        return replace(changed, detail=FieldChange(name, value[:_MAX_VALUE]))

    def stage(self, value: str, origin: Provenance) -> Interaction:
        """Return the change of the stage."""
        changed = self.interaction("stage", InteractionKind.STAGE_CHANGE, origin)
        return replace(changed, detail=StageChange(value))

    def activity(self, what: str, origin: Provenance) -> Interaction:
        """Return a step that changes no field."""
        done = self.interaction(what, InteractionKind.ACTIVITY, origin)
        return replace(done, attributes={"activity": what, **done.attributes})
