"""The state of an opportunity depends on the set of its actions, not on their order of arrival."""

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, field

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
from dealgraph.stream.opportunity import Change, OpportunityState, bind
from dealgraph.stream.signals.detector import NOTHING, Detector, Episode, Observed, Scope, State

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
        where = f"{action.person} at {action.stage.name}"
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


def believe(belief: Belief, changes: Sequence[Change]) -> None:
    """Follow changes as a reader of the signals would."""
    for change in changes:
        name = (change.detector.rule, change.session, change.episode.number)
        assert (name in belief) == (change.state is not SignalState.RAISED)
        if change.state is SignalState.RETRACTED:
            del belief[name]
        else:
            belief[name] = change.episode


def run(actions: Sequence[Observed], recalled: frozenset[str] = frozenset()) -> Belief:
    """Feed actions in the order given and return what is believed at the end."""
    state = OpportunityState(bind(DETECTORS), {"c:2": "c:1"})
    belief: Belief = {}
    for action in actions:
        assert not state.knows(action)
        believe(belief, state.add(action, recalled=False))
    for taken_back in sorted(recalled):
        believe(belief, state.recall(taken_back))
    return belief


actions = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(["s1", "s2"]),
        st.sampled_from(["c:1", "c:2", "c:3"]),
        st.booleans(),
        st.sampled_from([*[Stage.UNKNOWN] * 3, Stage.DISCOVERY, Stage.PROPOSAL]),
    ),
    max_size=30,
)


def actions_of(drawn: Sequence[tuple[int, str, str, bool, Stage]]) -> list[Observed]:
    """Return the drawn actions and stage changes, each with an id of its own."""
    return [
        staged(number, at, stage)
        if stage
        else priced(number, at, session=session, person=person, topics=PRICE if on else 0)
        for number, (at, session, person, on, stage) in enumerate(drawn)
    ]


def in_order(actions: Sequence[Observed]) -> list[Observed]:
    """Return actions by event time."""
    return sorted(actions, key=lambda action: (action.at, action.id))


@given(actions, st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_any_order_of_arrival_gives_the_same_signals(
    drawn: list[tuple[int, str, str, bool, Stage]], random: Random
) -> None:
    actions = actions_of(drawn)
    shuffled = list(actions)
    random.shuffle(shuffled)
    assert run(shuffled) == run(in_order(actions))


@given(actions, st.sets(st.integers(0, 29)))
@settings(max_examples=150)
def test_a_recalled_action_counts_as_if_it_had_never_been(
    drawn: list[tuple[int, str, str, bool, Stage]], taken_back: set[int]
) -> None:
    actions = actions_of(drawn)
    ids = frozenset(f"{number:032x}" for number in taken_back)
    kept = [action for action in actions if action.id not in ids]
    assert run(actions, ids) == run(in_order(kept))


@given(actions)
def test_people_found_to_be_one_later_count_as_one_from_the_start(
    drawn: list[tuple[int, str, str, bool, Stage]],
) -> None:
    actions = in_order(actions_of(drawn))
    aliases: dict[str, str] = {}
    state = OpportunityState(bind(DETECTORS), aliases)
    belief: Belief = {}
    for action in actions:
        believe(belief, state.add(action, recalled=False))
    aliases["c:2"] = "c:1"
    believe(belief, state.replay())
    assert belief == run(actions)


def test_an_action_in_order_is_not_replayed() -> None:
    state = OpportunityState(bind(DETECTORS), {})
    changes = [state.add(priced(n, n), recalled=False) for n in range(3)]
    assert [len(change) for change in changes] == [0, 0, 2]
    assert {change.state for change in changes[2]} == {SignalState.RAISED}


def test_a_late_action_revises_the_evidence_of_a_signal_that_lasts() -> None:
    state = OpportunityState(bind(DETECTORS[:1]), {})
    for number in (1, 3, 4):
        state.add(priced(number, number), recalled=False)
    changes = state.add(priced(2, 2), recalled=False)
    assert [change.state for change in changes] == [SignalState.CLEARED]
    assert changes[0].episode.evidence[-1] == f"{4:032x}"


def test_a_recall_retracts_the_signal_that_rested_on_the_action() -> None:
    state = OpportunityState(bind(DETECTORS[:1]), {})
    for number in (1, 2, 3):
        state.add(priced(number, number), recalled=False)
    changes = state.recall(f"{2:032x}")
    assert [change.state for change in changes] == [SignalState.RETRACTED]


def test_an_action_that_was_recalled_before_it_came_is_never_seen() -> None:
    state = OpportunityState(bind(DETECTORS[:1]), {})
    state.add(priced(1, 1), recalled=False)
    state.add(priced(2, 2), recalled=True)
    assert state.add(priced(3, 3), recalled=False) == []


def test_the_same_action_is_known_again() -> None:
    state = OpportunityState(bind(DETECTORS), {})
    state.add(priced(1, 1), recalled=False)
    assert state.knows(priced(1, 1))
    assert not state.knows(priced(2, 1))
