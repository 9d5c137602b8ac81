"""The end of the demo: what happened, in words for a sales manager, and what to try next."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from dealgraph.graph.model import NodeKind
from dealgraph.server.cli.alert_words import is_withdrawn, render_alert
from dealgraph.server.cli.import_report import in_words
from dealgraph.server.cli.terminal import count, heading, table
from dealgraph.server.demo_recap import Arrived, Recap, newest_alerts
from dealgraph.server.demo_signals import Told, show_signals
from dealgraph.server.sample import MATERIAL

_CALM: Final = 0.1
_MOST_ALERTS: Final = 8
_MOST_LETTERS: Final = 3


def show_summary(out: Console, recap: Recap, told: Told) -> None:
    """Print the summary."""
    _show_numbers(out, recap)
    _show_deals(out, recap)
    heading(out, "Alerts and what they rest on")
    newest = newest_alerts(recap.alerts)
    for arrived in _one_of_each_kind_first(newest)[:_MOST_ALERTS]:
        out.print(render_alert(arrived.alert, arrived.quotes), "")
    if len(newest) > _MOST_ALERTS:
        out.print(f"And {len(newest) - _MOST_ALERTS} more: `dealgraph watch` shows them all.", "")
    show_signals(out, told)
    _show_left_out(out, recap)


def _one_of_each_kind_first(alerts: Sequence[Arrived]) -> list[Arrived]:
    """Return the alerts so that each kind, and what was taken back, comes before a second of it."""
    seen: Counter[tuple[int, bool]] = Counter()
    turns = []
    for arrived in alerts:
        kind = arrived.alert.kind, is_withdrawn(arrived.alert)
        turns.append((seen[kind], arrived))
        seen[kind] += 1
    return [arrived for _, arrived in sorted(turns, key=lambda turn: turn[0])]


def _show_numbers(out: Console, recap: Recap) -> None:
    nodes = recap.nodes
    withdrawn = sum(is_withdrawn(arrived.alert) for arrived in recap.alerts)
    heading(out, "What happened")
    people = (
        f"{count(recap.customers_people, 'person', 'people')} at the customers and "
        f"{count(recap.reps, 'rep')}"
    )
    lines = [
        f"{count(nodes.get(NodeKind.SESSION, 0), 'session')} (calls, chats, mail threads) with "
        f"{count(nodes.get(NodeKind.ACTION, 0), 'action')} by {people} "
        f"became a graph of {sum(nodes.values()):,} nodes and {recap.edges:,} edges.",
        f"In it {count(nodes.get(NodeKind.DECISION_SIGNAL, 0), 'decision signal')} were found and "
        f"{count(len(recap.alerts), 'alert')} sent; {withdrawn} of them took an earlier one back.",
    ]
    if recap.taken_back:
        lines.append(
            f"Left out since then: {count(recap.taken_back, 'message')} that the author took back."
        )
    for line in lines:
        out.print(line, markup=False)
    out.print()


def _show_deals(out: Console, recap: Recap) -> None:
    for deal in recap.deals:
        stage = f", stage {deal.stage}" if deal.stage else ""
        shown = table(
            f"{deal.customer} ({deal.opportunity}{stage})",
            ["person", "part in the decision", "actions", "stands out by", "mood"],
            numbers=["actions"],
        )
        for member in deal.members:
            roles = ", ".join(member.roles) or "not stated"
            shown.add_row(
                member.name, roles, f"{member.actions:,}", member.stands_out, _mood(member.mood)
            )
        out.print(shown)


def _mood(mood: float | None) -> str:
    if mood is None:
        return "not known"
    word = "even" if abs(mood) < _CALM else "good" if mood > 0 else "bad"
    return f"{word} ({mood:+.2f})"


def _show_left_out(out: Console, recap: Recap) -> None:
    heading(out, "What was left out")
    refused, tally = Counter[str](), recap.tally
    for (_, channel), number in tally.refused.items():
        refused[channel] += number
    if refused:
        reps = len({rep for rep, _ in tally.refused})
        channels = ", ".join(f"{number:,} {channel}" for channel, number in sorted(refused.items()))
        out.print(
            f"Refused for lack of consent: {count(refused.total(), 'record')} ({channels}) of "
            f"{count(reps, 'rep')} who did not agree. They were counted; nothing of them is stored.",
            markup=False,
        )
    if tally.duplicates:
        out.print(f"{count(tally.duplicates, 'record')} came twice and changed nothing.")
    for letter in recap.dead_letters[:_MOST_LETTERS]:
        out.print(
            f"Could not be read: {letter.position}, the record {in_words(letter.reason)}. "
            "It is kept as a dead letter. Correct the file and import it again: nothing is doubled.",
            markup=False,
        )
    if len(recap.dead_letters) > _MOST_LETTERS:
        out.print(f"{len(recap.dead_letters):,} records in all could not be read.")
    out.print()


def show_next_steps(out: Console, target: str | None) -> None:
    """Print commands to copy; `target` is the server that goes on, None when it ends."""
    folder = MATERIAL / "northfold"
    server = target or "127.0.0.1:7440"
    steps = [
        ("start a server on a directory of your own", "dealgraph serve --data ./mydata"),
        ("watch its alerts, in a second terminal", f"dealgraph watch --target {server}"),
        (
            "simulate a world of your own",
            "dealgraph simulate --scenario small --seed 1 --out ./world",
        ),
        (
            "bring a call in, in a third terminal",
            f"dealgraph import webvtt {folder / '2026-03-17-rollout.vtt'} --roster "
            f"{folder / 'roster.yaml'} --session call-1 --started-at 2026-03-17T12:00:00Z "
            f"--target {server}",
        ),
        (
            "ask the graph with any gRPC client",
            f'grpcurl -plaintext -d \'{{"opportunity_id": "opp-0001-00"}}\' {server} '
            "dealgraph.api.v1.GraphService/ListBuyingCommittee",
        ),
    ]
    if target is None:
        steps.append(("keep the demo's server running", "dealgraph demo --keep"))
    heading(out, "What to try next")
    for meaning, line in steps:
        out.print(f"# {meaning}", style="dim", markup=False)
        out.print(line, markup=False, soft_wrap=True)
