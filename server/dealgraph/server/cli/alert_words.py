"""Alerts as people read them: how severe, what, who, why, what to do, and the words it rests on."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import grpc
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dealgraph.api.v1 import alert_pb2, graph_service_pb2, graph_service_pb2_grpc, signal_pb2
from dealgraph.graph.model import Level, Polarity, Severity, SignalKind, SignalState
from dealgraph.server.cli.terminal import moment

_KINDS: Final[Mapping[SignalKind, str]] = {
    SignalKind.COMPETITOR_RATE: "Competitors come up often",
    SignalKind.PRICE_SENSITIVITY: "Price talk while the mood falls",
    SignalKind.DELIVERY_CONCERN_RECURRENCE: "A delivery concern keeps coming back",
    SignalKind.DELIVERY_COMMITMENT: "The customer makes delivery its own",
    SignalKind.TECH_QUESTION_SURGE: "Technical questions surge",
    SignalKind.LEGAL_WINDOW_SHIFT: "Legal is off its usual time",
    SignalKind.STAKEHOLDER_BREADTH_SHIFT: "The circle of people changes",
    SignalKind.ECONOMIC_BUYER_SHIFT: "The people with power shift",
    SignalKind.PRICE_EMOTION_DIVERGENCE: "Price weighs on the mood",
    SignalKind.RECIPROCITY_DRIFT: "The customer answers at another pace",
    SignalKind.UNANSWERED_QUESTION: "A question waits for its answer",
    SignalKind.OVER_PROMISE: "A promise beyond what is agreed",
    SignalKind.SENSITIVE_TERM: "A sensitive subject",
}
_FORMS: Final[Mapping[str, str]] = {
    "EARLY": "Legal comes early",
    "LATE": "Legal comes late",
    "OVERDUE": "Legal is overdue",
    "WITHDRAWN": "Legal fell silent",
    "WIDEN": "More people take part",
    "NARROW": "Fewer people take part",
    "SINGLE_THREADED": "All hangs on one person",
    "CHAMPION_SILENT": "The champion is silent",
    "ENTERED": "A person with power takes part now",
    "FELL": "The people with power stay away",
    "NO_POWER": "Nobody with power was ever heard",
    "SLOWING": "The customer answers more slowly",
    "WARMING": "The customer answers faster",
    "GHOST": "The customer does not answer any more",
}
"""What kinds with several forms say, by form."""

_POLARITIES: Final[Mapping[Polarity, str]] = {
    Polarity.POSITIVE: "good for the deal",
    Polarity.NEGATIVE: "a risk",
    Polarity.NEUTRAL: "good or bad",
}
_LEVELS: Final[Mapping[Level, str]] = {
    Level.RECORDED: "kept on record, not sure enough to tell",
    Level.PUSHED: "sure enough to tell",
}
_STATES: Final[Mapping[SignalState, str]] = {
    SignalState.UPDATED: "stronger now",
    SignalState.CLEARED: "over",
    SignalState.REVISED: "revised by late information",
    SignalState.RETRACTED: "late information took away what it rested on",
}
_STYLES: Final[Mapping[Severity, str]] = {
    Severity.INFO: "cyan",
    Severity.WARNING: "yellow",
    Severity.CRITICAL: "bold red",
}
_MOST_QUOTES: Final = 4
_LONGEST_QUOTE: Final = 160
_ANSWER_SECONDS: Final = 5.0


class Quote(NamedTuple):
    """What somebody said or wrote, when, in ms since 1970 UTC."""

    who: str
    at: int
    text: str

    def __str__(self) -> str:
        return f"{self.who}, {moment(self.at)}: “{self.text}”"


def title(alert: alert_pb2.Alert) -> str:
    """Return what an alert says, in a few words."""
    words = _FORMS.get(alert.form) or _KINDS[SignalKind(alert.kind)]
    state = _STATES.get(SignalState(alert.state))
    return f"{words} ({state})" if state else words


def signal_title(signal: signal_pb2.DecisionSignal) -> str:
    """Return what a signal says, and what became of it, in a few words."""
    words = _FORMS.get(signal.form) or _KINDS[SignalKind(signal.kind)]
    state = SignalState(signal.state)
    return f"{words} ({_STATES.get(state) or state.name.lower()})"


def standing(polarity: int, level: int) -> str:
    """Return what a signal means for the deal and how sure it is, in words."""
    means = _POLARITIES[Polarity(polarity)]
    return f"{means}; {_LEVELS[Level(level)]}"


def is_withdrawn(alert: alert_pb2.Alert) -> bool:
    """Say whether late information took away what the alert rested on."""
    return SignalState(alert.state) is SignalState.RETRACTED


def label(alert: alert_pb2.Alert) -> str:
    """Return the word that an alert begins with: how much it matters, or that it does no more."""
    return "WITHDRAWN" if is_withdrawn(alert) else Severity(alert.severity).name


def severity_style(alert: alert_pb2.Alert) -> str:
    """Return the style in which rich shows the severity of an alert."""
    return "dim" if is_withdrawn(alert) else _STYLES[Severity(alert.severity)]


def bare_id(person: str) -> str:
    """Return the id of a person without its namespace."""
    return person.partition(":")[2] or person


def render_alert(alert: alert_pb2.Alert, quotes: Sequence[Quote]) -> RenderableType:
    """Return an alert as some lines for a console."""
    head = Text.assemble(
        (f"{label(alert):<10}", severity_style(alert)),
        (title(alert), "bold"),
        (f"  {moment(alert.occurred_at_ms)}", "dim"),
    )
    facts = [
        ("deal", " · ".join(filter(None, (alert.customer_id, alert.opportunity_id)))),
        ("session", alert.session_id),
        ("rep", bare_id(alert.rep_id)),
        ("means", _POLARITIES[Polarity(alert.polarity)] if alert.polarity else ""),
        ("it said" if is_withdrawn(alert) else "why", alert.explanation),
        ("do", "" if is_withdrawn(alert) else alert.suggestion),
    ]
    rows = Table.grid(padding=(0, 1))
    rows.add_column(style="dim", min_width=9, justify="right")
    rows.add_column()
    for name, fact in facts:
        if fact:
            rows.add_row(name, Text(fact))
    earlier = len(quotes) - _MOST_QUOTES
    for index, quote in enumerate(quotes[-_MOST_QUOTES:]):
        rows.add_row("said" if index == 0 else "", Text(str(quote)))
    if earlier > 0:
        rows.add_row("", Text(f"and {earlier} more before", style="dim"))
    return Group(head, rows)


def quotes_of(
    graph: graph_service_pb2_grpc.GraphServiceStub, action_ids: Sequence[str]
) -> list[Quote]:
    """Fetch what was said in these actions, in their order; those that cannot be had are left out."""
    nodes: dict[str, graph_service_pb2.Node] = {}
    for action_id in action_ids:
        ref = graph_service_pb2.NodeRef(kind=graph_service_pb2.NODE_KIND_ACTION, id=action_id)
        request = graph_service_pb2.GetNodeRequest(ref=ref)
        try:
            nodes[action_id] = graph.GetNode(request, timeout=_ANSWER_SECONDS).node
        except grpc.RpcError:
            continue  # an alert without its words is better than none
    return quotes_in(nodes, action_ids)


def quotes_in(
    nodes: Mapping[str, graph_service_pb2.Node], action_ids: Sequence[str]
) -> list[Quote]:
    """Return what was said in these actions, in their order, given their nodes by id."""
    found: list[Quote] = []
    for action_id in action_ids:
        node = nodes.get(action_id)
        text = node.attributes.get("text", "") if node is not None else ""
        if node is not None and text:
            who = node.attributes.get("speaker") or bare_id(
                node.attributes.get("actor", "somebody")
            )
            found.append(Quote(who, node.valid_from_ms, _shortened(text)))
    return found


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "…"
