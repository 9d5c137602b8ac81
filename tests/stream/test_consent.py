"""Who allows what: the rules of consent, and that nothing gets around them."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.model import Channel, NodeKind, NodeRef, Side
from dealgraph.stream.consent import (
    NO_GRANT,
    NO_REP,
    WITHDRAWN,
    ConsentLedger,
    ConsentPolicy,
)
from dealgraph.stream.identity import Identities
from dealgraph.stream.interaction import (
    ConsentChange,
    Interaction,
    InteractionKind,
    Person,
    Purpose,
    StageChange,
)
from tests.support.interactions import (
    CHEN,
    HOUR,
    LI,
    MONDAY,
    REP,
    STRANGER,
    consent,
    mail,
    merge,
    message,
    recall,
    stage_change,
    utterance,
    voice_grants,
)

CAPTURE, ANALYSE, EMOTION = Purpose
ALL = frozenset(Purpose)


def ledger_of(
    *events: Interaction,
    policy: ConsentPolicy | None = None,
    identities: Identities | None = None,
) -> ConsentLedger:
    ledger = ConsentLedger(policy or ConsentPolicy(), identities or Identities())
    for event in events:
        assert isinstance(event.detail, ConsentChange)
        ledger.record(event.detail, event.occurred_at, event.source)
    return ledger


def test_voice_is_denied_until_the_rep_grants_it() -> None:
    assert ledger_of().refusal(utterance(), CAPTURE) == NO_GRANT
    assert ledger_of(*voice_grants()).refusal(utterance(), CAPTURE) is None


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("interaction", [message(), mail(), stage_change()])
def test_what_is_written_is_covered_until_somebody_withdraws(
    interaction: Interaction, purpose: Purpose
) -> None:
    assert ledger_of().refusal(interaction, purpose) is None


def test_voice_without_a_rep_is_refused() -> None:
    assert ledger_of(*voice_grants()).refusal(utterance(rep=""), CAPTURE) == NO_REP


def test_voice_of_a_speaker_whom_nobody_mapped_rests_on_the_rep() -> None:
    spoken = utterance(actor=STRANGER)

    assert ledger_of().refusal(spoken, CAPTURE) == NO_GRANT
    assert ledger_of(*voice_grants()).refusal(spoken, CAPTURE) is None


def test_a_rep_who_speaks_is_the_rep_where_none_is_named() -> None:
    spoken = utterance(side=Side.REP, rep="")

    assert ledger_of().refusal(spoken, CAPTURE) == NO_GRANT
    assert ledger_of(*voice_grants()).refusal(spoken, CAPTURE) is None


def test_a_second_rep_in_a_call_must_have_granted_too() -> None:
    spoken = utterance(actor=Person(Side.REP, "rep-2"))
    one = voice_grants()

    assert ledger_of(*one).refusal(spoken, CAPTURE) == NO_GRANT
    assert ledger_of(*one, *voice_grants(subject="rep-2")).refusal(spoken, CAPTURE) is None


def test_a_grant_holds_from_its_event_time_until_it_is_withdrawn() -> None:
    ledger = ledger_of(
        consent(at=MONDAY), consent(granted=False, at=MONDAY + HOUR), consent(at=MONDAY + 2 * HOUR)
    )
    moments = [MONDAY - 1, MONDAY, MONDAY + HOUR - 1, MONDAY + HOUR, MONDAY + 2 * HOUR]

    refusals = [ledger.refusal(utterance(at=at), CAPTURE) for at in moments]

    assert refusals == [NO_GRANT, None, None, WITHDRAWN, None]


def test_of_two_statements_at_the_same_time_the_withdrawal_wins() -> None:
    for events in (
        [consent(at=MONDAY), consent(granted=False, at=MONDAY)],
        [consent(granted=False, at=MONDAY), consent(at=MONDAY)],
    ):
        assert ledger_of(*events).refusal(utterance(at=MONDAY), CAPTURE) == WITHDRAWN


def test_a_grant_covers_its_own_channel_only() -> None:
    chat = consent(channel=Channel.CHAT)

    assert ledger_of(chat).refusal(utterance(), CAPTURE) == NO_GRANT


def test_a_grant_covers_its_own_purpose_only() -> None:
    ledger = ledger_of(consent(purpose=CAPTURE))

    assert ledger.refusal(utterance(), CAPTURE) is None
    assert ledger.refusal(utterance(), ANALYSE) == NO_GRANT


def test_a_purpose_needs_the_lesser_ones() -> None:
    ledger = ledger_of(consent(purpose=EMOTION), consent(purpose=CAPTURE))

    assert ledger.refusal(utterance(), EMOTION) == NO_GRANT


def test_whoever_withdraws_capture_withdraws_what_rests_on_it() -> None:
    ledger = ledger_of(
        consent(granted=False, channel=Channel.CHAT, subject="li@acme.example"),
    )

    assert [ledger.refusal(message(), purpose) for purpose in Purpose] == [WITHDRAWN] * 3


def test_whoever_withdraws_emotion_alone_is_still_analysed() -> None:
    ledger = ledger_of(
        consent(granted=False, channel=Channel.CHAT, subject="li@acme.example", purpose=EMOTION)
    )

    assert ledger.refusal(message(), ANALYSE) is None
    assert ledger.refusal(message(), EMOTION) == WITHDRAWN


@pytest.mark.parametrize(
    "interaction",
    [
        message(),
        message(actor=REP, contact="li@acme.example"),
        message(actor=REP, recipients=(CHEN, LI)),
        message(actor=CHEN, recipients=(REP, LI)),
    ],
    ids=["actor", "contact", "recipient", "one of several"],
)
def test_a_customer_who_takes_part_may_withdraw(interaction: Interaction) -> None:
    withdrawal = consent(granted=False, channel=Channel.CHAT, subject="LI@acme.example")

    assert ledger_of(withdrawal).refusal(interaction, CAPTURE) == WITHDRAWN
    assert ledger_of().refusal(interaction, CAPTURE) is None


def test_a_rep_may_withdraw_what_is_covered_from_the_start() -> None:
    withdrawal = consent(granted=False, channel=Channel.CHAT, source="wecom")

    assert ledger_of(withdrawal).refusal(message(), CAPTURE) == WITHDRAWN
    assert ledger_of(withdrawal).refusal(message(rep="rep-2"), CAPTURE) is None


def test_consent_reaches_a_person_under_all_ids() -> None:
    identities = Identities()
    withdrawal = consent(granted=False, channel=Channel.CHAT, subject="li@acme.example")
    ledger = ledger_of(withdrawal, identities=identities)
    said = message(actor=Person(Side.CUSTOMER, "wmLi"))
    assert ledger.refusal(said, CAPTURE) is None

    pair = (
        NodeRef(NodeKind.CONTACT, "mail:li@acme.example"),
        NodeRef(NodeKind.CONTACT, "wecom:wmLi"),
    )
    identities.state(pair, MONDAY, joined=True)
    assert ledger.refusal(said, CAPTURE) == WITHDRAWN

    identities.state(pair, MONDAY + 1, joined=False)
    assert ledger.refusal(said, CAPTURE) is None


def test_a_statement_takes_effect_at_once() -> None:
    ledger = ledger_of()
    assert ledger.refusal(utterance(), CAPTURE) == NO_GRANT

    for grant in voice_grants():
        assert isinstance(grant.detail, ConsentChange)
        ledger.record(grant.detail, grant.occurred_at, grant.source)

    assert ledger.refusal(utterance(), CAPTURE) is None


@pytest.mark.parametrize(
    "event",
    [
        consent(granted=False),
        merge("a", "b"),
        recall(utterance()),
        stage_change(channel=Channel.VOICE),
    ],
)
def test_what_only_says_what_changed_always_passes(event: Interaction) -> None:
    everything_withdrawn = [
        consent(granted=False, channel=channel, source=event.source) for channel in Channel
    ]

    assert ledger_of(*everything_withdrawn).refusal(event, CAPTURE) is None


def test_words_do_not_pass_under_the_cover_of_a_change() -> None:
    hidden = utterance(kind=InteractionKind.STAGE_CHANGE, detail=StageChange("won"))

    assert ledger_of().refusal(hidden, CAPTURE) == NO_GRANT


def test_the_policy_can_ask_customers_for_grants_too() -> None:
    policy = ConsentPolicy(customers={Channel.VOICE: frozenset({CAPTURE})})
    grants = voice_grants()
    ledger = ledger_of(*grants, policy=policy)

    assert ledger.refusal(utterance(), CAPTURE) is None
    assert ledger.refusal(utterance(), ANALYSE) == NO_GRANT
    theirs = voice_grants(subject="li@acme.example")
    assert ledger_of(*grants, *theirs, policy=policy).refusal(utterance(), EMOTION) is None


def test_the_policy_can_cover_voice_from_the_start() -> None:
    policy = ConsentPolicy(reps={Channel.VOICE: ALL})

    assert ledger_of(policy=policy).refusal(utterance(rep=""), EMOTION) is None
    assert ledger_of(policy=policy).refusal(message(), CAPTURE) == NO_GRANT


_STATEMENTS = st.lists(
    st.builds(
        consent,
        granted=st.booleans(),
        at=st.integers(MONDAY, MONDAY + 5),
        subject=st.sampled_from(["rep-1", "rep-2", "wm1", "wm2"]),
        channel=st.sampled_from([Channel.VOICE, Channel.CHAT]),
        purpose=st.sampled_from(Purpose),
        source=st.just("wecom"),
    ),
    max_size=8,
)
_SAID = st.builds(
    message,
    at=st.integers(MONDAY - 1, MONDAY + 6),
    channel=st.sampled_from([Channel.VOICE, Channel.CHAT]),
    rep=st.sampled_from(["", "rep-1", "rep-2"]),
    actor=st.sampled_from(
        [STRANGER, *(Person(Side.CUSTOMER, i) for i in ("wm1", "wm2")), Person(Side.REP, "rep-2")]
    ),
)


def _covered(events: Iterable[Interaction], said: Interaction, purpose: Purpose) -> bool:
    """The rules once more, in the slowest and plainest words."""
    actor = said.actor
    reps = {said.rep} | ({actor.native_id} if actor.side is Side.REP else set())
    reps.discard("")
    customers = {actor.native_id} if actor.side is Side.CUSTOMER else set()
    for needed in Purpose:
        if needed > purpose:
            continue
        for person in reps | customers:
            stated = [
                (event.occurred_at, not detail.granted)
                for event in events
                if isinstance(detail := event.detail, ConsentChange)
                and (detail.subject, detail.channel, detail.purpose)
                == (person, said.channel, needed)
                and event.occurred_at <= said.occurred_at
            ]
            must_grant = person in reps and said.channel is Channel.VOICE
            if max(stated)[1] if stated else must_grant:
                return False
        if said.channel is Channel.VOICE and not reps:
            return False
    return True


@settings(max_examples=200, deadline=None)
@given(_STATEMENTS, st.lists(_SAID, min_size=1, max_size=4), st.sampled_from(Purpose))
def test_an_interaction_is_allowed_exactly_when_all_are_covered_at_its_time(
    events: list[Interaction], said: list[Interaction], purpose: Purpose
) -> None:
    ledger = ledger_of(*events)

    for interaction in said:
        allowed = ledger.refusal(interaction, purpose) is None
        assert allowed == _covered(events, interaction, purpose)


@settings(max_examples=50, deadline=None)
@given(
    _STATEMENTS.flatmap(lambda events: st.tuples(st.just(events), st.permutations(events))), _SAID
)
def test_the_order_in_which_statements_become_known_does_not_matter(
    orders: tuple[list[Interaction], list[Interaction]], said: Interaction
) -> None:
    one, other = (ledger_of(*events) for events in orders)

    assert one.refusal(said, EMOTION) == other.refusal(said, EMOTION)
