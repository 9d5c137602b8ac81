"""Twelve channels are added, five of them bad: the bad ones are found, and what follows stays right."""

from pathlib import Path

import pytest

from tests.support.channel_trial import GOOD, play
from tests.support.channel_world import PLANTED


def test_bad_channels_are_found_and_accuracy_drops_by_at_most_five_percent(tmp_path: Path) -> None:
    clean = play(tmp_path / "clean", GOOD, gated=False)
    gated = play(tmp_path / "gated", PLANTED, gated=True)

    good = {channel.name for channel in GOOD}
    assert gated.active == good
    assert gated.stopped == {channel.name for channel in PLANTED} - good
    assert gated.accuracy >= 0.95 * clean.accuracy


@pytest.mark.long
def test_without_the_gate_the_same_channels_spoil_what_follows(tmp_path: Path) -> None:
    clean = play(tmp_path / "clean", GOOD, gated=False)
    bare = play(tmp_path / "bare", PLANTED, gated=False)

    assert bare.accuracy < 0.8 * clean.accuracy
