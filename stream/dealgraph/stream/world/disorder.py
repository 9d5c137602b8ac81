"""How what happens becomes a record: gaps, opt-outs, wrong clocks, late imports, doubles, recalls.

Every decision is drawn from the name of what it concerns, apart from all talk. So the same deal with and
without gaps says the same words, and who opts out changes nothing about the others.
"""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from dealgraph.graph.model import Channel
from dealgraph.stream.calendar import DAY_MS, MINUTE_MS
from dealgraph.stream.interaction import Interaction, InteractionKind, Recall
from dealgraph.stream.world.deal import Deal
from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.event import Event
from dealgraph.stream.world.scenario import Disorder, Scenario

_HOUR_MS: Final = 60 * MINUTE_MS
_ACTIVITIES: Final = frozenset({InteractionKind.ACTIVITY, InteractionKind.FIELD_CHANGE})


def opted_out(scenario: Scenario, seed: int) -> frozenset[int]:
    """Return the numbers of the reps who do not take part: exactly the share, rounded."""
    order = sorted(range(scenario.reps), key=lambda n: Draws(seed, "consent", n).unit())
    return frozenset(order[: round(scenario.disorder.opt_out_reps * scenario.reps)])


class Records:
    """What becomes of the conversations of one deal on their way to the stream."""

    def __init__(self, deal: Deal, scenario: Scenario, seed: int) -> None:
        self._deal = deal
        self._scenario = scenario
        self._seed = seed
        disorder = scenario.disorder
        habit = Draws(seed, "recording", deal.rep.number).unit()
        self._conversations = scenario.recording.of_rep(habit)
        draws = Draws(seed, "clock", deal.key)
        self._skew = 0
        if draws.chance(disorder.wrong_clocks):
            away = round(draws.between(*disorder.wrong_clock_seconds) * 1000)
            self._skew = away if draws.chance(0.5) else -away

    def recorded(self, events: list[Event]) -> Iterator[Event]:
        """Yield what arrives of the events of one conversation or note."""
        if not events:
            return
        first = events[0]
        draws = Draws(self._seed, "record", self._deal.key, first.unit)
        if first.unit >= 0 and not draws.chance(self._share(first.interaction)):
            return
        disorder = self._scenario.disorder
        upload = 0
        channel = first.interaction.channel
        if channel is Channel.VOICE and draws.chance(disorder.uploaded_calls):
            upload = events[-1].arrives + round(draws.between(*disorder.uploaded_hours) * _HOUR_MS)
        for event in events:
            delay = (
                draws.exponential(disorder.network_delay_ms) if disorder.network_delay_ms else 0.0
            )
            arrives = event.arrives + round(delay)
            if upload:
                arrives = upload + len(event.interaction.text)
            elif channel is Channel.MAIL and draws.chance(disorder.late_mails):
                arrives += round(draws.between(*disorder.late_mail_days) * DAY_MS)
            yield from self._disturbed(event, arrives, draws, disorder)

    def _share(self, interaction: Interaction) -> float:
        recording = self._scenario.recording
        if interaction.channel is not Channel.CRM:
            return self._conversations
        if interaction.kind in _ACTIVITIES:
            return recording.activities
        return recording.stages

    def _disturbed(
        self, event: Event, arrives: int, draws: Draws, disorder: Disorder
    ) -> Iterator[Event]:
        interaction = event.interaction
        if self._skew and interaction.channel is Channel.CHAT:
            interaction = replace(interaction, occurred_at=interaction.occurred_at + self._skew)
        event = Event(interaction, arrives, event.unit, event.words, event.mark, event.talk_ms)
        if draws.chance(disorder.broken_rows):
            # The record is damaged on the way, and a whole one comes later.
            yield Event(interaction, arrives, event.unit, broken=True)
            event.arrives = arrives = arrives + _HOUR_MS
        yield event
        if draws.chance(disorder.duplicates):
            later = arrives + round(draws.exponential(_HOUR_MS))
            yield Event(interaction, later, event.unit)
        if interaction.kind is InteractionKind.MESSAGE and draws.chance(disorder.recalled_messages):
            yield _recall(event, arrives + round(draws.between(5_000, 110_000)))


def _recall(event: Event, at: int) -> Event:
    """Return the recall of a message; chats allow it within two minutes."""
    message = event.interaction
    recall = replace(
        message,
        native_id=f"{message.native_id}/recall",
        kind=InteractionKind.RECALL,
        occurred_at=max(at, message.occurred_at + 1),
        text="",
        detail=Recall(message.native_id),
    )
    return Event(recall, at, event.unit)
