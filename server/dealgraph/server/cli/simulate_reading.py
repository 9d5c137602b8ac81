"""Simulated conversations to read: some of each language, drawn at random, as Markdown."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Channel, Side
from dealgraph.server.cli.terminal import moment
from dealgraph.stream.interaction import Interaction
from dealgraph.stream.world.draws import Draws
from dealgraph.stream.world.event import Event
from dealgraph.stream.world.scenario import Scenario
from dealgraph.stream.world.world import World

_LANGUAGES: Final[Mapping[str, str]] = {"zh": "Chinese", "en": "English"}
_CHANNELS: Final = {Channel.VOICE: "Meeting", Channel.CHAT: "Chat", Channel.MAIL: "Mails"}
_MOST_LINES: Final = 26
_LEAST_LINES: Final = 2


class Conversation(Struct, frozen=True):
    """A conversation in order of time."""

    said: list[Interaction]

    @property
    def language(self) -> str:
        """Whether it is Chinese or English."""
        words = "".join(interaction.text for interaction in self.said)
        return "zh" if any("\u4e00" <= letter <= "\u9fff" for letter in words) else "en"


def _conversations(events: Iterable[Event], world: World) -> list[Conversation]:
    found: dict[tuple[str, int], dict[str, Interaction]] = {}
    for event in events:
        world.truth.clear()
        interaction = event.interaction
        if event.words is not None:
            key = interaction.opportunity, event.unit
            found.setdefault(key, {})[interaction.native_id] = interaction
    return [
        Conversation(sorted(said.values(), key=lambda interaction: interaction.occurred_at))
        for said in found.values()
        if len(said) >= _LEAST_LINES
    ]


def reading(scenario: Scenario, seed: int, number: int) -> Iterator[str]:
    """Yield the lines of a Markdown page with `number` random conversations of each language."""
    world = World(scenario, seed)
    conversations = _conversations(world.events(), world)
    yield "# Simulated conversations"
    yield ""
    yield (
        f"Drawn at random from the scenario `{scenario.name}`; written by `dealgraph simulate "
        f"--scenario {scenario.name} --seed {seed} --read {number}`. Times are UTC; long meetings are cut."
    )
    for language, name in _LANGUAGES.items():
        spoken = [c for c in conversations if c.language == language]
        for place, found in enumerate(Draws(seed, "reading", language).some(spoken, number), 1):
            yield ""
            yield from _page(found, f"{name} {place}")


def _page(conversation: Conversation, title: str) -> Iterator[str]:
    said = conversation.said
    first = said[0]
    yield f"## {title}: {_CHANNELS[first.channel]}, {moment(first.occurred_at)}"
    yield ""
    for interaction in said[:_MOST_LINES]:
        actor = interaction.actor
        part = "rep" if actor.side is Side.REP else actor.role.name.lower().replace("_", " ")
        text = " / ".join(interaction.text.split("\n\n"))
        clock = moment(interaction.occurred_at)[16:21]
        yield f"- {clock} **{actor.name}** ({part}): {text}".replace("\n", " / ")
    if len(said) > _MOST_LINES:
        yield f"- … and {len(said) - _MOST_LINES} lines more"
