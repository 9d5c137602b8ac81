"""How far event time has come, and when silence is looked at again.

The watermark is the latest event time minus the lateness of its channel (a call is heard at once, a mail
may be imported a day later), and never beyond the time at which the record was taken in: a clock that runs
ahead moves nothing. When it has passed a full hour, all timers up to that hour are seen to: a *sweep*.
Between two sweeps lie at least `_LEAST_RECORDS` records or `_LEAST_MS` of taking in, so that a year imported
in a minute is not swept nine thousand times. All of it follows from the log, so a replay sweeps at the
same records.
"""

from typing import Final

from dealgraph.graph.model import Channel
from dealgraph.graph.store import EventTime
from dealgraph.stream.interaction import STATEMENTS, Interaction
from dealgraph.stream.steps import Place

_SECOND: Final = 1000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_LATENESS: Final = {
    Channel.VOICE: 2 * _SECOND,
    Channel.CHAT: 5 * _MINUTE,
    Channel.MAIL: 24 * _HOUR,
    Channel.CRM: 24 * _HOUR,
}
_LEAST_RECORDS: Final = 256
_LEAST_MS: Final = 60 * _SECOND


def watermark(reached: int, interaction: Interaction, ingested_at: int) -> int:
    """Return the watermark after an interaction, given the one before; it never goes back."""
    if interaction.kind in STATEMENTS:
        return reached
    at = interaction.occurred_at - _LATENESS[interaction.channel]
    return max(reached, min(at, ingested_at))


def sweep_at(place: Place, last: EventTime) -> EventTime | None:
    """Return the sweep that a record calls for after the `last` one, or None."""
    if place.reached - last.swept < _HOUR:
        return None
    long = place.ingested_at - last.ingested_at >= _LEAST_MS
    if not long and place.offset - last.offset < _LEAST_RECORDS:
        return None
    until = place.reached - place.reached % _HOUR
    return EventTime(place.reached, until, place.offset, place.ingested_at)
