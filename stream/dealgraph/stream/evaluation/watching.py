"""Histories to be watched for false alarms: clean deals of a world, or a tenant's own deals."""

from collections.abc import Iterator
from typing import Final

from dealgraph.graph.model import ActionKind
from dealgraph.graph.store import GraphStore
from dealgraph.stream.baselines.tenant import tenant_histories
from dealgraph.stream.calendar import DAY_MS, WEEK_MS
from dealgraph.stream.evaluation.calibration import Watched
from dealgraph.stream.evaluation.histories import Histories
from dealgraph.stream.stages import CLOSED

_AFTER_MS: Final = 14 * DAY_MS
"""How long silence is listened to after the last action."""


def clean_deals(world: Histories) -> Iterator[Watched]:
    """Yield the deals of a world in which nothing is planted and something was observed."""
    for name, truth in world.deals.items():
        actions = world.observed.get(name, [])
        if truth.clean and not truth.opted_out and actions:
            until = min(truth.last + _AFTER_MS, world.end)
            weeks = (min(truth.close, until) - truth.opened) / WEEK_MS
            if weeks > 0.0:
                yield Watched(name, actions, until, weeks)


def own_deals(graph: GraphStore) -> Iterator[Watched]:
    """Yield a tenant's deals, each until it closed, or two weeks after its last action."""
    reached = graph.event_time().reached
    for name, actions in tenant_histories(graph):
        closed = next(
            (a.at for a in actions if a.kind is ActionKind.STAGE_CHANGE and a.stage in CLOSED), None
        )
        last = actions[-1].at
        until = min(last + _AFTER_MS, max(reached, last))
        weeks = ((until if closed is None else closed) - actions[0].at) / WEEK_MS
        if weeks > 0.0:
            yield Watched(name, actions, until, weeks)
