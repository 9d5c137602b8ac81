"""The state of an opportunity depends on the set of its actions, not on their order of arrival."""

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, field
from msgspec.structs import replace

from dealgraph.graph.model import (
    ActionKind,
    Channel,
    Role,
    Severity,
    Side,
    SignalKind,
    SignalState,
    Stage,
    Topic,
    topic_set,
)
from dealgraph.stream.opportunity import OpportunityState
from dealgraph.stream.signals.detector import (
    NEVER,
    NOTHING,
    Detector,
    Episode,
    Observed,
    Scope,
    State,
)
from dealgraph.stream.told import Change, InForce, Name, Told, bind

PRICE = topic_set(Topic.PRICE)


class Seen(State):
    """The ids of the last three actions seen, their number, and the open episode."""

    ids: list[str] = field(default_factory=list)
    count: int = 0
    open: Episode | None = None


class EveryThird(Struct, frozen=True):
    """A detector for tests: an episode at every third priced action, ended by the next action."""

    scope: Scope
    topics: int = PRICE
    rule: str = "T"
    version: str = "1"
    baselines: int = 0

    def begin(self) -> Seen:
        return Seen()

    def observe(self, state: Seen, action: Observed) -> Sequence[Episode]:
        if action.kind is ActionKind.STAGE_CHANGE:
            return NOTHING
        state.ids = [*state.ids, action.id][-3:]
        state.count += 1
        if state.open is not None:
            state.open = None
            return (self._episode(state, action, action.at),)
        if state.count % 3:
            return NOTHING
        state.open = self._episode(state, action, None)
        return (state.open,)

    def wake(self, state: Seen, at: int) -> Sequence[Episode]:
        return NOTHING

    def _episode(self, state: Seen, action: Observed, cleared_at: int | None) -> Episode:
        number = (state.count - 1) // 3 if cleared_at is None else (state.count - 2) // 3
        where = f"{action.person} at {action.stage.name}, usual by {self.baselines}"
        return Episode(
            SignalKind.PRICE_SENSITIVITY,
            number,
            Severity.WARNING,
            action.at,
            action.at,
            cleared_at,
            float(state.count),
            3.0,
            0.0,
            1.0,
            0,
            tuple(state.ids),
            where,
        )


def priced(
    number: int, at: int, *, session: str = "s1", person: str = "c:1", topics: int = PRICE
) -> Observed:
    """Return an action about price; `number` names it."""
    return Observed(
        f"{number:032x}",
        at,
        session,
        person,
        Side.CUSTOMER,
        Channel.CHAT,
        ActionKind.PRICE_TALK,
        1.0,
        topics,
        1000,
        0.0,
        0.0,
        0.0,
        Role.UNKNOWN,
        Stage.UNKNOWN,
        "r:1",
    )


def staged(number: int, at: int, stage: Stage) -> Observed:
    """Return a change to `stage`."""
    observed = priced(number, at, topics=0)
    return Observed(
        observed.id,
        at,
        "",
        "",
        Side.SYSTEM,
        Channel.CRM,
        ActionKind.STAGE_CHANGE,
        1.0,
        0,
        0,
        0.0,
        0.0,
        0.0,
        Role.UNKNOWN,
        stage,
        "r:1",
    )


DETECTORS: Sequence[Detector[Any]] = (
    EveryThird(Scope.SESSION, rule="T1"),
    EveryThird(Scope.OPPORTUNITY, rule="T2"),
)

Belief = dict[tuple[str, str, int], Episode]
NO_SWEEP = -(1 << 62)
LEARNT_AT = (3 * 3_600_000, 12 * 3_600_000)
"""From when on baselines hold that were learnt, in ms."""


def _by(version: int, detector: Detector[Any]) -> Detector[Any]:
    if isinstance(detector, EveryThird):
        return replace(detector, baselines=version)
    return detector


class Known:
    """All of an opportunity, as a graph would know it: the history of its state."""

    def __init__(self) -> None:
        self.taken: list[Observed] = []
        self.recalled: set[str] = set()
        self.believed: dict[Name, Told] = {}

    def actions(self) -> list[Observed]:
        return in_order([action for action in self.taken if action.id not in self.recalled])

    def told(self) -> dict[Name, Told]:
        return dict(self.believed)


