"""Puts the services together: what they share, and in which order it is closed."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import grpc

from dealgraph.api.v1 import (
    alert_service_pb2_grpc,
    channel_service_pb2_grpc,
    erasure_service_pb2_grpc,
    graph_service_pb2_grpc,
    identity_service_pb2_grpc,
    ingest_service_pb2_grpc,
    live_session_service_pb2_grpc,
    report_service_pb2_grpc,
    signal_service_pb2_grpc,
)
from dealgraph.server.alert_decisions import Decisions
from dealgraph.server.alert_desk import AlertDesk
from dealgraph.server.alert_list import AlertList
from dealgraph.server.alert_messages import AlertMessages
from dealgraph.server.alert_service import AlertService, AlertStreams
from dealgraph.server.capture_book import CaptureBook
from dealgraph.server.channel_service import ChannelService
from dealgraph.server.channel_watch import ChannelWatch
from dealgraph.server.commit_queue import CommitQueue
from dealgraph.server.compose import Embedded
from dealgraph.server.erasure_service import ErasureService, ErasureWatch
from dealgraph.server.graph_service import GraphService
from dealgraph.server.hub import Hub
from dealgraph.server.identity_service import IdentityService
from dealgraph.server.ingest_service import IngestService
from dealgraph.server.live_service import LiveSessionService
from dealgraph.server.metrics import Metrics
from dealgraph.server.proposals import ProposalBook
from dealgraph.server.readers import Readers
from dealgraph.server.report_service import ReportService
from dealgraph.server.settings import Settings
from dealgraph.server.signal_book import SignalBook
from dealgraph.server.signal_service import SignalService, SignalStreams
from dealgraph.server.snoozes import Snoozes
from dealgraph.server.timelines import Timelines
from dealgraph.server.tokens import Tokens, key_for
from dealgraph.stream import codec
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.registry import connectors
from dealgraph.stream.connectors.stated_options import decode_stated
from dealgraph.stream.dead_letters import DeadLetters
from dealgraph.stream.interaction import DeadLetter, Interaction, Reason, Rejected
from dealgraph.stream.log import Topic
from dealgraph.stream.matching import load_matching

_STATE_MORE: Final = (
    "the record alone says too little: import its file again with the roster, the mapping or "
    "the --started-at that belongs to it"
)


class Services:
    """All services of one server. `clock` gives milliseconds since 1970 UTC."""

    def __init__(
        self, embedded: Embedded, settings: Settings, metrics: Metrics, clock: Callable[[], int]
    ) -> None:
        stated = settings.server
        log, tenant = embedded.log, embedded.tenant
        key = key_for(embedded.directory, settings.secrets.token_key_file)
        tokens = Tokens(key, tenant, embedded.identity.log)
        decisions, snoozes = Decisions(log, clock), Snoozes(log, clock)
        messages = AlertMessages(tokens, decisions, snoozes)
        metrics.watch_graph(embedded.graph.counts)
        self._readers = Readers(stated.readers, stated.waiting_reads)
        self.commits = CommitQueue(
            lambda: log.transaction(Topic.INTERACTIONS),
            waiting=settings.ingest.waiting_requests,
            per_commit=settings.ingest.requests_per_commit,
        )
        bounds = {
            "ring": settings.alerts.ring,
            "keep": settings.alerts.keep,
            "backlog_limit": settings.alerts.backlog_limit,
        }
        told = embedded.told
        self.hub = Hub(told, Topic.ALERTS, codec.alert_from_bytes, metrics.alert_streams, **bounds)
        self.signal_hub = Hub(
            told, Topic.SIGNALS, codec.signal_from_bytes, metrics.signal_streams, **bounds
        )
        self._ingest = IngestService(
            tenant,
            embedded.gate,
            DeadLetters(log, partial(embedded.gate.publish, keep_rejected=False), parse_raw),
            self.commits,
            self._readers,
            tokens,
            max_items=settings.ingest.max_items,
            deadline_seconds=stated.deadline_seconds,
        )
        timelines = Timelines(embedded.graph, log, embedded.erasing.is_behind)
        self.graph = GraphService(
            tenant,
            embedded.graph,
            timelines,
            self._readers,
            tokens,
            stated.deadline_seconds,
        )
        alerts = AlertList(told, codec.alert_from_bytes, self._readers)
        desk = AlertDesk(alerts, decisions, snoozes, self.commits, metrics, stated.deadline_seconds)
        self._alerts = AlertService(
            tenant,
            self.hub,
            alerts,
            desk,
            snoozes,
            messages,
            tokens,
            clock,
            AlertStreams(settings.alerts.heartbeat_seconds, stated.deadline_seconds),
        )
        self._signals = SignalService(
            tenant,
            self.signal_hub,
            SignalBook(embedded.graph, embedded.baselines.detectors_at, embedded.expected),
            timelines.snapshot,
            self._readers,
            tokens,
            clock,
            SignalStreams(settings.alerts.heartbeat_seconds, stated.deadline_seconds),
        )
        self._identity = IdentityService(
            tenant,
            embedded.gate,
            embedded.graph,
            ProposalBook(embedded.graph, embedded.gate, load_matching(), clock),
            self.commits,
            self._readers,
            tokens,
            clock,
            stated.deadline_seconds,
        )
        self._erasures = ErasureService(tenant, embedded.gate, self.commits, tokens, clock)
        self.erasures = ErasureWatch(embedded.erasing, (self.hub, self.signal_hub))
        captures = CaptureBook(embedded.log, embedded.graph, embedded.gate)
        metrics.watch_traceable(captures.traceable_ratio)
        self._reports = ReportService(tenant, captures, self._readers, stated.deadline_seconds)
        self.channels = ChannelWatch(log, embedded.gate, self.commits, metrics, clock)
        self._channels = ChannelService(
            tenant,
            embedded.gate,
            self.channels,
            captures,
            self.commits,
            self._readers,
            tokens,
            clock,
            stated.deadline_seconds,
        )
        self._live = LiveSessionService(
            tenant,
            embedded.gate,
            self.commits,
            self.hub,
            messages,
            desk,
            snoozes,
            embedded.runner,
            lambda: log.end(Topic.INTERACTIONS),
            settings.alerts.hint_wait_seconds,
        )

    def add_to(self, server: grpc.aio.Server) -> None:
        """Add the services to a server that has not started."""
        ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(self._ingest, server)
        graph_service_pb2_grpc.add_GraphServiceServicer_to_server(self.graph, server)
        alert_service_pb2_grpc.add_AlertServiceServicer_to_server(self._alerts, server)
        signal_service_pb2_grpc.add_SignalServiceServicer_to_server(self._signals, server)
        live_session_service_pb2_grpc.add_LiveSessionServiceServicer_to_server(self._live, server)
        identity_service_pb2_grpc.add_IdentityServiceServicer_to_server(self._identity, server)
        report_service_pb2_grpc.add_ReportServiceServicer_to_server(self._reports, server)
        channel_service_pb2_grpc.add_ChannelServiceServicer_to_server(self._channels, server)
        erasure_service_pb2_grpc.add_ErasureServiceServicer_to_server(self._erasures, server)

    async def close(self) -> None:
        """Finish the writes that wait, and release all threads."""
        hubs = (self.hub.close, self.signal_hub.close)
        for close in (self.commits.close, self._readers.close, *hubs):
            await asyncio.to_thread(close)


def parse_raw(
    letter: DeadLetter, known: bytes, corrected: bytes
) -> Sequence[Interaction | Rejected]:
    """Parse the raw record of a letter again; return nothing for a source that is not shipped.

    `known` is what the record was read with, `corrected` what goes before that, both encoded. A record that
    says too little without more is answered with a rejection.
    """
    source, position = letter.source, letter.position
    try:
        stated = decode_stated(known).corrected_by(decode_stated(corrected))
        connector = connectors().get(stated.connector or source)
        if connector is None:
            return []
        return connector.parse_record(letter.payload, position, stated.options())
    except SourceError:
        return [Rejected(source, position, Reason.UNREADABLE, _STATE_MORE, letter.payload)]
