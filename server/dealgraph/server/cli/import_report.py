"""What `dealgraph import` says at its end."""

from collections.abc import Mapping
from typing import Final

from rich.console import Console

from dealgraph.graph.model import NodeKind
from dealgraph.graph.store import Counts
from dealgraph.server.cli.intake import Tally
from dealgraph.server.cli.terminal import table
from dealgraph.stream.interaction import Reason

_REASONS: Final[Mapping[Reason, str]] = {
    Reason.UNREADABLE: "cannot be read",
    Reason.BAD_ENCODING: "is in another encoding than stated",
    Reason.TRUNCATED: "is cut off",
    Reason.TOO_LARGE: "is too large",
    Reason.TOO_DEEP: "is nested too deeply",
    Reason.WRONG_TYPE: "has a field of the wrong type",
    Reason.UNKNOWN_VALUE: "has a value that is not known",
    Reason.MISSING_ID: "has no id",
    Reason.MISSING_FIELD: "lacks a field",
    Reason.BAD_TIMESTAMP: "has a time that cannot be read",
    Reason.FUTURE_TIMESTAMP: "lies in the future",
    Reason.ANCIENT_TIMESTAMP: "lies too far in the past",
    Reason.OTHER_TENANT: "belongs to another tenant",
    Reason.ID_REUSED: "has the id of another record with other content",
    Reason.FAILED: "made the program fail",
    Reason.CHANNEL_EXPIRED: "came after the time of its channel",
}


def in_words(reason: str) -> str:
    """Return what a reason means, as the end of a sentence that begins with the record."""
    return _REASONS.get(Reason(reason), reason) if reason in set(Reason) else reason


def show_report(out: Console, tally: Tally) -> None:
    """Print what was read and what became of it."""
    shown = table("Import", ["", "records"], numbers=["records"])
    shown.add_row("read", f"{tally.read:,}")
    shown.add_row("accepted", f"{tally.accepted:,}")
    shown.add_row("duplicates (were in before)", f"{tally.duplicates:,}")
    for reason, number in sorted(tally.unreadable.items()):
        shown.add_row(f"dead letter: {reason}, the record {in_words(reason)}", f"{number:,}")
    for reason, number in sorted(tally.rejected.items()):
        shown.add_row(f"rejected: {reason}, the record {in_words(reason)}", f"{number:,}")
    for (rep, channel), number in sorted(tally.refused.items()):
        shown.add_row(
            f"refused: no consent of {rep or 'an unnamed rep'} ({channel})", f"{number:,}"
        )
    out.print(shown)
    if tally.refused:
        out.print(consent_hint(tally), markup=False)
    if tally.unreadable or tally.rejected:
        out.print(
            "What was left out is kept as dead letters. Read them with "
            "IngestService.ListDeadLetters; after a fix import again, or run `dealgraph replay`.",
            markup=False,
        )


def consent_hint(tally: Tally) -> str:
    """Return how to grant the consent that was missing."""
    channels = ", ".join(sorted({channel for _, channel in tally.refused}))
    if any(not rep for rep, _ in tally.refused):
        who = "Name the rep who holds the conversation (--rep, or `rep:` in the roster), and state"
    else:
        who = "What was refused is kept nowhere. When the people who take part agree, state"
    return (
        f"{who} their consent in the roster:\n"
        f"  consent: {{{channels.split(', ')[0]}: [capture, analyse, emotion]}}\n"
        "  basis: what they agreed to\n"
        "  since: 2026-01-01T00:00:00Z\n"
        "Then import the same files again."
    )


def show_counts(out: Console, counts: Counts) -> None:
    """Print what the graph holds."""
    shown = table("Graph", ["nodes", "number"], numbers=["number"])
    for kind in NodeKind:
        shown.add_row(kind.name.lower().replace("_", " "), f"{counts.nodes.get(kind, 0):,}")
    shown.add_row("edges", f"{sum(counts.edges.values()):,}")
    out.print(shown)
