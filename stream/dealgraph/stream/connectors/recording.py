"""What all transcripts share: the session, when the recording began, and who is behind a label."""

from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Channel
from dealgraph.stream.clocks import EVENT_KEY
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.event_keys import event_key
from dealgraph.stream.identity import person_id
from dealgraph.stream.interaction import Interaction, InteractionKind, Person, Provenance

_ABSOLUTE: Final = 100_000_000_000
"""From here on (March 1973) a number of ms is a time; below it counts from the start."""


class Turn(Struct, frozen=True, gc=False):
    """One voice says something. `start` and `end` are in ms, since 1970 or since the start.

    `native_id` is the speaker's id at the source, `key` names the turn within its session.
    """

    start: int
    end: int
    words: str
    key: str
    part: int = 0
    label: str = ""
    native_id: str = ""
    attributes: dict[str, str] = {}


class Recording:
    """The recording that a transcript was made of. `started_at` is in ms, None while not known."""

    def __init__(self, source: str, name: str, options: Options) -> None:
        self._source = source
        self._name = name
        self._roster = options.roster
        self._defaults = options.defaults()
        stem = name.removesuffix(".gz")
        self.session = self._defaults.session or stem.rpartition(".")[0] or stem
        self.started_at = self._defaults.started_at

    def knows(self, label: str) -> bool:
        """Say whether the roster has a person with this label."""
        return self._roster.knows(label)

    def name_session(self, session: str) -> None:
        """Take the session that the transcript names, unless the user stated another one."""
        if session:
            self.session = self._defaults.session or session

    def utterance(self, turn: Turn, origin: Provenance) -> Interaction:
        """Return the utterance. Raises SourceError when nothing says when the recording began."""
        actor, at = self._speaker(turn), self._at(turn.start)
        defaults = self._defaults
        return Interaction(
            source=self._source,
            native_id=f"{self.session}{turn.key}",
            part=turn.part,
            kind=InteractionKind.UTTERANCE,
            channel=Channel.VOICE,
            occurred_at=at,
            duration_ms=turn.end - turn.start,
            actor=actor,
            session=self.session,
            opportunity=defaults.opportunity,
            customer=self._roster.customer_of(actor.native_id) or defaults.customer,
            rep=person_id(self._source, defaults.rep) if defaults.rep else "",
            text=turn.words,
            provenance=origin,
            attributes=self._facts(turn, at),
        )

    def _facts(self, turn: Turn, at: int) -> dict[str, str]:
        """Return the attributes of a turn; the day of a meeting is that of the recording's start."""
        event = self._defaults.event
        if not event:
            return turn.attributes
        return {**turn.attributes, EVENT_KEY: event_key(event, self.started_at or at)}

    def _at(self, start: int) -> int:
        if start >= _ABSOLUTE:
            return start
        if self.started_at is None:
            raise SourceError(
                f"{self._name} does not say when it started: pass --started-at "
                "2026-03-02T09:30:00+08:00, or write it into the roster as started_at."
            )
        return self.started_at + start

    def _speaker(self, turn: Turn) -> Person:
        found = None
        if turn.native_id:
            found = self._roster.person(self._source, turn.native_id, turn.label)
        return found or self._roster.speaker(turn.label)
