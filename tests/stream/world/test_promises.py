"""The world keeps its promises: rates, orders and shares, within statistical intervals at fixed seeds."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import pairwise
from math import log, sqrt
from statistics import mean, median, stdev

from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, Channel
from dealgraph.stream.interaction import InteractionKind, Merge, StageChange
from dealgraph.stream.world.disorder import opted_out
from dealgraph.stream.world.planted import Planted
from dealgraph.stream.world.scenario import Disorder, Recording, Scenario
from tests.support.worlds import (
    BASE,
    DAY,
    MINUTE,
    Seen,
    by_customer,
    seen,
    spoken,
    technical,
)

CLEAN = replace(BASE, reps=6)
CHATTY = replace(
    BASE,
    reps=14,
    pace=replace(BASE.pace, meetings_per_week=0.2, threads_per_week=6.0, mails_per_week=3.0),
)


def within(found: float, wanted: float, error: float, errors: float = 4.0) -> bool:
    """Whether a figure lies within so many standard errors of what was promised."""
    return abs(found - wanted) <= errors * error


def test_clean_deals_have_no_plant_and_the_standard_way() -> None:
    deals = seen(CLEAN).deals.values()
    assert len(deals) >= 8
    assert all(deal.clean and not deal.planted and deal.way == "STANDARD" for deal in deals)


def test_technical_questions_are_poisson_given_the_customers_talk() -> None:
    world = seen(CLEAN)
    talk: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for interaction, truth in world.said():
        if spoken(interaction) and by_customer(interaction):
            talk[interaction.session] += interaction.duration_ms
            asked[interaction.session] += technical(interaction) and truth.act == "QUESTION"
    minutes = {session: ms / MINUTE for session, ms in talk.items()}
    rate = sum(asked.values()) / sum(minutes.values())
    usual = CLEAN.usual.tech_questions_per_minute
    assert within(rate, usual, sqrt(usual / sum(minutes.values())), 5.0)
    squares = [(asked[s] - rate * m) ** 2 / (rate * m) for s, m in minutes.items() if m > 1.0]
    assert 0.75 <= mean(squares) <= 1.35, "the counts spread as those of a Poisson process"


def test_customers_answer_after_log_normal_waits_of_working_time() -> None:
    waits = [log(wait) for wait in reply_minutes(seen(CHATTY))]
    usual = CHATTY.usual
    assert len(waits) > 300
    assert within(mean(waits), log(usual.reply_minutes), 0.12)
    assert within(stdev(waits), sqrt(usual.reply_spread**2 + 0.2**2), 0.05)


def reply_minutes(world: Seen, during: Mapping[str, Planted] | None = None) -> list[float]:
    """Working minutes from each rep's message, while plants work, to the reply in the same chat."""
    waits: list[float] = []
    asked: dict[tuple[str, str], int] = {}
    messages = [i for i, _ in world.said() if i.kind is InteractionKind.MESSAGE]
    for interaction in sorted(messages, key=lambda i: (i.occurred_at, i.native_id)):
        chat = interaction.opportunity, interaction.native_id.rsplit("/", 1)[0]
        if not by_customer(interaction):
            asked[chat] = interaction.occurred_at
        elif chat in asked:
            begun = asked.pop(chat)
            if during is None or during[interaction.opportunity].active(begun):
                worked = world.time_of(interaction.rep).between(begun, interaction.occurred_at)
                waits.append(max(worked / MINUTE, 0.01))
    return waits


def test_nobody_speaks_outside_working_hours_but_reps_with_that_habit() -> None:
    world = seen(CHATTY)
    outside = Counter[str]()
    for interaction, _ in world.said():
        time = world.time_of(interaction.rep)
        if not time.is_open(interaction.occurred_at):
            assert not by_customer(interaction)
            assert interaction.kind is not InteractionKind.UTTERANCE
            outside[interaction.rep] += 1
    assert outside, "some reps answer in the evening"
    assert len(outside) < CHATTY.reps


def test_meetings_end_within_working_hours() -> None:
    world = seen(CLEAN)
    for interaction, _ in world.said():
        if spoken(interaction):
            end = interaction.occurred_at + interaction.duration_ms
            assert world.time_of(interaction.rep).is_open(end)


def test_nobody_works_on_chinese_holidays() -> None:
    spring = replace(CLEAN, chinese_share=1.0, reps=3)
    days = {
        (interaction.occurred_at + 8 * 3_600_000) // DAY for interaction, _ in seen(spring).said()
    }
    labour_day = 1_777_593_600_000 // DAY  # 2026-05-01
    assert not days & set(range(labour_day, labour_day + 5))
    assert labour_day + 8 in days, "9 May 2026, a Saturday, is worked"


def test_no_sentence_comes_twice_in_a_conversation() -> None:
    texts: dict[str, Counter[str]] = defaultdict(Counter)
    for interaction, truth in seen(CLEAN).said():
        if spoken(interaction) and truth.act != "SMALL_TALK":
            texts[interaction.session][interaction.text] += 1
    said = sum(counts.total() for counts in texts.values())
    again = sum(counts.total() - len(counts) for counts in texts.values())
    assert again / said < 0.005


