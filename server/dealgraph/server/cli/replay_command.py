"""`dealgraph replay`: tries dead letters again, after a fix."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from dealgraph.api.v1 import ingest_service_pb2 as pb
from dealgraph.server.cli.command import FILE, Command, check_address
from dealgraph.server.cli.import_report import in_words
from dealgraph.server.cli.terminal import console, table
from dealgraph.server.client import Client
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.mapping import load_mapping
from dealgraph.stream.connectors.metric_schemas import load_metrics
from dealgraph.stream.connectors.roster import Roster, load_roster
from dealgraph.stream.connectors.stated_options import encode_stated

STAYED: Final = 3
"""Exit status when some dead letters stayed."""

_PAGE: Final = 1_000

_HELP: Final = """
Try dead letters again, after a fix.

Raw records are read with the roster, the mapping and the metrics that they were imported with; name a file
here to read them with another one. What comes in leaves the dead letters; what fails again stays, and may be
tried again. A record of which not all was kept has to be imported again from its source.

\b
Exit status:
  0  every dead letter that was tried came in
  3  some stayed; the table says why
"""


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        (
            "all of them, after an upgrade that reads more",
            "dealgraph replay --target 127.0.0.1:7440",
        ),
        (
            "those of one source, with a mapping that was corrected",
            "dealgraph replay --source crm --mapping crm-mapping.yaml --target 127.0.0.1:7440",
        ),
    ),
)
@click.option("--target", required=True, callback=check_address, help="The server at HOST:PORT.")
@click.option("--source", default="", help="Only those of this source.")
@click.option("--reason", default="", help="Only those with this reason, such as UNKNOWN_VALUE.")
@click.option("--roster", type=FILE, help="A corrected roster (YAML).")
@click.option("--mapping", type=FILE, help="A corrected mapping (YAML).")
@click.option("--metrics", type=FILE, help="Metrics and their units, corrected (YAML).")
def COMMAND(  # noqa: N802
    target: str,
    source: str,
    reason: str,
    roster: Path | None,
    mapping: Path | None,
    metrics: Path | None,
) -> int:
    """Try dead letters again."""
    corrected = encode_stated(
        "",
        Options(
            roster=load_roster(roster) if roster else Roster(),
            mapping=load_mapping(mapping) if mapping else None,
            metrics=load_metrics(metrics) if metrics else None,
        ),
    )
    outcomes: Counter[str] = Counter()
    with Client(target) as client:
        for ids in _open(client, pb.ListDeadLettersRequest(source=source, reason=reason)):
            request = pb.ReplayDeadLettersRequest(ids=ids, read_with=corrected)
            for one in client.ingest.ReplayDeadLetters(request).results:
                outcomes[one.result.reason] += 1
    shown = table("Dead letters", ["", "records"], numbers=["records"])
    shown.add_row("came in", f"{outcomes.pop('', 0):,}")
    for why, number in sorted(outcomes.items()):
        shown.add_row(f"stayed: {why}, the record {in_words(why)}", f"{number:,}")
    console().print(shown)
    return STAYED if outcomes else 0


def _open(client: Client, wanted: pb.ListDeadLettersRequest) -> Iterator[list[str]]:
    """Yield the ids of letters that were not taken in yet, page by page."""
    wanted.page_size = _PAGE
    while True:
        page = client.ingest.ListDeadLetters(wanted)
        ids = [letter.id for letter in page.dead_letters if not letter.replayed]
        if ids:
            yield ids
        if not page.next_page_token:
            return
        wanted.page_token = page.next_page_token
