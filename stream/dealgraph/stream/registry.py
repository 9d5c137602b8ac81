"""What ingest must know of the past: who is one person, and who consented to what.

The log's registry topic repeats the interactions that say so, to be read at a start.
"""

from typing import Final

from dealgraph.stream import codec
from dealgraph.stream.consent import ConsentLedger, ConsentPolicy
from dealgraph.stream.identity import Identities, pair_of
from dealgraph.stream.interaction import (
    ConsentChange,
    Interaction,
    Merge,
    Purpose,
    Rejected,
    Split,
)
from dealgraph.stream.log import EventLog, NewRecord, Topic

_CHUNK: Final = 1000


class Registry:
    """Consent and identities as the log holds them. Not safe for use by several threads at once."""

    def __init__(self, log: EventLog, policy: ConsentPolicy) -> None:
        self._log = log
        self._policy = policy
        self._load()

    def refresh(self) -> None:
        """Read the log again if a commit that held consent or merges was undone."""
        if self._log.end(Topic.REGISTRY) != self._offset:
            self._load()

    def add(self, interaction: Interaction, record: NewRecord) -> None:
        """Note an interaction that the log has just taken in as `record`."""
        self._log.append(Topic.REGISTRY, [record])
        self._offset = self._log.end(Topic.REGISTRY)
        self._apply(interaction, record.id)

    def refusal(self, interaction: Interaction, purpose: Purpose) -> str | None:
        """Return why the interaction may not be used for `purpose`, None when it may."""
        return self._ledger.refusal(interaction, purpose)

    def _load(self) -> None:
        self.identities = Identities()
        self.known: set[str] = set()
        self._ledger = ConsentLedger(self._policy, self.identities)
        self._offset = 0
        while page := self._log.read(Topic.REGISTRY, self._offset, _CHUNK):
            self._offset = page[-1].offset
            for record in page:
                interaction = codec.interaction_from_record(record.body)
                if not isinstance(interaction, Rejected):
                    self._apply(interaction, record.id)

    def _apply(self, interaction: Interaction, id_: str) -> None:
        self.known.add(id_)
        source, detail = interaction.source, interaction.detail
        if isinstance(detail, ConsentChange):
            self._ledger.record(detail, interaction.occurred_at, source)
        elif isinstance(detail, Merge | Split):
            pair = pair_of(source, detail)
            if pair is not None:
                joined = isinstance(detail, Merge)
                self.identities.state(pair, interaction.occurred_at, joined=joined)