class Opportunity:
    """A state with its history, and what a reader of its signals believes."""

    def __init__(self, detectors: Sequence[Detector[Any]], aliases: dict[str, str]) -> None:
        self.known = Known()
        self.aliases = aliases
        self.detectors = detectors
        self.belief: Belief = {}
        self.forget()

    def in_force_at(self, at: int) -> InForce:
        """Return the detectors by the baselines of then: new ones are learnt twice."""
        version = sum(at >= since for since in LEARNT_AT)
        return InForce(bind([_by(version, one) for one in self.detectors]), version)

    def forget(self) -> None:
        """Drop the state; it is made anew from what is known."""
        self.state = OpportunityState(self.in_force_at, self.aliases, self.known)

    def add(self, action: Observed, horizon: int = NO_SWEEP) -> list[Change]:
        self.known.taken.append(action)
        return self._believe(self.state.add(action, horizon))

    def recall(self, action: str, horizon: int = NO_SWEEP) -> list[Change]:
        self.known.recalled.add(action)
        return self._believe(self.state.renew(horizon))

    def renew(self, horizon: int = NO_SWEEP) -> list[Change]:
        return self._believe(self.state.renew(horizon))

    def wake(self, until: int) -> list[Change]:
        return self._believe(self.state.wake(until))

    def _believe(self, changes: list[Change]) -> list[Change]:
        for change in changes:
            episode = change.episode
            name = (change.detector.rule, change.session, episode.number)
            told = (
                change.detector.rule,
                change.session,
                episode.kind,
                episode.form,
                episode.number,
            )
            fresh = change.state is SignalState.RAISED
            assert (name in self.belief) == (not fresh) or change.state is SignalState.CLEARED
            if change.state is SignalState.RETRACTED:
                del self.belief[name], self.known.believed[told]
            else:
                self.belief[name] = episode
                self.known.believed[told] = Told(episode, change.rep)
        return changes


def run(actions: Sequence[Observed], recalled: frozenset[str] = frozenset()) -> Belief:
    """Feed actions in the order given and return what is believed at the end."""
    deal = Opportunity(DETECTORS, {"c:2": "c:1"})
    for action in actions:
        deal.add(action)
    for taken_back in sorted(recalled):
        deal.recall(taken_back)
    return deal.belief


actions = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(["s1", "s2"]),
        st.sampled_from(["c:1", "c:2", "c:3"]),
        st.booleans(),
        st.sampled_from([*[Stage.UNKNOWN] * 3, Stage.DISCOVERY, Stage.PROPOSAL]),
    ),
    max_size=120,
)
HOUR = 3_600_000
"""Far apart, so that sessions start anew between some of the actions."""


def actions_of(drawn: Sequence[tuple[int, str, str, bool, Stage]]) -> list[Observed]:
    """Return the drawn actions and stage changes, each with an id of its own."""
    return [
        staged(number, at * HOUR, stage)
        if stage
        else priced(number, at * HOUR, session=session, person=person, topics=PRICE if on else 0)
        for number, (at, session, person, on, stage) in enumerate(drawn)
    ]


def in_order(actions: Sequence[Observed]) -> list[Observed]:
    """Return actions by event time."""
    return sorted(actions, key=lambda action: (action.at, action.id))


