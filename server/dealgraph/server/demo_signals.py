"""Two signals that the demo tells of at its end: one explained, and one that a late record took back."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from rich.console import Console
from rich.text import Text

from dealgraph.api.v1 import alert_pb2, graph_service_pb2, interaction_pb2, signal_pb2
from dealgraph.api.v1 import signal_service_pb2 as pb
from dealgraph.server.cli.alert_words import is_withdrawn, signal_title
from dealgraph.server.cli.signals_explain import Explained, fetch_explained, show_signal
from dealgraph.server.cli.terminal import heading, moment
from dealgraph.server.client import Client
from dealgraph.server.demo_recap import Arrived

_ANSWER_SECONDS: Final = 10.0
_MOST_TRIED: Final = 6
_MOST_LOOKED_AT: Final = 40
_MOST_STEPS: Final = 4
_MANY: Final = 1000


class TakenBack(Struct, frozen=True):
    """A signal that was taken back, and what became known at that moment."""

    signal: pb.GetSignalResponse
    late: Sequence[interaction_pb2.Interaction]


class Told(Struct, frozen=True):
    """The two signals, each None when the demo was too short to have one."""

    explained: Explained | None
    taken_back: TakenBack | None


def tell_signals(client: Client, newest: Sequence[Arrived]) -> Told:
    """Ask the server for the two signals, given the newest alert of each."""
    standing = [a.alert.signal_id for a in newest if _is_of_deal(a) and not is_withdrawn(a.alert)]
    tried = [fetch_explained(client, signal_id) for signal_id in standing[:_MOST_TRIED]]
    explained = max(tried, key=_telling, default=None)
    found = [_taken_back(client, signal_id) for signal_id in _withdrawn(client)]
    return Told(explained, max(found, key=_lateness, default=None))


def _withdrawn(client: Client) -> list[str]:
    """Return signals of deals that were taken back, those that people were not told of too."""
    states = pb.SignalFilter(states=[alert_pb2.SIGNAL_STATE_RETRACTED])
    request = pb.ListSignalsRequest(filter=states, page_size=_MOST_LOOKED_AT)
    answer = client.signal.ListSignals(request, timeout=_ANSWER_SECONDS)
    return [signal.id for signal in answer.signals if not signal.session_id]


def _lateness(taken_back: TakenBack) -> tuple[bool, bool]:
    """Sort key: what a mail took back is told best, then what anything late did."""
    mails = [one for one in taken_back.late if one.channel == interaction_pb2.CHANNEL_MAIL]
    return bool(mails), bool(taken_back.late)


def show_signals(out: Console, told: Told) -> None:
    """Print what is told of the two signals."""
    if told.explained is not None:
        heading(out, "One of them explained")
        show_signal(out, *told.explained)
        out.print("\n`dealgraph signals explain ID` prints this of any signal.\n", markup=False)
    if told.taken_back is not None:
        heading(out, "One of them taken back")
        _show_taken_back(out, told.taken_back)


def _show_taken_back(out: Console, taken_back: TakenBack) -> None:
    answer = taken_back.signal
    first, last = answer.versions[0], answer.versions[-1]
    out.print(Text(f"{signal_title(first)}: {first.explanation}"))
    for one in taken_back.late:
        words = " ".join(one.text.split())
        lines = (
            f"Then a record of {moment(one.occurred_at_ms)} came late, from {one.source}:",
            f"  “{words}”",
        )
        out.print(*(Text(line) for line in lines), sep="\n")
    out.print(
        Text(
            f"With it the signal of {moment(first.raised_at_ms)} no longer holds: it was retracted, and "
            "whoever was told of it hears so. Both versions are kept:"
        )
    )
    for version in (first, last):
        out.print(Text(f"  {signal_title(version)}"), style="dim")
    out.print("")


def _telling(explained: Explained) -> tuple[bool, bool, int]:
    """Sort key: a short course is told best, then what still lasts, then much to be seen."""
    answer, series = explained
    lasts = not answer.signal.cleared_at_ms
    return len(answer.versions) <= _MOST_STEPS, lasts, len(series.points)


def _is_of_deal(arrived: Arrived) -> bool:
    return not arrived.alert.session_id and bool(arrived.alert.opportunity_id)


def _taken_back(client: Client, signal_id: str) -> TakenBack:
    """Return a signal with what lies between the graph before and after it was taken back."""
    request = pb.GetSignalRequest(signal_id=signal_id)
    answer = client.signal.GetSignal(request, timeout=_ANSWER_SECONDS)
    gone = next(v for v in reversed(answer.versions) if v.state == alert_pb2.SIGNAL_STATE_RETRACTED)
    before = {item.action_id for item in _timeline(client, gone, gone.recorded_at_ms - 1)}
    late = [
        item.interaction
        for item in _timeline(client, gone, gone.recorded_at_ms)
        if item.action_id not in before and item.interaction.text
    ]
    return TakenBack(answer, late)


def _timeline(
    client: Client, signal: signal_pb2.DecisionSignal, as_of_ms: int
) -> Sequence[interaction_pb2.TaggedInteraction]:
    """Return what was known of the deal until the signal changed last."""
    request = graph_service_pb2.GetTimelineRequest(
        ref=graph_service_pb2.NodeRef(
            kind=graph_service_pb2.NODE_KIND_OPPORTUNITY, id=signal.opportunity_id
        ),
        window=graph_service_pb2.TimeWindow(before_ms=signal.changed_at_ms + 1),
        page_size=_MANY,
        newest_first=True,
        as_of_ms=as_of_ms,
    )
    return client.graph.GetTimeline(request, timeout=_ANSWER_SECONDS).actions
