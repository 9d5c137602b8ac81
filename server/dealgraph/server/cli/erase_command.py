"""`dealgraph erase`: erases a person, or lists who asked for it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.table import Table

from dealgraph.api.v1 import erasure_service_pb2 as pb
from dealgraph.graph.model import NodeKind, NodeRef
from dealgraph.server.cli.building import build_graph
from dealgraph.server.cli.clock import now_ms
from dealgraph.server.cli.command import FILE, FOLDER, Command, CommandError, check_address
from dealgraph.server.cli.terminal import console, table
from dealgraph.server.client import Client
from dealgraph.server.compose import open_embedded
from dealgraph.server.erasure_service import SOURCE, erasure_message
from dealgraph.server.graph_messages import node_ref
from dealgraph.server.settings import load
from dealgraph.stream.identity import person_id
from dealgraph.stream.meter import SilentMeter

_HELP: Final = """
Erase what is known of PERSON, or list the requests for erasure.

PERSON is an id such as wecom:wmXYZ, hubspot:123 or a mail address; all ids that were merged with it go too.
What the person said or wrote goes whole; where others speak, ids, addresses and names are taken out. From now
on nothing that names the person is taken in, also when a file is imported again, unless the person consents
anew. What is left of a request are numbers.

With --target the server carries it out soon; with --data it is carried out at once. The files you imported
from, their backups and the backups of the data directory are yours to clean.
"""
_STATES: Final = {
    pb.ERASURE_STATE_WAITING: "waiting",
    pb.ERASURE_STATE_REDACTED: "log clean, graph follows",
    pb.ERASURE_STATE_DONE: "done",
}


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        ("a customer's person", "dealgraph erase li@acme.example --target 127.0.0.1:7440"),
        ("a rep, at once", "dealgraph erase wecom:WangFang --rep --data ./mydata"),
        ("who asked, and how far it has come", "dealgraph erase --target 127.0.0.1:7440"),
    ),
)
@click.argument("person", required=False)
@click.option("--rep", is_flag=True, help="PERSON is a rep, not a customer's person.")
@click.option("--data", type=FOLDER, help="In this data directory.")
@click.option("--target", callback=check_address, help="On the server at HOST:PORT.")
@click.option("--settings", "file", type=FILE, help="A TOML file with settings, for --data.")
def COMMAND(  # noqa: N802
    person: str | None, rep: bool, data: Path | None, target: str | None, file: Path | None
) -> int:
    """Erase a person, or list the requests for erasure."""
    ref = _ref(person, rep) if person else None
    if target is not None and data is None:
        found = _at_server(target, ref)
    elif data is not None and target is None:
        found = _in_directory(data, file, ref)
    else:
        raise click.UsageError("Say where: --data DIR or --target HOST:PORT.")
    console().print(_table(found))
    return 0


def _ref(person: str, rep: bool) -> NodeRef:
    named = person_id("", person)
    if named.startswith(":"):
        raise CommandError(
            f"{person!r} is no id of a person. Write it as the graph has it, such as wecom:{person}."
        )
    return NodeRef(NodeKind.REP if rep else NodeKind.CONTACT, named)


def _at_server(target: str, ref: NodeRef | None) -> list[pb.Erasure]:
    with Client(target) as client:
        if ref is not None:
            request = pb.RequestErasureRequest(person=node_ref(ref))
            return [client.erasure.RequestErasure(request).erasure]
        found: list[pb.Erasure] = []
        listing = pb.ListErasuresRequest(page_size=1000)
        while True:
            page = client.erasure.ListErasures(listing)
            found += page.erasures
            if not page.next_page_token:
                return found
            listing.page_token = page.next_page_token


def _in_directory(data: Path, file: Path | None, ref: NodeRef | None) -> list[pb.Erasure]:
    if not (data / "log.db").exists():
        raise CommandError(
            f"{data} holds no log. Name the directory that `serve` or `import` filled."
        )
    embedded = open_embedded(data, load(file), now_ms, SilentMeter())
    try:
        if ref is not None:
            embedded.gate.ask_erasure(ref, now_ms(), SOURCE)
            embedded.erasing.carry_out()
            build_graph(embedded)
        return [erasure_message(one) for one in embedded.gate.erasures()]
    finally:
        embedded.close()


def _table(erasures: Iterable[pb.Erasure]) -> Table:
    numbers = ("removed", "redacted", "others")
    shown = table("Erasures", ("asked", "from", "state", "done", *numbers), numbers)
    for one in erasures:
        counts = (f"{getattr(one, name):,}" for name in numbers)
        state = _STATES.get(one.state, "")
        shown.add_row(_day(one.asked_at_ms), one.source, state, _day(one.done_at_ms), *counts)
    return shown


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M}" if at else ""
