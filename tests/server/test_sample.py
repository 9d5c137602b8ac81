"""The bundled sample is what its description promises."""

from collections import Counter

import pytest

from dealgraph.graph.model import Channel, Side
from dealgraph.server.demo_feed import Story, load_story
from dealgraph.server.sample import MATERIAL, sample_files
from dealgraph.stream.interaction import Interaction, InteractionKind, Reason, Rejected


@pytest.fixture(scope="module")
def story() -> Story:
    return load_story()


def interactions(story: Story) -> list[Interaction]:
    steps = (*story.cast, *story.plot, *story.late)
    return [step.item for step in steps if isinstance(step.item, Interaction)]


def test_every_file_of_the_sample_is_read() -> None:
    named = {file.path for file in sample_files()}
    beside = {file.roster for file in sample_files()} | {file.mapping for file in sample_files()}
    assert {path for path in MATERIAL.rglob("*.*") if path.is_file()} == named | beside - {None}


def test_two_records_cannot_be_read_and_say_why(story: Story) -> None:
    rejected = [step.item.reason for step in story.plot if isinstance(step.item, Rejected)]
    assert sorted(rejected) == [Reason.BAD_TIMESTAMP, Reason.TRUNCATED]


def test_the_plot_is_in_order_of_time_and_the_late_part_is_not(story: Story) -> None:
    times = [step.at for step in story.plot]
    assert times == sorted(times)
    assert story.late
    assert max(step.at for step in story.late) < times[-1]


def test_all_kinds_of_sources_and_both_languages_take_part(story: Story) -> None:
    kinds = Counter(interaction.kind for interaction in interactions(story))
    channels = {interaction.channel for interaction in interactions(story)}
    assert channels == set(Channel)
    assert kinds[InteractionKind.UTTERANCE] >= 240
    assert kinds[InteractionKind.MESSAGE] >= 80
    assert kinds[InteractionKind.MAIL] >= 15
    assert kinds[InteractionKind.RECALL] == 1
    assert kinds[InteractionKind.CONSENT] > 0
    assert kinds[InteractionKind.MERGE] > 0


def test_nobody_who_speaks_is_left_unknown(story: Story) -> None:
    spoken = [i for i in interactions(story) if i.kind is InteractionKind.UTTERANCE]
    assert {i.actor.side for i in spoken} == {Side.CUSTOMER, Side.REP}
    assert all(i.opportunity and i.customer and i.rep for i in spoken)


def test_no_address_of_the_sample_exists(story: Story) -> None:
    addresses = {
        person.native_id
        for interaction in interactions(story)
        for person in (interaction.actor, *interaction.recipients)
        if "@" in person.native_id
    }
    assert addresses
    assert all(address.endswith(".example") for address in addresses)
