"""The sample as one story: everything its files hold, in the order in which it happened."""

from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct

from dealgraph.server.sample import SampleFile, sample_files
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.mapping import load_mapping
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.connectors.roster import Roster, load_roster
from dealgraph.stream.connectors.statements import SOURCE as STATED
from dealgraph.stream.connectors.times import iso_ms
from dealgraph.stream.interaction import Interaction, Rejected


class Step(Struct, frozen=True):
    """One thing to deliver, and its event time in ms since 1970 UTC."""

    at: int
    item: Interaction | Rejected


class Story(Struct, frozen=True):
    """The steps of the sample in three parts.

    `cast` states who is who and who consented to what, `plot` is what happened in order of time, and
    `late` happened before the end of the plot but arrives after it.
    """

    cast: Sequence[Step]
    plot: Sequence[Step]
    late: Sequence[Step]


def load_story() -> Story:
    """Read the sample through the connectors."""
    timely: list[Step] = []
    late: list[Step] = []
    for file in sample_files():
        (late if file.late else timely).extend(_steps(file))
    timely.sort(key=lambda step: step.at)
    parts = {
        stated: list(steps)
        for stated, steps in groupby(sorted(timely, key=_is_stated, reverse=True), _is_stated)
    }
    return Story(parts[True], parts[False], [step for step in late if not _is_stated(step)])


def _is_stated(step: Step) -> bool:
    return isinstance(step.item, Interaction) and step.item.source == STATED


def _steps(file: SampleFile) -> list[Step]:
    """Return what a file holds; what cannot be read stands where it stood in the file."""
    options = Options(
        roster=load_roster(file.roster) if file.roster else Roster(),
        mapping=load_mapping(file.mapping) if file.mapping else None,
        session=file.session,
        rep=file.rep,
        started_at=iso_ms(file.started_at) if file.started_at else None,
    )
    steps: list[Step] = []
    at = 0
    for parsed in connector(file.source).parse(file.path, options):
        if isinstance(parsed.item, Interaction):
            at = parsed.item.occurred_at
        steps.append(Step(at, parsed.item))
    return steps
