"""What detectors see of a simulated world: the histories of its deals, beside their truth.

The world is taken as a tenant's stream would be: by consent, merges and recalls, and with the tags that
the tagger gives it. Only the log, the graph and the order of arrival are left out: detectors do not
depend on them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import OPEN, ActionKind, NodeRef, Side
from dealgraph.graph.schema import PERSONS
from dealgraph.stream.consent import ConsentLedger, ConsentPolicy
from dealgraph.stream.identity import Identities, pair_of, person_ref
from dealgraph.stream.interaction import (
    ConsentChange,
    Interaction,
    Merge,
    Purpose,
    Recall,
    Split,
    action_id,
)
from dealgraph.stream.observation import action_of, as_seen, observed_of, settle_kind
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.steps import Place, Tagged
from dealgraph.stream.tagging.tags import WORDLESS, Tagger, Utterance
from dealgraph.stream.world.scenario import Scenario
from dealgraph.stream.world.truth import DealTruth, MeetingTruth
from dealgraph.stream.world.world import World

_BATCH: Final = 2048
_NOWHERE: Final = Place(0, 0, 0, 0)


class Histories(Struct, frozen=True):
    """The deals of a world: what was observed of each, in the order (at, id), and what is true of it.

    Deals of which nothing was observed have an empty history. `end` is the end of the world, in ms:
    truth about later moments cannot have been seen. `events` is how many were drawn.
    """

    observed: dict[str, list[Observed]]
    deals: dict[str, DealTruth]
    meetings: list[MeetingTruth]
    end: int
    events: int


class _Stream:
    """A world's interactions with all that is said about people and records, whenever it came."""

    def __init__(self, policy: ConsentPolicy) -> None:
        self.identities = Identities()
        self.ledger = ConsentLedger(policy, self.identities)
        self.recalled: set[str] = set()
        self.interactions: dict[str, Interaction] = {}

    def take(self, interaction: Interaction) -> None:
        """Take the next interaction."""
        detail = interaction.detail
        if isinstance(detail, ConsentChange):
            self.ledger.record(detail, interaction.occurred_at, interaction.source)
        elif isinstance(detail, Merge | Split):
            pair = pair_of(interaction.source, detail)
            if pair is not None:
                joined = isinstance(detail, Merge)
                self.identities.state(pair, interaction.occurred_at, joined=joined)
        elif isinstance(detail, Recall):
            self.recalled.add(action_id(interaction.source, detail.native_id, detail.part))
        else:
            name = action_id(interaction.source, interaction.native_id, interaction.part)
            self.interactions.setdefault(name, interaction)

    def allowed(self) -> Iterator[tuple[str, Interaction]]:
        """Yield what stands and may be analysed, with its action id."""
        for name, interaction in self.interactions.items():
            if name in self.recalled or not interaction.opportunity:
                continue
            if self.ledger.refusal(interaction, Purpose.ANALYSE) is None:
                yield name, interaction

    def aliases(self) -> dict[str, str]:
        """Return the first id of the person for each id that was merged."""
        pairs: list[tuple[NodeRef, NodeRef]] = self.identities.aliases()
        return {alias.id: first.id for alias, first in pairs if alias.kind in PERSONS}


def histories(
    scenario: Scenario,
    seed: int,
    tagger: Tagger,
    policy: ConsentPolicy,
    progress: Callable[[float], None] = lambda done: None,
) -> Histories:
    """Return what is seen of the world of `scenario` and `seed`; `progress` gets the part done."""
    world = World(scenario, seed)
    stream = _Stream(policy)
    deals: dict[str, DealTruth] = {}
    meetings: list[MeetingTruth] = []
    events = 0
    for event in world.events():
        events += 1
        if events % _BATCH == 0:
            progress(0.8 * (event.arrives - world.start) / (world.end - world.start))
            _keep(world, deals, meetings)
        if not event.broken:
            stream.take(event.interaction)
    _keep(world, deals, meetings)
    observed: dict[str, list[Observed]] = {name: [] for name in deals}
    for key, action in _observed(stream, tagger):
        observed.setdefault(key, []).append(action)
    aliases = stream.aliases()
    for key, actions in observed.items():
        actions.sort(key=lambda action: (action.at, action.id))
        observed[key] = list(as_seen(actions, aliases))
    progress(1.0)
    return Histories(observed, deals, meetings, world.end, events)


def _keep(world: World, deals: dict[str, DealTruth], meetings: list[MeetingTruth]) -> None:
    """Take the truths that the world has ready, but for those of single utterances."""
    for truth in world.truth:
        if isinstance(truth, DealTruth):
            deals[truth.id] = truth
        elif isinstance(truth, MeetingTruth) and truth.hint:
            meetings.append(truth)
    world.truth.clear()


def _observed(stream: _Stream, tagger: Tagger) -> Iterator[tuple[str, Observed]]:
    """Yield (opportunity, action) for all that may be analysed, tagged in batches."""
    for batch in _batches(stream.allowed(), _BATCH):
        utterances = [
            Utterance(i.text, i.actor.side, _with_emotion(stream.ledger, i))
            for _, i in batch
            if i.text
        ]
        tags = iter(tagger.tag_all(utterances))
        for name, i in batch:
            found = settle_kind(i, next(tags) if i.text else WORDLESS)
            actor = person_ref(i.actor.side, i.source, i.actor.native_id)
            rep = person_ref(Side.REP, i.source, i.rep)
            tagged = Tagged(_NOWHERE, name, i, actor, rep, found, tagger.version, OPEN)
            action = action_of(tagged)
            if action.kind is not ActionKind.RECALL:
                yield i.opportunity, observed_of(action)


def _with_emotion(ledger: ConsentLedger, interaction: Interaction) -> bool:
    customer = interaction.actor.side is Side.CUSTOMER
    return customer and ledger.refusal(interaction, Purpose.EMOTION) is None


def _batches(
    items: Iterable[tuple[str, Interaction]], size: int
) -> Iterator[Sequence[tuple[str, Interaction]]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
