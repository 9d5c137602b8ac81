"""What ingest must know of the past: who is one person, who consented to what, who is to be forgotten.

The log's registry topic repeats the interactions that say so, to be read at a start.
"""

from typing import Final

from dealgraph.stream import codec
from dealgraph.stream.consent import ERASED, ConsentLedger, ConsentPolicy
from dealgraph.stream.erasure import people_in
from dealgraph.stream.erasures import Erasures
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

    def __init__(self, log: EventLog, policy: ConsentPolicy, erasures: Erasures) -> None:
        self._log = log
        self._policy = policy
        self.erasures = erasures
        self._load()

    def refresh(self) -> None:
        """Read the log again if a commit that held consent, merges or an erasure was undone."""
        self.erasures.refresh()
        if self._log.end(Topic.REGISTRY) != self._offset:
            self._load()

    def reload(self) -> None:
        """Read the log again: somebody is to be erased, or was taken out of it."""
        self._load()

    def add(self, interaction: Interaction, record: NewRecord) -> None:
        """Note an interaction that the log has just taken in as `record`."""
        self._log.append(Topic.REGISTRY, [record])
        self._offset = self._log.end(Topic.REGISTRY)
        self._apply(interaction, record.id)

    def refusal(self, interaction: Interaction, purpose: Purpose) -> str | None:
        """Return why the interaction may not be used for `purpose`, None when it may."""
        if any(self._is_erased(person, interaction) for person in self._known_erased(interaction)):
            return ERASED
        return self._ledger.refusal(interaction, purpose)

    def _known_erased(self, interaction: Interaction) -> list[str]:
        if self.erasures.is_empty:
            return []
        return [p for p in people_in(interaction) if self.erasures.erased_at(p) is not None]

    def _is_erased(self, person: str, interaction: Interaction) -> bool:
        """Say whether an interaction is of the time before an erasure, or after it without consent."""
        at = self.erasures.erased_at(person)
        if at is None or interaction.occurred_at <= at:
            return at is not None
        detail = interaction.detail
        grants = isinstance(detail, ConsentChange) and detail.granted
        return not grants and not self._ledger.has_granted_since(person, at)

    def _load(self) -> None:
        self.identities = Identities()
        self.known: set[str] = set()
        self._ledger = ConsentLedger(self._policy, self.identities, self.erasures.erased_at)
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
