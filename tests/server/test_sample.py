"""The sample files, to be imported by hand, and the sample tenant of the demo are what they promise."""

from collections import Counter
from itertools import islice

import pytest

from dealgraph.graph.model import Channel, Side
from dealgraph.server.demo_feed import feed, sample_tenant
from dealgraph.server.sample import MATERIAL, SampleFile, sample_files
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.mapping import load_mapping
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.connectors.roster import Roster, load_roster
from dealgraph.stream.connectors.times import iso_ms
from dealgraph.stream.interaction import Interaction, InteractionKind, Reason, Rejected


def read(file: SampleFile) -> list[Interaction | Rejected]:
    options = Options(
        roster=load_roster(file.roster) if file.roster else Roster(),
        mapping=load_mapping(file.mapping) if file.mapping else None,
        session=file.session,
        rep=file.rep,
        started_at=iso_ms(file.started_at) if file.started_at else None,
    )
    return [step.item for step in connector(file.source).parse(file.path, options)]


@pytest.fixture(scope="module")
def items() -> list[Interaction | Rejected]:
    return [item for file in sample_files() for item in read(file)]


@pytest.fixture(scope="module")
def interactions(items: list[Interaction | Rejected]) -> list[Interaction]:
    return [item for item in items if isinstance(item, Interaction)]


def test_every_file_of_the_sample_is_read() -> None:
    named = {file.path for file in sample_files()}
    beside = {file.roster for file in sample_files()} | {file.mapping for file in sample_files()}
    assert {path for path in MATERIAL.rglob("*.*") if path.is_file()} == named | beside - {None}


def test_two_records_cannot_be_read_and_say_why(items: list[Interaction | Rejected]) -> None:
    rejected = [item.reason for item in items if isinstance(item, Rejected)]
    assert sorted(rejected) == [Reason.BAD_TIMESTAMP, Reason.TRUNCATED]


def test_all_kinds_of_sources_and_both_languages_take_part(
    interactions: list[Interaction],
) -> None:
    kinds = Counter(interaction.kind for interaction in interactions)
    channels = {interaction.channel for interaction in interactions}
    assert channels == set(Channel)
    assert kinds[InteractionKind.UTTERANCE] >= 240
    assert kinds[InteractionKind.MESSAGE] >= 80
    assert kinds[InteractionKind.MAIL] >= 15
    assert kinds[InteractionKind.RECALL] == 1
    assert kinds[InteractionKind.CONSENT] > 0
    assert kinds[InteractionKind.MERGE] > 0


def test_nobody_who_speaks_is_left_unknown(interactions: list[Interaction]) -> None:
    spoken = [i for i in interactions if i.kind is InteractionKind.UTTERANCE]
    assert {i.actor.side for i in spoken} == {Side.CUSTOMER, Side.REP}
    assert all(i.opportunity and i.customer and i.rep for i in spoken)


def test_no_address_of_the_sample_exists(interactions: list[Interaction]) -> None:
    addresses = {
        person.native_id
        for interaction in interactions
        for person in (interaction.actor, *interaction.recipients)
        if "@" in person.native_id
    }
    assert addresses
    assert all(address.endswith(".example") for address in addresses)


def test_the_sample_tenant_has_237_reps_in_a_quarter() -> None:
    scenario = sample_tenant()
    assert scenario.reps == 237
    assert scenario.days == 91
    assert scenario.recording.conversations == 0.37
    assert scenario.disorder.opt_out_reps == 0.32


def test_the_feed_comes_in_order_and_all_of_it() -> None:
    ticks = list(islice(feed(sample_tenant(), 400), 60))
    times = [tick.at for tick in ticks]
    assert times == sorted(times)
    for tick in ticks:
        stamped = [item.recorded_at for item in tick.items if isinstance(item, Interaction)]
        assert stamped == sorted(stamped)
        assert not stamped or stamped[-1] <= tick.at
