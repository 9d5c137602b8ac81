"""Decision signals over gRPC: lists, one with its ground, its statistic over time, streams, numbers."""

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from msgspec import Struct

from dealgraph.api.v1 import signal_service_pb2 as pb
from dealgraph.api.v1 import signal_service_pb2_grpc
from dealgraph.graph.model import DecisionSignal, SignalKind
from dealgraph.server import graph_messages, requests
from dealgraph.server.errors import CallError, check_tenant, not_found
from dealgraph.server.hub import Entry, Gap, Hub
from dealgraph.server.interceptor import seconds_left
from dealgraph.server.readers import Readers
from dealgraph.server.resuming import Resuming
from dealgraph.server.signal_book import Ground, SignalBook, Stats
from dealgraph.server.signal_messages import point_message, signal_message, wanted
from dealgraph.server.tokens import Tokens
from dealgraph.stream.signal_counts import Tally

STREAM = "signals"
"""Tells resume tokens of signals from those of alerts."""

Answer = TypeVar("Answer")


class SignalKey(Struct, frozen=True, array_like=True):
    """Where a page of signals begins, and the recorded time that the first page fixed."""

    recorded_at: int
    id: str
    as_of: int


class SignalStreams(Struct, frozen=True):
    """Seconds between heartbeats of a stream, and for a read without deadline."""

    heartbeat_seconds: float
    deadline_seconds: float


class SignalService(signal_service_pb2_grpc.SignalServiceServicer):
    """`SignalService` of the contract.

    `snapshot` returns the recorded time up to which the graph knows everything. `clock` gives milliseconds
    since 1970 UTC.
    """

    def __init__(
        self,
        tenant: str,
        hub: Hub[DecisionSignal],
        book: SignalBook,
        snapshot: Callable[[], int],
        readers: Readers,
        tokens: Tokens,
        clock: Callable[[], int],
        streams: SignalStreams,
    ) -> None:
        self._tenant = tenant
        self._hub = hub
        self._book = book
        self._snapshot = snapshot
        self._readers = readers
        self._tokens = tokens
        self._streams = streams
        self._resuming = Resuming(hub, tokens, clock, STREAM)

    async def ListSignals(  # noqa: N802 - the contract names it
        self, request: pb.ListSignalsRequest, context: Any
    ) -> pb.ListSignalsResponse:
        """List signals, what became known last first; all pages show what was known at the first."""
        check_tenant(request.tenant, self._tenant)
        test, size = wanted(request.filter), requests.page_size(request.page_size)
        key = self._tokens.page_key(request, SignalKey)
        asked_as_of = requests.as_of(request.as_of_ms)
        deals = request.filter.opportunity_ids
        deal = deals[0] if len(deals) == 1 else ""

        def read() -> pb.ListSignalsResponse:
            as_of = key.as_of if key else min(asked_as_of, self._snapshot())
            begin = (key.recorded_at, key.id) if key else None
            found, following = self._book.page(begin, size, test, deal, as_of)
            token = ""
            if following is not None:
                token = self._tokens.page(request, SignalKey(*following, as_of))
            return pb.ListSignalsResponse(
                signals=[signal_message(signal) for signal in found], next_page_token=token
            )

        return await self._read(read, context)

    async def GetSignal(  # noqa: N802
        self, request: pb.GetSignalRequest, context: Any
    ) -> pb.GetSignalResponse:
        """Get a signal with all its versions and the part of the graph it rests on."""
        check_tenant(request.tenant, self._tenant)
        signal_id = requests.identifier("signal_id", request.signal_id)
        as_of = requests.as_of(request.as_of_ms)

        def read() -> pb.GetSignalResponse:
            ground = self._book.ground(signal_id, as_of)
            if ground is None:
                raise _no_signal(signal_id)
            return ground_message(ground)

        return await self._read(read, context)

    async def GetSignalSeries(  # noqa: N802
        self, request: pb.GetSignalSeriesRequest, context: Any
    ) -> pb.GetSignalSeriesResponse:
        """Get the statistic of a signal over time, with its threshold."""
        check_tenant(request.tenant, self._tenant)
        signal_id = requests.identifier("signal_id", request.signal_id)
        as_of = requests.as_of(request.as_of_ms)

        def read() -> pb.GetSignalSeriesResponse:
            ground = self._book.ground(signal_id, as_of)
            if ground is None:
                raise _no_signal(signal_id)
            points = self._book.points(ground.versions[-1], as_of)
            return pb.GetSignalSeriesResponse(points=[point_message(point) for point in points])

        return await self._read(read, context)

    async def StreamSignals(  # noqa: N802
        self, request: pb.StreamSignalsRequest, context: Any
    ) -> AsyncIterator[pb.StreamSignalsResponse]:
        """Stream versions of signals from a start point on, with heartbeats."""
        check_tenant(request.tenant, self._tenant)
        test = wanted(request.filter)
        start = await self._resuming.start(request.start)
        async for item in self._hub.follow(start, test, self._streams.heartbeat_seconds):
            if isinstance(item, Entry):
                version = pb.SignalVersion(
                    signal=signal_message(item.item), resume_token=self._resuming.token(item.point)
                )
                yield pb.StreamSignalsResponse(version=version)
            elif isinstance(item, Gap):
                yield pb.StreamSignalsResponse(gap=self._resuming.gap(item))
            else:
                yield pb.StreamSignalsResponse(heartbeat=self._resuming.heartbeat(item.point))

    async def GetSignalStats(  # noqa: N802
        self, request: pb.GetSignalStatsRequest, context: Any
    ) -> pb.GetSignalStatsResponse:
        """Count signals, beside the false alarms that are to be expected."""
        check_tenant(request.tenant, self._tenant)
        since, before = requests.window(request.window)
        kinds = requests.kinds("kinds", request.kinds, SignalKind)
        as_of = requests.as_of(request.as_of_ms)
        return await self._read(
            lambda: stats_message(self._book.stats(since, before, kinds, as_of)), context
        )

    async def _read(self, read: Callable[[], Answer], context: Any) -> Answer:
        return await self._readers.run(read, seconds_left(context, self._streams.deadline_seconds))


def ground_message(ground: Ground) -> pb.GetSignalResponse:
    """Return the message of a signal and what it rests on."""
    versions = [signal_message(version) for version in ground.versions]
    return pb.GetSignalResponse(
        signal=versions[-1],
        versions=versions,
        nodes=[graph_messages.node(node) for node in ground.nodes],
        edges=[graph_messages.edge(edge) for edge in ground.edges],
    )


def stats_message(stats: Stats) -> pb.GetSignalStatsResponse:
    """Return the message of numbers, in the order of rule, kind, form and level."""
    answer = pb.GetSignalStatsResponse(
        opportunity_weeks=stats.weeks, opportunities=stats.opportunities
    )
    for row in sorted(stats.counts.keys() | stats.expected.keys()):
        rule, kind, form, level = row
        tally, expected = stats.counts.get(row, Tally()), stats.expected.get(row)
        line = answer.stats.add(
            kind=int(kind),
            form=form,
            level=int(level),
            rule=rule,
            raised=tally.raised,
            open=tally.open,
            cleared=tally.cleared,
            retracted=tally.retracted,
        )
        if stats.weeks:
            line.per_opportunity_week = (tally.raised - tally.retracted) / stats.weeks
        if expected is not None:
            line.expected_false_per_opportunity_week = expected.per_opportunity_week
            line.expected_false = expected.per_opportunity_week * stats.weeks
            line.expectation_source = expected.source
    return answer


def _no_signal(signal_id: str) -> CallError:
    return not_found("SIGNAL", signal_id)