def test_a_question_is_followed_by_its_answer_or_put_off() -> None:
    by_session: dict[str, list[tuple[str, str, bool]]] = defaultdict(list)
    for interaction, truth in sorted(seen(CLEAN).said(), key=lambda said: said[0].occurred_at):
        if spoken(interaction):
            by_session[interaction.session].append(
                (truth.act, truth.subject, by_customer(interaction))
            )
    for turns in by_session.values():
        for (act, subject, customer), (_, next_subject, next_customer) in pairwise(turns):
            if act == "QUESTION" and customer:
                assert not next_customer
                assert next_subject in (subject, "put_off")


def test_the_valence_of_clean_deals_stays_even() -> None:
    values = [truth.valence for i, truth in seen(CLEAN).said() if by_customer(i)]
    assert -0.15 < mean(values) < 0.1


def test_the_share_that_is_recorded_is_that_of_the_scenario() -> None:
    gaps = replace(CLEAN, recording=Recording(0.37, 0.37, 1.0))
    conversations: dict[str, bool] = {}
    for (source, native_id), truth in seen(gaps).utterances.items():
        unit = f"{source}/{native_id.rsplit('/', 1)[0]}"
        conversations[unit] = conversations.get(unit, False) or truth.observed
    share = mean(conversations.values())
    assert within(share, 0.37, sqrt(0.37 * 0.63 / len(conversations)), 3.5)


def test_exactly_the_share_of_reps_opts_out() -> None:
    many = Scenario(name="x", reps=237, disorder=Disorder(opt_out_reps=0.32))
    assert len(opted_out(many, 1)) == 76
    assert opted_out(many, 1) != opted_out(many, 2)


def test_what_arrives_is_in_order_of_arrival_and_says_when_it_came() -> None:
    disorder = Disorder(duplicates=0.03, late_mails=0.3, uploaded_calls=0.3, wrong_clocks=0.5)
    messy = seen(replace(CLEAN, disorder=disorder))
    arrivals = [event.interaction.recorded_at for event in messy.events]
    assert arrivals == sorted(arrivals)
    ids = Counter((e.interaction.source, e.interaction.native_id) for e in messy.events)
    doubles = sum(count - 1 for count in ids.values())
    assert within(doubles / len(ids), 0.03, sqrt(0.03 / len(ids)))
    mails = [e for e in messy.events if e.interaction.kind is InteractionKind.MAIL and e.words]
    late = mean(e.arrives - e.interaction.occurred_at > DAY / 2 for e in mails)
    assert within(late, 0.3, sqrt(0.21 / len(mails)))
    backwards = [
        e.arrives < e.interaction.occurred_at
        for e in messy.events
        if e.interaction.channel is Channel.CHAT
    ]
    assert 0.0 < mean(backwards) < 0.5, "clocks that are fast date messages after their arrival"


def test_people_with_two_ids_are_merged_and_some_only_late() -> None:
    world = seen(replace(CLEAN, disorder=Disorder(two_ids=0.5, late_merges=0.4)))
    merges = [e for e in world.events if isinstance(e.interaction.detail, Merge)]
    two = [len(p.ids) == 2 for deal in world.deals.values() for p in deal.people]
    assert within(mean(two), 0.5, sqrt(0.25 / len(two)))
    late = mean(e.arrives > e.interaction.occurred_at for e in merges)
    assert within(late, 0.4, sqrt(0.24 / len(merges)))


def test_lost_and_won_deals_say_so_in_the_crm() -> None:
    world = seen(CLEAN)
    last: dict[str, str] = {}
    for event in world.events:
        if isinstance(event.interaction.detail, StageChange):
            last[event.interaction.opportunity] = event.interaction.detail.stage
    for deal in world.deals.values():
        if deal.close + 8 * DAY < world.world.end:
            assert last[deal.id] == ("Lost" if deal.outcome == "lost" else "Onboarding") or (
                deal.outcome == "won" and last[deal.id] == "Won"
            )


def test_hidden_states_decide_who_wins() -> None:
    many = replace(BASE, reps=45, days=30, deals_per_rep=4.0, pace=replace(
        BASE.pace, meetings_per_week=0.05, threads_per_week=0.05, mails_per_week=0.05
    ))  # fmt: skip
    deals = list(seen(many).deals.values())
    need = {
        outcome: mean(deal.states[0]["need"] for deal in deals if deal.outcome == outcome)
        for outcome in ("won", "lost")
    }
    assert need["won"] - need["lost"] > 0.2
    lost = mean(deal.outcome == "lost" for deal in deals)
    assert within(lost, many.lost_share, 0.05)


def test_reply_latency_has_its_median() -> None:
    assert 20 < median(reply_minutes(seen(CHATTY))) < 55


def test_truth_names_kinds_and_topics_of_the_graph() -> None:
    for truth in seen(CLEAN).utterances.values():
        assert truth.act in ActionKind.__members__
