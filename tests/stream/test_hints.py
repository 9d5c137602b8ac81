"""Which hints of a talk are told: cool-down, number, CRITICAL; a function of the episodes alone."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.model import Level, Severity, SignalKind
from dealgraph.stream.hints import HintPolicy, is_told
from dealgraph.stream.signals.detector import Episode
from tests.support.observed import HOUR, MINUTE, START

POLICY = HintPolicy(cool_down_ms=5 * MINUTE, per_session=3)
R1, R3, R4 = SignalKind.COMPETITOR_RATE, SignalKind.UNANSWERED_QUESTION, SignalKind.OVER_PROMISE


def episode(
    number: int,
    minute: int,
    kind: SignalKind = R1,
    severity: Severity = Severity.WARNING,
    level: Level = Level.PUSHED,
) -> Episode:
    at = START + minute * MINUTE
    return Episode(
        kind, number, severity, at, at, None, 1.0, 1.0, 0.0, 1.0, 0, (), "It is so.", level=level
    )


def told(*session: Episode) -> list[bool]:
    return [is_told(POLICY, one, session) for one in session]


def test_the_same_kind_is_told_again_only_after_the_cool_down() -> None:
    session = (episode(0, 0), episode(1, 4), episode(2, 5))
    assert told(*session) == [True, False, True]


def test_another_kind_needs_no_cool_down() -> None:
    assert told(episode(0, 0), episode(0, 1, R3)) == [True, True]


def test_a_talk_has_at_most_so_many_hints() -> None:
    session = [episode(n, 10 * n) for n in range(5)]
    assert told(*session) == [True, True, True, False, False]


def test_a_critical_one_is_always_told() -> None:
    session = [episode(n, 10 * n) for n in range(3)]
    critical = episode(3, 21, severity=Severity.CRITICAL)
    assert told(*session, critical) == [True, True, True, True]


def test_one_that_was_held_back_is_told_when_it_becomes_critical() -> None:
    first, held_back = episode(0, 0), episode(1, 2)
    assert told(first, held_back) == [True, False]
    worse = episode(1, 2, severity=Severity.CRITICAL)
    assert told(first, worse) == [True, True]


def test_what_is_only_recorded_is_not_told_and_does_not_count() -> None:
    recorded = episode(0, 0, level=Level.RECORDED)
    assert told(recorded, episode(1, 1)) == [False, True]


def test_a_room_that_lives_for_days_is_many_talks() -> None:
    hours = HOUR // MINUTE
    session = [episode(n, n * 2 * hours, R4) for n in range(20)]
    assert all(told(*session))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 60), st.sampled_from([R1, R3, R4]), st.sampled_from(list(Severity))
        ),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_in_which_episodes_became_known_does_not_matter(
    drawn: list[tuple[int, SignalKind, Severity]], chance: random.Random
) -> None:
    session = [episode(n, minute, kind, how) for n, (minute, kind, how) in enumerate(drawn)]
    shuffled = chance.sample(session, len(session))
    assert [is_told(POLICY, one, shuffled) for one in session] == told(*session)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from([R1, R3, R4])), max_size=12),
    st.integers(0, 12),
)
def test_what_comes_later_does_not_change_what_was_told(
    drawn: list[tuple[int, SignalKind]], cut: int
) -> None:
    session = [episode(n, minute, kind) for n, (minute, kind) in enumerate(sorted(drawn))]
    assert told(*session[:cut]) == told(*session)[:cut]
