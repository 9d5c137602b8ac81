"""What any source says leads to the same graph, in whatever order and how often it comes.

Consent comes first, as an importer states it: it is checked in the order in which it became known.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from dealgraph.graph.hash import graph_hash
from dealgraph.stream.connectors.registry import connectors
from dealgraph.stream.ingest import Outcome
from dealgraph.stream.interaction import Interaction, InteractionKind, Rejected
from tests.support.dealgraphs import opened
from tests.support.files import (
    ROSTER,
    STARTED,
    json_lines,
    mail_bytes,
    mbox,
    options,
    read,
    wecom_message,
)
from tests.support.golden import goldens

_ALL: Final = {golden: golden.read() for golden in goldens()}


def hash_of(directory: Path, items: Sequence[Interaction | Rejected]) -> str:
    """The graph after these items came in this order."""
    with opened(directory) as dealgraph:
        dealgraph.gate.publish(items)
        dealgraph.runner.run_to_end()
        return graph_hash(dealgraph.graph)


def _stated(source: str) -> list[Interaction | Rejected]:
    """The golden records of a source; consent, and what people are asked to consent to, first."""
    items = [item for golden, found in _ALL.items() if golden.source == source for item in found]
    roster = next(iter(_ALL)).options().roster
    return [*roster.events(), *sorted(items, key=lambda item: not _is_consent(item))]


def _is_consent(item: Interaction | Rejected) -> bool:
    return isinstance(item, Interaction) and item.kind is InteractionKind.CONSENT


@pytest.mark.parametrize("source", connectors())
def test_golden_records_in_any_order_and_twice_give_the_same_graph(
    tmp_path: Path, source: str
) -> None:
    items = _stated(source)
    consent = [item for item in items if _is_consent(item)]
    others = [item for item in items if not _is_consent(item)]
    twice = others + others
    Random(source).shuffle(twice)
    ordered = hash_of(tmp_path / "ordered", items)
    assert hash_of(tmp_path / "shuffled", [*consent, *twice]) == ordered


def _chat(number: int) -> dict[str, Any]:
    """A chat in which every tenth message is taken back, and some talk of delivery."""
    text = "什么时候可以交付？" if number % 7 == 0 else f"message {number}"
    people: dict[str, Any] = {"from": "wmLiNa", "tolist": ["WangFang"], "roomid": f"wr{number % 5}"}
    if number % 10 == 9:
        return wecom_message(number, "revoke", action="recall",
                             revoke={"pre_msgid": f"m{number - 4}"}, **people)  # fmt: skip
    return wecom_message(number, text={"content": text}, **people)


def _deal(number: int) -> dict[str, Any]:
    names = ("amount", "dealstage", "hubspot_owner_id")
    return {
        "eventId": number, "subscriptionId": 7, "occurredAt": STARTED + number % 40,
        "subscriptionType": "deal.propertyChange", "objectId": number % 6, "sourceId": "userId:1",
        "propertyName": names[number % 3], "propertyValue": str(number),
    }  # fmt: skip


def _reading(number: int) -> dict[str, Any]:
    time = f"2026-03-02T09:30:{number % 60:02}Z"
    return {
        "subject": f"c{number % 3}",
        "name": "nps",
        "value": number % 90,
        "unit": "score",
        "time": time,
    }


def _answer(number: int) -> bytes:
    answers = f"<m{number // 2}@acme.example>" if number % 5 else ""
    return mail_bytes(number, f"mail {number}", In_Reply_To=answers)


def _lines(records: Sequence[Any]) -> list[bytes]:
    return [json.dumps(record).encode() + b"\n" for record in records]


STREAMS: Final[dict[str, tuple[str, list[bytes], Callable[[bytes], bytes]]]] = {
    "wecom": ("c.jsonl", _lines([_chat(n) for n in range(400)]), lambda raw: raw[: len(raw) // 2] + b"\n"),
    "hubspot": ("h.jsonl", _lines([_deal(n) for n in range(200)]),
                lambda raw: raw.replace(b'"occurredAt": ', b'"occurredAt": "x"')),
    "metrics": ("m.jsonl", _lines([_reading(n) for n in range(200)]),
                lambda raw: raw.replace(b"score", b"furlong")),
    "mail": ("m.mbox", [mbox([_answer(n)]) for n in range(1, 121)],
             lambda raw: raw.replace(b"\nDate: ", b"\nDate: never ")),
}  # fmt: skip
"""Per source: the name of a file, its raw records, and what breaks a record."""


def dirty(records: Sequence[bytes], spoil: Callable[[bytes], bytes], random: Random) -> list[bytes]:
    """The records with 10 % duplicates, 10 % late by up to the whole stream, and 5 % malformed more."""
    late = [(place, record) for place, record in enumerate(records)]
    for index in random.sample(range(len(late)), len(late) // 10):
        place, record = late[index]
        late[index] = (random.randrange(place, len(records) + 1), record)
    stream = [record for _, record in sorted(late, key=lambda one: one[0])]
    again = random.sample(list(records), len(records) // 10)
    broken = [spoil(record) for record in random.sample(list(records), len(records) // 20)]
    for more in (*again, *broken):
        stream.insert(random.randrange(len(stream) + 1), more)
    return stream


@pytest.mark.parametrize("source", STREAMS)
def test_duplicates_late_and_malformed_records_change_nothing(tmp_path: Path, source: str) -> None:
    name, records, spoil = STREAMS[source]
    stated = options(ROSTER)

    def items(folder: str, raw: Sequence[bytes]) -> list[Interaction | Rejected]:
        (tmp_path / folder).mkdir()
        parsed = read(tmp_path / folder / name, source, b"".join(raw), stated)
        return [step.item for step in parsed]

    clean = items("clean", records)
    spoilt = items("dirty", dirty(records, spoil, Random(source)))
    assert not [item for item in clean if isinstance(item, Rejected)]
    refused = [item for item in spoilt if isinstance(item, Rejected)]
    assert len(refused) == len(records) // 20
    assert hash_of(tmp_path / "a", spoilt) == hash_of(tmp_path / "b", clean)


def test_a_record_that_is_lost_is_noticed(tmp_path: Path) -> None:
    content = [_chat(n) for n in range(20)]
    whole, without = (
        [step.item for step in read(tmp_path / "c.jsonl", "wecom", json_lines(chat), options())]
        for chat in (content, content[:7] + content[8:])
    )
    assert hash_of(tmp_path / "whole", whole) != hash_of(tmp_path / "without", without)


def test_what_came_twice_is_told_as_a_duplicate(tmp_path: Path) -> None:
    content = json_lines([_chat(n) for n in range(20)])
    found = [step.item for step in read(tmp_path / "c.jsonl", "wecom", content * 2, options())]
    with opened(tmp_path / "data") as dealgraph:
        outcomes = [receipt.outcome for receipt in dealgraph.gate.publish(found)]
    assert outcomes == [Outcome.ACCEPTED] * 20 + [Outcome.DUPLICATE] * 20
