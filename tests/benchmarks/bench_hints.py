"""How long after an utterance was sent its hint is at the rep, with 50 calls running at 20 utterances/s each.

The whole path over one gRPC stream a call: validation, consent, durable log, dataflow, tagger, detectors,
graph, alert log, hub. Measured at the client from sending to arrival, the way over gRPC both times included.
The floor, in the same run, is a server that echoes a hint on the same stream at once and stores nothing.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import grpc
from msgspec import Struct, field

from dealgraph.api.v1 import (
    interaction_pb2,
    live_session_service_pb2,
    live_session_service_pb2_grpc,
)
from dealgraph.server.client import Client
from dealgraph.stream import codec
from dealgraph.stream.interaction import action_id
from tests.benchmarks.bare_server import SLIP
from tests.benchmarks.bench_alerts import bare, summary
from tests.support.interactions import MONDAY, voice_grants
from tests.support.processes import ServerProcess

NAME: Final = "hints"
SUMMARY: Final = "utterance sent → hint at the rep, 50 calls at 20 utterances/s, beside an echo"

_CALLS: Final = 50
_RATE: Final = 20
_TURNS: Final = 100
"""Utterances of a call: five seconds of it."""
_SLIPS: Final = (40, 80)
"""The turns that call for a hint: the first is a WARNING, the second CRITICAL."""
_REP: Final = "anna@sell.example"
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SAID: Final = (
    "We looked at the proposal again and have two questions about the interfaces.",
    "明白，接口文档我们这边先看一下，下周再碰。",
    "The team is happy with the pilot so far, the reports come faster than before.",
    "价格方面我们内部还在讨论，财务希望看到三年的测算。",
)


class Times(Struct):
    """What was measured: milliseconds of receipts and hints, and CPU seconds of the client."""

    receipts: list[float] = field(default_factory=list)
    hints: list[float] = field(default_factory=list)
    expected: int = 0
    client_seconds: float = 0.0


def run(quick: bool) -> dict[str, Any]:
    """Measure one call after another on 50 streams, for 5 or 30 seconds."""
    rounds = 1 if quick else 6
    with bare() as target:
        floor = asyncio.run(_measure(target, rounds, lambda hint: hint.explanation))
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder))
        try:
            with Client(server.listen) as client:
                grants = voice_grants(subject=_REP)
                client.publish([codec.interaction_to_message(one) for one in grants])
            asyncio.run(_measure(server.listen, 1, _last_evidence, "warm"))
            before = _cpu_seconds(server.pid)
            whole = asyncio.run(_measure(server.listen, rounds, _last_evidence))
            used = _cpu_seconds(server.pid) - before
        finally:
            server.stop()
    utterances = _CALLS * _TURNS * rounds
    return {
        "calls": _CALLS,
        "utterances_per_second": _CALLS * _RATE,
        "whole_hint_ms": summary(whole.hints),
        "whole_receipt_ms": summary(whole.receipts),
        "floor_echo_hint_ms": summary(floor.hints),
        "floor_echo_receipt_ms": summary(floor.receipts),
        "server_cpu_us_per_utterance": round(used / utterances * 1e6, 1),
        "client_cpu_us_per_utterance": round(whole.client_seconds / utterances * 1e6, 1),
        "asked_ms": {"p99": 20.0},
    }


def _last_evidence(hint: Any) -> str:
    return str(hint.evidence_ids[-1])


async def _measure(
    target: str, rounds: int, cause: Callable[[Any], str], prefix: str = "call"
) -> Times:
    """Hold calls on 50 streams at once, `rounds` after one another; `cause` names what a hint came from."""
    times = Times()
    began = process_time()
    async with grpc.aio.insecure_channel(target) as channel:
        stub = live_session_service_pb2_grpc.LiveSessionServiceStub(channel)
        start = perf_counter() + 0.5
        await asyncio.gather(
            *(
                _line(stub, times, rounds, cause, f"{prefix}-{n}", start + n / 1000)
                for n in range(_CALLS)
            )
        )
    times.client_seconds = process_time() - began
    if len(times.hints) != times.expected:
        raise RuntimeError(f"{len(times.hints)} hints came, {times.expected} were expected")
    return times


async def _line(
    stub: Any, times: Times, rounds: int, cause: Callable[[Any], str], name: str, start: float
) -> None:
    """Hold one call after the other, each with utterances at a steady rate."""
    for number in range(rounds):
        session = f"{name}-{number}"
        sent: dict[str, float] = {}
        causes: dict[str, float] = {}
        times.expected += len(_SLIPS)
        turns = _turns(session, sent, causes, start + number * _TURNS / _RATE)
        async for answer in stub.Converse(turns):
            now = perf_counter()
            if answer.HasField("hint"):
                times.hints.append(1000 * (now - causes[cause(answer.hint)]))
            else:
                times.receipts.append(1000 * (now - sent[answer.receipt.utterance_id]))


async def _turns(
    session: str, sent: dict[str, float], causes: dict[str, float], start: float
) -> AsyncIterator[live_session_service_pb2.ConverseRequest]:
    opened = live_session_service_pb2.SessionStart(
        session_id=session, opportunity_id=f"deal of {session}", customer_id="acme", rep_id=_REP
    )
    yield live_session_service_pb2.ConverseRequest(start=opened)
    for turn in range(_TURNS):
        request = live_session_service_pb2.ConverseRequest(utterance=_utterance(turn))
        await asyncio.sleep(max(0.0, start + turn / _RATE - perf_counter()))
        now = perf_counter()
        name = request.utterance.id
        sent[name] = now
        causes[name] = causes[action_id("live", f"{session}/{name}")] = now
        yield request


def _utterance(turn: int) -> live_session_service_pb2.Utterance:
    by_rep = turn in _SLIPS or turn % 2 == 0
    side = interaction_pb2.SIDE_REP if by_rep else interaction_pb2.SIDE_CUSTOMER
    native_id = _REP if by_rep else "li@acme.example"
    text = (
        f"{SLIP}, let us talk about your kickback offline." if turn in _SLIPS else _SAID[turn % 4]
    )
    return live_session_service_pb2.Utterance(
        id=f"u{turn}",
        speaker=interaction_pb2.Actor(side=side, native_id=native_id, confidence=1.0),
        occurred_at_ms=MONDAY + turn * 3000,
        duration_ms=2500,
        text=text,
    )


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
