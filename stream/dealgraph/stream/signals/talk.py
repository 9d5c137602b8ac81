"""What counts as observed talk of the customer: the exposure of rates."""

from typing import Final

from dealgraph.graph.model import ActionKind, Side
from dealgraph.stream.signals.detector import Observed

_NOT_TALK: Final = frozenset(
    {ActionKind.STAGE_CHANGE, ActionKind.FIELD_CHANGE, ActionKind.RECALL, ActionKind.ACTIVITY}
)
_OURS: Final = frozenset({Side.REP, Side.SYSTEM})


def is_customer_talk(action: Observed) -> bool:
    """Say whether an action is talk of the customer's side or of a speaker whom nobody mapped.

    An unmapped speaker counts as exposure, never as a role.
    """
    return action.exposure_ms > 0 and action.side not in _OURS and action.kind not in _NOT_TALK