@given(actions, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_any_order_of_arrival_gives_the_same_signals(
    drawn: list[tuple[int, str, str, bool, Stage]], random: Random
) -> None:
    actions = actions_of(drawn)
    shuffled = list(actions)
    random.shuffle(shuffled)
    assert run(shuffled) == run(in_order(actions))


@given(actions, st.integers(1, 12), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_a_little_disorder_gives_the_same_signals(
    drawn: list[tuple[int, str, str, bool, Stage]], late: int, random: Random
) -> None:
    ordered = in_order(actions_of(drawn))
    places = [place + random.randint(0, late) for place in range(len(ordered))]
    arriving = [action for _, action in sorted(zip(places, ordered, strict=True), key=_first)]
    assert run(arriving) == run(ordered)


def _first(pair: tuple[int, Observed]) -> int:
    return pair[0]


@given(actions, st.sets(st.integers(0, 29)))
@settings(max_examples=100, deadline=None)
def test_a_recalled_action_counts_as_if_it_had_never_been(
    drawn: list[tuple[int, str, str, bool, Stage]], taken_back: set[int]
) -> None:
    actions = actions_of(drawn)
    ids = frozenset(f"{number:032x}" for number in taken_back)
    kept = [action for action in actions if action.id not in ids]
    assert run(actions, ids) == run(in_order(kept))


@given(actions)
@settings(max_examples=100, deadline=None)
def test_people_found_to_be_one_later_count_as_one_from_the_start(
    drawn: list[tuple[int, str, str, bool, Stage]],
) -> None:
    actions = in_order(actions_of(drawn))
    aliases: dict[str, str] = {}
    deal = Opportunity(DETECTORS, aliases)
    for action in actions:
        deal.add(action)
    aliases["c:2"] = "c:1"
    deal.renew()
    assert deal.belief == run(actions)


@given(actions, st.sets(st.integers(0, 119)), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_a_state_that_was_dropped_goes_on_as_if_it_had_been_held(
    drawn: list[tuple[int, str, str, bool, Stage]], dropped: set[int], random: Random
) -> None:
    actions = actions_of(drawn)
    random.shuffle(actions)
    deal = Opportunity(DETECTORS, {"c:2": "c:1"})
    for number, action in enumerate(actions):
        if number in dropped:
            deal.forget()
            assert deal.renew() == []
        deal.add(action)
    assert deal.belief == run(in_order(actions))


def test_a_deal_is_judged_by_the_baselines_of_its_first_action() -> None:
    deal = Opportunity(DETECTORS, {})
    for number in range(4):
        deal.add(priced(number, (11 + number) * HOUR))
    assert {episode.explanation[-1] for episode in deal.belief.values()} == {"1"}
    deal.add(priced(9, 2 * HOUR))
    assert {episode.explanation[-1] for episode in deal.belief.values()} == {"0"}
    assert deal.recall(f"{9:032x}")
    assert {episode.explanation[-1] for episode in deal.belief.values()} == {"1"}


arrivals = st.lists(st.tuples(st.integers(0, 60), st.none() | st.integers(0, 60)), max_size=12)
"""Hours at which something is said, in order of arrival, with the hour that is swept before, if any."""


@given(arrivals, st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_silence_is_found_alike_in_any_order_of_arrival(
    arriving: list[tuple[int, int | None]], swept: int
) -> None:
    """Sweeps come in between; what is believed depends on the actions and on the last sweep."""
    said = [priced(number, hour * HOUR) for number, (hour, _) in enumerate(arriving)]
    until = max([swept, *(sweep for _, sweep in arriving if sweep is not None)]) * HOUR
    late, ordered = Opportunity([Silence()], {}), Opportunity([Silence()], {})
    horizon = NO_SWEEP
    for action, (_, sweep) in zip(said, arriving, strict=True):
        if sweep is not None and sweep * HOUR > horizon:
            horizon = sweep * HOUR
            late.wake(horizon)
        late.add(action, horizon)
    for action in in_order(said):
        ordered.add(action)
    late.wake(until)
    ordered.wake(until)
    assert late.belief == ordered.belief


class Waiting(State):
    """Since when nobody spoke, how often that was looked at, and how often it lasted too long."""

    since: int = 0
    looks: int = 0
    number: int = -1
    open: bool = False


class Silence(Struct, frozen=True):
    """A detector for tests: an episode when nobody speaks for six hours, until somebody does.

    After three hours it looks and says nothing; how often it did is its statistic.
    """

    rule: str = "T3"
    version: str = "1"
    scope: Scope = Scope.OPPORTUNITY
    topics: int = 0

    def begin(self) -> Waiting:
        return Waiting()

    def observe(self, state: Waiting, action: Observed) -> Sequence[Episode]:
        if action.kind is ActionKind.STAGE_CHANGE:
            return NOTHING
        ended = (self._episode(state, action.at, action.at),) if state.open else NOTHING
        state.since, state.open, state.due = action.at, False, action.at + 3 * HOUR
        return ended

    def wake(self, state: Waiting, at: int) -> Sequence[Episode]:
        if at < state.since + 6 * HOUR:
            state.looks, state.due = state.looks + 1, state.since + 6 * HOUR
            return NOTHING
        state.number, state.open, state.due = state.number + 1, True, NEVER
        return (self._episode(state, at, None),)

    def _episode(self, state: Waiting, at: int, cleared_at: int | None) -> Episode:
        began = state.since + 6 * HOUR
        return Episode(
            SignalKind.RECIPROCITY_DRIFT, state.number, Severity.WARNING, began, at, cleared_at,
            float(state.looks), 1.0, 0.0, 0.0, 0, (), "silence",
        )  # fmt: skip


def test_an_action_in_order_is_not_replayed() -> None:
    deal = Opportunity(DETECTORS, {})
    changes = [deal.add(priced(n, n)) for n in range(3)]
    assert [len(change) for change in changes] == [0, 0, 2]
    assert {change.state for change in changes[2]} == {SignalState.RAISED}


def test_a_late_action_revises_the_evidence_of_a_signal_that_lasts() -> None:
    deal = Opportunity(DETECTORS[:1], {})
    for number in (1, 3, 4):
        deal.add(priced(number, number))
    changes = deal.add(priced(2, 2))
    assert [change.state for change in changes] == [SignalState.CLEARED]
    assert changes[0].episode.evidence[-1] == f"{4:032x}"


def test_a_recall_retracts_the_signal_that_rested_on_the_action() -> None:
    deal = Opportunity(DETECTORS[:1], {})
    for number in (1, 2, 3):
        deal.add(priced(number, number))
    changes = deal.recall(f"{2:032x}")
    assert [change.state for change in changes] == [SignalState.RETRACTED]


def test_what_other_thresholds_told_is_put_right_when_the_state_is_made_anew() -> None:
    deal = Opportunity(DETECTORS[:1], {})
    for number in (1, 2, 3):
        deal.add(priced(number, number))
    deal.detectors = [EveryThird(Scope.SESSION, topics=1 << Topic.LEGAL, rule="T1")]
    deal.forget()
    assert [change.state for change in deal.renew()] == [SignalState.RETRACTED]


def test_a_state_holds_few_actions_however_long_the_deal() -> None:
    deal = Opportunity(DETECTORS, {})
    for number in range(1000):
        deal.add(priced(number, number))
    assert len(deal.state) <= 64
