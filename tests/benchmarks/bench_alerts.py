"""How long after its acknowledgement an interaction's alert is at a gRPC client, at 1,000 events/s.

The whole path: gRPC, validation, consent, durable log, dataflow, graph, alert log, gRPC. The floor,
in the same run, is a server that only puts what comes into a queue and streams it out.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import grpc
from msgspec.structs import replace

from dealgraph.api.v1 import (
    alert_service_pb2,
    alert_service_pb2_grpc,
    ingest_service_pb2,
    ingest_service_pb2_grpc,
    interaction_pb2,
)
from dealgraph.stream import codec
from dealgraph.stream.interaction import Interaction
from tests.benchmarks.bare_server import TRIGGER
from tests.benchmarks.traffic import START, interactions
from tests.support.processes import ServerProcess

NAME: Final = "alerts"
SUMMARY: Final = "ingest acknowledged → alert at a client, at 1,000 events/s, beside queue + gRPC"

_RATE: Final = 1_000
_BATCH: Final = 5
_MENTIONS: Final = 3
"""Mentions of a competitor in a short session that raise a hint."""
_LAST_SECONDS: Final = 5.0


def run(quick: bool) -> dict[str, Any]:
    """Measure for 5 or 30 seconds."""
    batches = list(_batches((5 if quick else 30) * _RATE))
    with bare() as target:
        floor = asyncio.run(_measure(target, batches))
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder))
        try:
            whole = asyncio.run(_measure(server.listen, batches))
        finally:
            server.stop()
    return {
        "events_per_second": _RATE,
        "whole_ms": summary(whole),
        "floor_queue_and_grpc_ms": summary(floor),
        "asked_ms": {"p50": 5.0, "p99": 25.0},
    }


def _batches(events: int) -> Iterator[list[interaction_pb2.Interaction]]:
    """Yield batches of ordinary traffic, in each of which a third of a hint may lie."""
    stream = interactions(events)
    number = 0
    while batch := list(islice(stream, _BATCH)):
        if number % 5 == 0:
            batch[-1] = _mention(batch[-1], number // 5)
        number += 1
        yield [codec.interaction_to_message(one) for one in batch]


def _mention(like: Interaction, number: int) -> Interaction:
    """Return the naming of a competitor; the last of a session causes the alert."""
    session, turn = divmod(number, _MENTIONS)
    last = turn == _MENTIONS - 1
    return replace(
        like,
        native_id=f"race-{session}/{turn}",
        session=f"race-{session}",
        opportunity=f"race-{session}",
        source="wecom",
        kind=_KIND,
        channel=_CHANNEL,
        detail=None,
        occurred_at=START + number * 60_000,
        actor=_SPEAKER,
        duration_ms=40_000,
        text=f"{TRIGGER} offers the same." if last else "Another vendor, a competitor, called us.",
    )


_SAMPLE: Final = next(one for one in interactions(200) if one.text)
_KIND, _CHANNEL, _SPEAKER = _SAMPLE.kind, _SAMPLE.channel, _SAMPLE.actor


async def _measure(
    target: str, batches: Sequence[Sequence[interaction_pb2.Interaction]]
) -> list[float]:
    """Publish at a steady rate and return, per alert, milliseconds from acknowledgement to arrival."""
    acknowledged: dict[str, float] = {}
    arrived: dict[str, float] = {}
    async with grpc.aio.insecure_channel(target) as channel:
        ingest = ingest_service_pb2_grpc.IngestServiceStub(channel)
        alerts = alert_service_pb2_grpc.AlertServiceStub(channel)
        reader = asyncio.create_task(_read(alerts, arrived))
        await asyncio.sleep(0.5)
        calls = set()
        start = perf_counter()
        for number, batch in enumerate(batches):
            await asyncio.sleep(max(0.0, start + number * _BATCH / _RATE - perf_counter()))
            call = asyncio.create_task(_publish(ingest, batch, acknowledged))
            calls.add(call)
            call.add_done_callback(calls.discard)
        await asyncio.gather(*calls)
        deadline = perf_counter() + _LAST_SECONDS
        while len(arrived) < len(acknowledged) and perf_counter() < deadline:
            await asyncio.sleep(0.05)
        reader.cancel()
    missing = len(acknowledged) - len(arrived)
    if missing:
        raise RuntimeError(f"{missing} of {len(acknowledged)} alerts did not arrive")
    # An alert can overtake the acknowledgement of what caused it.
    return [1000 * max(0.0, at - acknowledged[session]) for session, at in arrived.items()]


async def _read(
    alerts: "alert_service_pb2_grpc.AlertServiceAsyncStub", arrived: dict[str, float]
) -> None:
    async for item in alerts.StreamAlerts(alert_service_pb2.StreamAlertsRequest()):
        if item.HasField("alert") and item.alert.session_id.startswith("race-"):
            arrived.setdefault(item.alert.session_id, perf_counter())


async def _publish(
    ingest: "ingest_service_pb2_grpc.IngestServiceAsyncStub",
    batch: Sequence[interaction_pb2.Interaction],
    acknowledged: dict[str, float],
) -> None:
    await ingest.Publish(ingest_service_pb2.PublishRequest(interactions=batch))
    at = perf_counter()
    for one in batch:
        if one.text.startswith(TRIGGER):
            acknowledged[one.session_id] = at


@contextmanager
def bare() -> Iterator[str]:
    """Run the floor's server in a process of its own and yield its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.bare_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate()


def summary(milliseconds: list[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    return {
        "alerts": len(ordered),
        "p50": round(ordered[len(ordered) // 2], 2),
        "p99": round(ordered[int(len(ordered) * 0.99)], 2),
        "max": round(ordered[-1], 2),
    }
