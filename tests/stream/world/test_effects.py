"""What is planted happens: from its start on, in the size that the truth says, and not before."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from math import asinh, exp, log, sqrt
from statistics import mean

import pytest
from msgspec.structs import replace

from dealgraph.graph.model import Role
from dealgraph.stream.interaction import Interaction, InteractionKind
from dealgraph.stream.world.paths import ways
from dealgraph.stream.world.people import BUYERS, PAPER
from dealgraph.stream.world.planted import Planted
from dealgraph.stream.world.scenario import Hint, Plant
from dealgraph.stream.world.truth import DealTruth, UtteranceTruth
from tests.stream.world.test_promises import reply_minutes
from tests.support.worlds import (
    BASE,
    DAY,
    MINUTE,
    Seen,
    by_customer,
    seen,
    spoken,
    with_plant,
)


def planted(world: Seen) -> Iterator[tuple[DealTruth, Planted]]:
    """The plants of those deals of the world in which they had time to show."""
    for deal in world.deals.values():
        (plant, *_) = deal.planted
        if plant.start + 14 * DAY < min(plant.end, world.world.end):
            yield deal, plant


def said_in(world: Seen) -> dict[str, list[tuple[Interaction, UtteranceTruth]]]:
    found: dict[str, list[tuple[Interaction, UtteranceTruth]]] = defaultdict(list)
    for interaction, truth in world.said():
        found[interaction.opportunity].append((interaction, truth))
    return found


def test_technical_questions_rise_by_the_factor() -> None:
    world = seen(with_plant(Plant.TECH_QUESTION_SURGE, 3.0))
    plants = [plant for _, plant in planted(world)]
    before = sum(p.hits_before for p in plants) / sum(p.talk_before_ms for p in plants)
    after = sum(p.hits_after for p in plants) / sum(p.talk_after_ms for p in plants)
    error = sqrt(1 / sum(p.hits_before for p in plants) + 1 / sum(p.hits_after for p in plants))
    assert abs(log(after / before) - log(3.0)) < 3.5 * error
    assert all(plant.baseline == pytest.approx(0.3, rel=0.5) for plant in plants)


@pytest.mark.parametrize(("plant", "sign"), [(Plant.LEGAL_EARLY, -1), (Plant.LEGAL_LATE, 1)])
def test_legal_comes_early_or_late_by_the_strength(plant: Plant, sign: int) -> None:
    world = seen(with_plant(plant, 4.0))
    for deal in world.deals.values():
        days = (deal.legal - deal.proposal) / DAY
        usual = world.world.scenario.usual
        z = (asinh(days) - asinh(usual.legal_delay_days)) / usual.legal_spread
        assert sign * z > 2.0
        assert sign * z < 11.0, "weekends and holidays move it"
    firsts = {
        opportunity: min(
            (i.occurred_at for i, t in said if i.actor.role in PAPER or "LEGAL" in t.topics),
            default=0,
        )
        for opportunity, said in said_in(world).items()
    }
    for deal in world.deals.values():
        if firsts.get(deal.id):
            assert firsts[deal.id] >= deal.legal


def is_legal(interaction: Interaction, truth: UtteranceTruth) -> bool:
    return interaction.actor.role in PAPER or "LEGAL" in truth.topics


def test_legal_never_comes_or_falls_silent() -> None:
    overdue = said_in(seen(with_plant(Plant.LEGAL_OVERDUE)))
    assert not any(is_legal(*said) for deal in overdue.values() for said in deal)
    world = seen(with_plant(Plant.LEGAL_WITHDRAWN))
    for deal, plant in planted(world):
        times = [i.occurred_at for i, t in said_in(world)[deal.id] if is_legal(i, t)]
        assert times
        assert max(times) < plant.start


def active(world: Seen, deal: str, since: int, before: int) -> set[str]:
    return {
        interaction.actor.name
        for interaction, _ in said_in(world)[deal]
        if by_customer(interaction) and since <= interaction.occurred_at < before
    }


@pytest.mark.parametrize(
    ("plant", "strength", "change"),
    [(Plant.WIDEN, 5.0, +3), (Plant.NARROW, 0.0, -2), (Plant.SINGLE_THREADED, 0.0, -2)],
)
def test_the_circle_widens_or_narrows(plant: Plant, strength: float, change: int) -> None:
    world = seen(with_plant(plant, strength))
    changes = []
    for deal, one in planted(world):
        before = active(world, deal.id, one.start - 14 * DAY, one.start)
        after = active(world, deal.id, one.start + DAY, one.start + 15 * DAY)
        changes.append(len(after) - len(before))
    assert changes
    assert mean(changes) >= change if change > 0 else mean(changes) <= change


@pytest.mark.parametrize("plant", [Plant.CHAMPION_SILENT, Plant.GHOST])
def test_who_falls_silent_says_no_more(plant: Plant) -> None:
    world = seen(with_plant(plant))
    for deal, one in planted(world):
        later = [i for i, _ in said_in(world)[deal.id] if i.occurred_at >= one.start]
        silent = [
            i for i in later if by_customer(i) and (
                plant is Plant.GHOST or i.actor.role is Role.CHAMPION
            ) and i.occurred_at < one.end
        ]  # fmt: skip
        assert later
        assert not silent


def buyer_share(world: Seen, *, after: bool) -> float:
    """Part of the meetings with an economic buyer, after the start of the plant or before it."""
    starts = {deal.id: plant.start for deal, plant in planted(world)}
    present = [
        any(person.role is Role.ECONOMIC_BUYER for person in i.recipients)
        for i in (event.interaction for event in world.events)
        if i.kind is InteractionKind.MEETING
        and i.opportunity in starts
        and (i.occurred_at >= starts[i.opportunity]) is after
        and i.attributes["activity"] != "economic_buyer_meeting"
    ]
    return mean(present)


def test_the_economic_buyer_enters_falls_away_or_never_comes() -> None:
    entered = seen(with_plant(Plant.BUYER_ENTERED, 0.8))
    assert buyer_share(entered, after=False) < 0.15
    assert buyer_share(entered, after=True) == pytest.approx(0.8, abs=0.12)
    fell = seen(with_plant(Plant.BUYER_FELL, 0.7))
    assert buyer_share(fell, after=False) == pytest.approx(0.7, abs=0.12)
    assert buyer_share(fell, after=True) < 0.1
    nobody = seen(with_plant(Plant.NO_POWER))
    assert not any(i.actor.role in BUYERS for i, _ in nobody.said())


def test_delivery_is_asked_for_again_and_again_and_not_answered() -> None:
    world = seen(with_plant(Plant.DELIVERY_CONCERN, 1.2))
    for _, plant in planted(world):
        assert plant.hits_after >= 3
    answers = Counter(
        world.deals[i.opportunity].planted[0].active(i.occurred_at)
        for i, t in world.said()
        if t.act == "ANSWER" and t.subject.startswith("delivery.")
    )
    assert answers[True] <= 0.25 * answers[False]


def test_an_answer_that_comes_late_was_given_in_time() -> None:
    world = seen(with_plant(Plant.DELIVERY_ANSWERED_LATE))
    checked = 0
    for deal, plant in planted(world):
        marked = [(e.interaction, e.arrives) for e in world.events
                  if e.interaction.opportunity == deal.id and e.mark in (
                      Plant.DELIVERY_CONCERN, Plant.DELIVERY_ANSWERED_LATE)]  # fmt: skip
        asks = [i.occurred_at for i, _ in marked if by_customer(i)]
        mails = [(i.occurred_at, arrives) for i, arrives in marked if not by_customer(i)]
        if len(asks) == 3 and mails:
            (wrote, arrived), *_ = mails
            assert asks[1] < wrote < asks[2] < arrived
            assert plant.start <= asks[0]
            checked += 1
    assert checked >= 3


def test_several_people_make_the_delivery_their_own() -> None:
    world = seen(with_plant(Plant.DELIVERY_COMMITMENT, 1.0))
    several = [
        len({i.actor.name for i, t in said_in(world)[deal.id] if "OWNERSHIP" in t.topics
             and i.occurred_at >= plant.start}) >= 2
        for deal, plant in planted(world)
    ]  # fmt: skip
    assert mean(several) >= 0.75


def test_price_takes_over_while_the_mood_falls() -> None:
    world = seen(with_plant(Plant.PRICE_DIVERGENCE, 1.2))
    starts = {deal.id: plant.start for deal, plant in planted(world)}
    price: dict[bool, list[bool]] = {True: [], False: []}
    mood: dict[bool, list[float]] = {True: [], False: []}
    for interaction, truth in world.said():
        start = starts.get(interaction.opportunity)
        if start is None or not by_customer(interaction) or not spoken(interaction):
            continue
        after = interaction.occurred_at >= start
        if not after or interaction.occurred_at >= start + 7 * DAY:
            price[after].append("PRICE" in truth.topics)
            mood[after].append(truth.valence)
    assert mean(price[True]) > 2.2 * mean(price[False])
    assert mean(mood[True]) < mean(mood[False]) - 0.2


@pytest.mark.parametrize(("plant", "factor"), [(Plant.SLOWING, 4.0), (Plant.WARMING, 0.25)])
def test_replies_slow_down_or_warm_up_by_the_factor(plant: Plant, factor: float) -> None:
    chatty = replace(
        with_plant(plant, 4.0, 0.3),
        pace=replace(BASE.pace, meetings_per_week=0.3, threads_per_week=6.0),
    )
    world, usual = seen(chatty), BASE.usual
    spans = {deal.id: deal.planted[0] for deal in world.deals.values()}
    waits = [log(wait) for wait in reply_minutes(world, spans)]
    error = usual.reply_spread / sqrt(len(waits)) + 0.15
    assert abs(mean(waits) - log(usual.reply_minutes * factor)) < 2 * error
    assert exp(mean(waits)) / usual.reply_minutes == pytest.approx(factor, rel=0.5)


PATHS = replace(
    BASE, reps=16, paths={f"P{n}": 1 / 17 for n in range(1, 18)}, deals_per_rep=3.0,
    pace=replace(BASE.pace, customer_minutes=0.5, threads_per_week=0.5, mails_per_week=0.2),
)  # fmt: skip


def test_every_path_is_taken_as_it_is_written() -> None:
    deals = seen(PATHS).deals.values()
    ways_taken = {deal.way for deal in deals}
    assert len(ways_taken - {"STANDARD"}) >= 11
    for deal in deals:
        steps = [step[0] for step in ways().ways[deal.way].steps.replace("+", " ").split()]
        codes = [episode.code for episode in deal.episodes if episode.code != "X"]
        assert codes == steps[: len(codes)]
        assert [e.start for e in deal.episodes] == sorted(e.start for e in deal.episodes)
        assert deal.way == "STANDARD" or len(codes) >= ways().ways[deal.way].fulfilled


def test_a_dormant_deal_is_silent_for_a_month() -> None:
    world = seen(replace(PATHS, paths={"P15": 1.0}, reps=4))
    checked = 0
    for deal in world.deals.values():
        (gap,) = [e for e in deal.episodes if e.code == "~"]
        heard = [i.occurred_at for i, _ in said_in(world)[deal.id]]
        assert gap.end - gap.start >= 30 * DAY
        assert not [at for at in heard if gap.start + DAY / 2 < at < gap.end]
        checked += 1
    assert checked


def test_a_demo_for_others_has_another_audience() -> None:
    world = seen(replace(PATHS, paths={"P11": 1.0}, reps=4))
    for deal in world.deals.values():
        again = [e.start for e in deal.episodes if e.code == "M"][1]
        audiences: dict[bool, set[str]] = {True: set(), False: set()}
        for event in world.events:
            interaction = event.interaction
            if (
                interaction.opportunity == deal.id
                and interaction.attributes.get("activity") == "demo"
            ):
                people = {person.native_id for person in interaction.recipients}
                audiences[interaction.occurred_at >= again] |= people
        assert len(audiences[True] & audiences[False]) <= 1


@pytest.mark.parametrize("hint", list(Hint))
def test_a_hint_is_in_its_meeting(hint: Hint) -> None:
    world = seen(replace(BASE, reps=2, days=60, hints={hint: 0.5}))
    meetings = {m.session: m for m in world.meetings}
    assert meetings
    said = defaultdict(list)
    for interaction, truth in sorted(world.said(), key=lambda pair: pair[0].occurred_at):
        if interaction.session in meetings:
            said[interaction.session].append((interaction, truth))
    assert mean(shows(hint, turns) for turns in said.values() if len(turns) > 20) >= 0.8


def shows(hint: Hint, turns: list[tuple[Interaction, UtteranceTruth]]) -> bool:
    """Whether what the hint stands for is in a conversation."""
    mine = [(i, t) for i, t in turns if by_customer(i)]
    if hint is Hint.COMPETITOR_RATE:
        minutes = sum(i.duration_ms for i, _ in mine) / MINUTE
        return sum("COMPETITOR" in t.topics for _, t in mine) / minutes > 0.3
    if hint is Hint.PRICE_SENSITIVITY:
        half = len(mine) * 2 // 3
        share = [mean("PRICE" in t.topics for _, t in part) for part in (mine[:half], mine[half:])]
        return share[1] > share[0] + 0.05
    if hint is Hint.UNANSWERED_QUESTION:
        spoken_on = longest = 0
        for interaction, _ in turns:
            spoken_on = 0 if by_customer(interaction) else spoken_on + interaction.duration_ms
            longest = max(longest, spoken_on)
        return longest > 85_000
    return sum(t.mark == hint.value for _, t in turns) == 1
