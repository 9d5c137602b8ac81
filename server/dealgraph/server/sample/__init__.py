"""The bundled sample: three invented customers of an invented software firm, in English and Chinese.

It lies as plain files under `material/`, so that it can also be imported by hand and read as an example
of rosters and mappings. All people, firms and figures are invented.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

MATERIAL: Final = Path(__file__).parent / "material"
"""The folder with the files of the sample."""

COMPETITORS: Final = ("Palletron", "Veydra")
"""Names that the sample's seller would put into the setting `tagging.competitors`."""


class SampleFile(Struct, frozen=True):
    """A file of the sample and what an importer states about it.

    `source` is the SOURCE of `dealgraph import`. `roster` and `mapping` are files, None when there is
    none. `session` and `started_at` (ISO 8601) belong to calls. `late` files arrive after all others
    although what they hold happened before.
    """

    source: str
    path: Path
    roster: Path | None = None
    mapping: Path | None = None
    session: str = ""
    started_at: str = ""
    rep: str = ""
    late: bool = False


def _call(customer: str, topic: str, started_at: str, rep: str = "") -> SampleFile:
    day = started_at[:10]
    return SampleFile(
        source="webvtt",
        path=MATERIAL / customer / f"{day}-{topic}.vtt",
        roster=MATERIAL / customer / "roster.yaml",
        session=f"call-{customer}-{day}",
        started_at=started_at,
        rep=rep,
    )


def _archive(source: str, customer: str, name: str, *, late: bool = False) -> SampleFile:
    folder = MATERIAL / customer
    return SampleFile(source, folder / name, roster=folder / "roster.yaml", late=late)


def sample_files() -> Iterator[SampleFile]:
    """Yield the files of the sample."""
    yield SampleFile(
        "eventlog", MATERIAL / "crm-changes.csv", mapping=MATERIAL / "crm-mapping.yaml"
    )
    yield _call("northfold", "discovery", "2026-03-02T09:30:00Z")
    yield _call(
        "northfold", "security", "2026-03-04T14:00:00Z", rep="mail:marek.dolan@yanxi.example"
    )
    yield _call("northfold", "rollout", "2026-03-17T12:00:00Z")
    yield _call("chengjiang", "discovery", "2026-03-03T01:30:00Z")
    yield _call("chengjiang", "review", "2026-03-09T01:40:00Z")
    yield _call("suihe", "pricing", "2026-03-11T06:00:00Z")
    yield _archive("wecom", "chengjiang", "wecom.jsonl")
    yield _archive("wecom", "suihe", "wecom.jsonl")
    for customer in ("northfold", "chengjiang", "suihe"):
        yield _archive("mail", customer, "mail.mbox")
    yield _archive("mail", "chengjiang", "deputy-mail.mbox", late=True)
