"""How long after an utterance was sent its hint is at the rep, with 50 calls running.

The whole path over one gRPC stream a call: validation, consent, durable log, dataflow, tagger, detectors,
graph, alert log, hub. Measured at the client from sending to arrival, the way over gRPC both times included.
The floor, in the same run, is a server that echoes a hint on the same stream at once and stores nothing.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
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
from tests.support.processes import ServerProcess, serving

NAME: Final = "hints"
SUMMARY: Final = (
    "utterance sent → hint at the rep, 50 calls at 20, 10 and 2 utterances/s, beside an echo"
)

_CALLS: Final = 50
_RATES: Final = (20.0, 10.0, 2.0)
"""Utterances a second of a call; people say one in three to ten seconds."""
_TURNS: Final = 60
"""Utterances of a call."""
_FIRST_SLIP: Final = 5
_SLIPS_APART: Final = 25
"""Turns between the two that call for a hint: the first is a WARNING, the second CRITICAL."""
_REP: Final = "anna@sell.example"
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SAID: Final = (
    "We looked at the proposal again and have two questions about the interfaces.",
    "明白，接口文档我们这边先看一下，下周再碰。",
    "The team is happy with the pilot so far, the reports come faster than before.",
    "价格方面我们内部还在讨论，财务希望看到三年的测算。",
)

_Cause = Callable[[Any], str]
"""Names the utterance that a hint came from: by its id, or by its action id."""


class Times(Struct):
    """What was measured: milliseconds of receipts and hints, CPU seconds of the client."""

    receipts: list[float] = field(default_factory=list)
    hints: list[float] = field(default_factory=list)
    client_seconds: float = 0.0


class Call(Struct, frozen=True):
    """A call to hold: its number, the number of its line, and when it begins. No two lines are in step."""

    session: str
    line: int
    start: float
    rate: float

    def slips(self) -> tuple[int, int]:
        """Return the turns that call for a hint."""
        first = _FIRST_SLIP + self.line * 7 % _SLIPS_APART
        return first, first + _SLIPS_APART

    def time_of(self, turn: int) -> float:
        """Return when a turn is said."""
        return self.start + (turn + self.line / _CALLS) / self.rate


def run(quick: bool) -> dict[str, Any]:
    """Measure at each rate, one call after another on 50 streams."""
    figures: dict[str, Any] = {"calls": _CALLS, "asked_ms": {"p99": 20.0}}
    for rate in _RATES[:1] if quick else _RATES:
        rounds = 1 if quick or rate < _RATES[0] else 4
        with bare() as target:
            floor = asyncio.run(_measure(target, rate, 1, lambda hint: str(hint.explanation)))
        with _listening() as server:
            asyncio.run(_measure(server.listen, _RATES[0], 1, _last_evidence, "warm"))
            before = _cpu_seconds(server.pid)
            whole = asyncio.run(_measure(server.listen, rate, rounds, _last_evidence))
            used = _cpu_seconds(server.pid) - before
        utterances = len(whole.receipts)
        figures[f"at_{rate * _CALLS:.0f}_utterances_per_second"] = {
            "hint_ms": summary(whole.hints),
            "receipt_ms": summary(whole.receipts),
            "floor_echo_hint_ms": summary(floor.hints),
            "floor_echo_receipt_ms": summary(floor.receipts),
            "server_cpu_us_per_utterance": round(used / utterances * 1e6, 1),
            "client_cpu_us_per_utterance": round(whole.client_seconds / utterances * 1e6, 1),
        }
    return figures


@contextmanager
def _listening() -> Iterator[ServerProcess]:
    """Run a server that may listen to the rep's calls."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        with Client(server.listen) as client:
            grants = voice_grants(subject=_REP)
            client.publish([codec.interaction_to_message(one) for one in grants])
        yield server


def _last_evidence(hint: Any) -> str:
    return str(hint.evidence_ids[-1])


async def _measure(
    target: str, rate: float, rounds: int, cause: _Cause, prefix: str = "call"
) -> Times:
    """Hold calls on 50 streams at once, `rounds` after one another."""
    times = Times()
    began = process_time()
    async with grpc.aio.insecure_channel(target) as channel:
        stub = live_session_service_pb2_grpc.LiveSessionServiceStub(channel)
        start = perf_counter() + 0.5
        lines = [
            [
                Call(f"{prefix}-{line}-{n}", line, start + n * _TURNS / rate, rate)
                for n in range(rounds)
            ]
            for line in range(_CALLS)
        ]
        await asyncio.gather(*(_hold(stub, calls, times, cause) for calls in lines))
    times.client_seconds = process_time() - began
    expected = 2 * rounds * _CALLS
    if len(times.hints) != expected:
        raise RuntimeError(f"{len(times.hints)} hints came, {expected} were expected")
    return times


async def _hold(stub: Any, calls: list[Call], times: Times, cause: _Cause) -> None:
    """Hold one call after the other, and note how long receipts and hints take."""
    for call in calls:
        sent: dict[str, float] = {}
        async for answer in stub.Converse(_turns(call, sent)):
            now = perf_counter()
            if answer.HasField("hint"):
                times.hints.append(1000 * (now - sent[cause(answer.hint)]))
            else:
                times.receipts.append(1000 * (now - sent[answer.receipt.utterance_id]))


async def _turns(
    call: Call, sent: dict[str, float]
) -> AsyncIterator[live_session_service_pb2.ConverseRequest]:
    session = call.session
    opened = live_session_service_pb2.SessionStart(
        session_id=session, opportunity_id=f"deal of {session}", customer_id="acme", rep_id=_REP
    )
    yield live_session_service_pb2.ConverseRequest(start=opened)
    for turn in range(_TURNS):
        utterance = _utterance(turn, slips=turn in call.slips())
        request = live_session_service_pb2.ConverseRequest(utterance=utterance)
        await asyncio.sleep(max(0.0, call.time_of(turn) - perf_counter()))
        sent[utterance.id] = sent[action_id("live", f"{session}/{utterance.id}")] = perf_counter()
        yield request


def _utterance(turn: int, *, slips: bool) -> live_session_service_pb2.Utterance:
    by_rep = slips or turn % 2 == 0
    side = interaction_pb2.SIDE_REP if by_rep else interaction_pb2.SIDE_CUSTOMER
    native_id = _REP if by_rep else "li@acme.example"
    return live_session_service_pb2.Utterance(
        id=f"u{turn}",
        speaker=interaction_pb2.Actor(side=side, native_id=native_id, confidence=1.0),
        occurred_at_ms=MONDAY + turn * 3000,
        duration_ms=2500,
        text=f"{SLIP}, about your kickback." if slips else _SAID[turn % len(_SAID)],
    )


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
