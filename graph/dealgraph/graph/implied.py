"""What an action or a decision signal implies: nodes and edges that nobody writes apart from it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from dealgraph.graph.model import (
    OPEN,
    Action,
    ActionKind,
    Channel,
    DecisionSignal,
    Edge,
    EdgeKind,
    Node,
    NodeKind,
    NodeRef,
    Role,
    Side,
    SignalState,
    Topic,
    topics_of,
)
from dealgraph.graph.schema import IMPLIED_BY_ACTION
from dealgraph.graph.store import emotion_attributes, emotion_id

STAGE: Final = "stage"
"""Attribute of a STAGE_CHANGE action that names the new stage."""


# Looking up the name of a member of an enumeration costs more than all else of a node.
_ACTION_KINDS: Final = {kind: kind.name.lower() for kind in ActionKind}
_CHANNELS: Final = {channel: channel.name.lower() for channel in Channel}
_SIDES: Final = {side: side.name.lower() for side in Side}
_ROLES: Final = {role: role.name.lower() for role in Role} | {Role.UNKNOWN: ""}


@lru_cache(1 << len(Topic))
def _topics(bits: int) -> str:
    return ",".join(topic.name.lower() for topic in topics_of(bits))


def action_node(action: Action) -> Node:
    """Return an action as a node; facts that are empty are left out."""
    facts = {
        "kind": _ACTION_KINDS[action.kind],
        "channel": _CHANNELS[action.channel],
        "side": _SIDES[action.side],
        "session": action.session,
        "opportunity": action.opportunity,
        "actor": action.actor.id if action.actor else "",
        "speaker": action.speaker,
        "rep": action.rep,
        "source": action.source,
        "native_id": action.native_id,
        "text": action.text,
        "language": action.language,
        "topics": _topics(action.topics),
        "confidence": f"{action.confidence:.4f}" if action.confidence else "",
        "duration_ms": str(action.duration_ms) if action.duration_ms else "",
        "role": _ROLES[action.role],
        "tagger": action.tagger,
        "target": action.target,
        "recalled_at": str(action.recalled_at) if action.recalled_at else "",
    }
    attributes = {**action.attributes, **{name: fact for name, fact in facts.items() if fact}}
    ref = NodeRef(NodeKind.ACTION, action.id)
    return Node(ref, attributes, action.at, action.recorded_at)


def emotion_node(action: Action) -> Node | None:
    """Return the emotion that an action expresses as a node, or None."""
    if action.emotion is None:
        return None
    ref = NodeRef(NodeKind.EMOTION, emotion_id(action.id))
    return Node(ref, emotion_attributes(action.emotion), action.at, action.recorded_at)


def person_facts(actions: Iterable[Action]) -> dict[str, str]:
    """Return what actions that stand tell of the person behind them: the name and role used last."""
    facts: dict[str, str] = {}
    for action in sorted(actions, key=lambda action: (action.at, action.id), reverse=True):
        if action.speaker:
            facts.setdefault("name", action.speaker)
        if action.role is not Role.UNKNOWN:
            facts.setdefault("role", _ROLES[action.role])
    return facts


def action_edges(action: Action) -> list[Edge]:
    """Return the edges of an action: they hold from its event time until it is recalled."""
    ref = NodeRef(NodeKind.ACTION, action.id)
    pairs: list[tuple[EdgeKind, NodeRef, NodeRef]] = []
    if action.actor is not None:
        pairs.append((EdgeKind.PERFORMED, action.actor, ref))
    if action.session:
        pairs.append((EdgeKind.PART_OF, ref, NodeRef(NodeKind.SESSION, action.session)))
    if action.opportunity:
        pairs.append((EdgeKind.ABOUT, ref, NodeRef(NodeKind.OPPORTUNITY, action.opportunity)))
    if action.emotion is not None:
        pairs.append((EdgeKind.EXPRESSES, ref, NodeRef(NodeKind.EMOTION, emotion_id(action.id))))
    return [
        Edge(kind, source, target, action.at, action.recalled_at, action.recorded_at)
        for kind, source, target in pairs
    ]


def signal_node(versions: Sequence[DecisionSignal]) -> Node:
    """Return a signal as a node with the facts of its last version."""
    last = versions[-1]
    attributes = {
        "kind": last.kind.name.lower(),
        "form": last.form,
        "polarity": last.polarity.name.lower(),
        "state": last.state.name.lower(),
        "level": last.level.name.lower(),
        "severity": last.severity.name.lower(),
        "rule": last.rule,
        "rule_version": last.rule_version,
        "episode": str(last.episode),
        "opportunity": last.opportunity,
        "session": last.session,
        "customer": last.customer,
        "rep": last.rep,
        "at": str(last.at),
        "raised_at": str(last.raised_at),
        "cleared_at": str(last.cleared_at),
        "statistic": repr(last.statistic),
        "threshold": repr(last.threshold),
        "baseline": repr(last.baseline),
        "exposure_minutes": repr(last.exposure_minutes),
        "window_ms": str(last.window_ms),
        "minimum_effect": repr(last.minimum_effect),
        "baselines": str(last.baselines),
        "evidence": ",".join(last.evidence),
        "explanation": last.explanation,
        "suggestion": last.suggestion,
    }
    ref = NodeRef(NodeKind.DECISION_SIGNAL, last.id)
    return Node(ref, attributes, _first_at(versions), _first_recorded(versions))


def signal_edges(versions: Sequence[DecisionSignal]) -> list[Edge]:
    """Return the edges of a signal, given all its known versions in order.

    They are those of the last version that was not a retraction, and hold from the first
    version until a retraction, if that is the last word.
    """
    last = versions[-1]
    standing = [v for v in versions if v.state is not SignalState.RETRACTED]
    believed = standing[-1] if standing else last
    valid_to = last.at if last.state is SignalState.RETRACTED else OPEN
    ref = NodeRef(NodeKind.DECISION_SIGNAL, last.id)
    ends: list[tuple[EdgeKind, NodeRef]] = [
        (EdgeKind.EVIDENCED_BY, NodeRef(NodeKind.ACTION, action))
        for action in dict.fromkeys(believed.evidence)
    ]
    if believed.opportunity:
        ends.append((EdgeKind.SIGNALS, NodeRef(NodeKind.OPPORTUNITY, believed.opportunity)))
    if believed.session:
        ends.append((EdgeKind.FOUND_IN, NodeRef(NodeKind.SESSION, believed.session)))
    since, recorded_at = _first_at(versions), _first_recorded(versions)
    return [Edge(kind, ref, target, since, valid_to, recorded_at) for kind, target in ends]


def edge_order(edge: Edge) -> tuple[int, EdgeKind, NodeRef, NodeRef]:
    """Sort key: the newest edge first."""
    return (-edge.valid_from, edge.kind, edge.source, edge.target)


def holds_within(edge: Edge, since: int, before: int) -> bool:
    """Say whether an edge holds at some time in [since, before); `before` 0 means no bound.

    An edge of an action happens at the event time of the action.
    """
    if before and edge.valid_from >= before:
        return False
    if edge.kind in IMPLIED_BY_ACTION:
        return edge.valid_from >= since
    return edge.valid_to == OPEN or edge.valid_to > since


def _first_at(versions: Iterable[DecisionSignal]) -> int:
    return min(version.at for version in versions)


def _first_recorded(versions: Iterable[DecisionSignal]) -> int:
    return min(version.recorded_at for version in versions)
