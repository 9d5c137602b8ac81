"""How long a client waits for a neighbourhood of two hops and for a timeline of fifty actions.

Through gRPC, on a graph of 1 M actions (100 k when quick). The floor is a health check: the same way through
gRPC, with nothing to look up.
"""

import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dealgraph.api.v1 import graph_service_pb2, graph_service_pb2_grpc
from dealgraph.server.compose import open_embedded
from dealgraph.server.settings import Settings
from dealgraph.stream.meter import SilentMeter
from tests.benchmarks.traffic import SESSIONS, START, TURNS, interactions
from tests.support.processes import serving

NAME: Final = "queries"
SUMMARY: Final = "GetNeighborhood 2 hops and GetTimeline 50 over gRPC, beside a health check"

_CHUNK: Final = 5_000
_CALLS: Final = 1_000
_LATER: Final = START + 400 * 86_400_000

_Kind = graph_service_pb2.NodeKind


def run(quick: bool) -> dict[str, Any]:
    """Measure on 100 k or 1 M actions."""
    total = 100_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        _fill(data, total)
        with serving(data) as server, grpc.insecure_channel(server.listen) as channel:
            graph = graph_service_pb2_grpc.GraphServiceStub(channel)
            health = health_pb2_grpc.HealthStub(channel)
            deals = total // (TURNS * SESSIONS + 1)
            return {
                "actions": total,
                "neighborhood_2_hops_ms": {
                    name: _times(graph.GetNeighborhood, requests)
                    for name, requests in _neighborhoods(deals).items()
                },
                "timeline_50_ms": _times(graph.GetTimeline, _timelines(deals)),
                "floor_health_check_ms": _times(
                    health.Check, (health_pb2.HealthCheckRequest() for _ in range(_CALLS))
                ),
                "asked_ms": {"p99": 10.0},
            }


def _fill(directory: Path, total: int) -> None:
    dealgraph = open_embedded(directory, Settings(), lambda: _LATER, SilentMeter())
    try:
        stream = interactions(total)
        while chunk := list(islice(stream, _CHUNK)):
            dealgraph.gate.publish(chunk)
        dealgraph.runner.run_to_end()
    finally:
        dealgraph.close()


def _neighborhoods(
    deals: int,
) -> dict[str, Iterator[graph_service_pb2.GetNeighborhoodRequest]]:
    """Return requests around deals, customers and people drawn at random."""
    random = Random(7)

    def around(
        kind: "graph_service_pb2.NodeKind.ValueType", name: Callable[[int], str]
    ) -> Iterator[graph_service_pb2.GetNeighborhoodRequest]:
        for _ in range(_CALLS):
            ref = graph_service_pb2.NodeRef(kind=kind, id=name(random.randrange(deals)))
            yield graph_service_pb2.GetNeighborhoodRequest(ref=ref, hops=2)

    return {
        "opportunity": around(_Kind.NODE_KIND_OPPORTUNITY, lambda deal: f"deal-{deal}"),
        "customer": around(_Kind.NODE_KIND_CUSTOMER, lambda deal: f"customer-{deal // 2}"),
        "contact": around(_Kind.NODE_KIND_CONTACT, lambda deal: f"wecom:wm{deal}-1"),
    }


def _timelines(deals: int) -> Iterator[graph_service_pb2.GetTimelineRequest]:
    random = Random(8)
    for _ in range(_CALLS):
        deal = f"deal-{random.randrange(deals)}"
        ref = graph_service_pb2.NodeRef(kind=_Kind.NODE_KIND_OPPORTUNITY, id=deal)
        yield graph_service_pb2.GetTimelineRequest(ref=ref, page_size=50)


def _times(call: Callable[[Any], object], requests: Iterator[Any]) -> dict[str, float]:
    """Call one after another and return quantiles of the wait, and the CPU time of this client."""
    waits = []
    cpu = process_time()
    for request in requests:
        start = perf_counter()
        call(request)
        waits.append(1000 * (perf_counter() - start))
    cpu = process_time() - cpu
    waits.sort()
    return {
        "p50": round(waits[len(waits) // 2], 2),
        "p99": round(waits[int(len(waits) * 0.99)], 2),
        "max": round(waits[-1], 2),
        "client_cpu_ms_per_call": round(1000 * cpu / len(waits), 3),
    }
