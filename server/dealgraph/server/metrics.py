"""What Prometheus reads: the meter of the stream, the calls of gRPC, the alert streams, the graph.

No label ever holds an id or a name from data: a source that dealgraph does not ship counts as
"other", all other labels are words of this program.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

import grpc
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from dealgraph.graph.model import SignalKind, SignalState
from dealgraph.graph.store import Counts

OTHER: Final = "other"
"""Label of all sources whose names are not known to be free of personal data."""

LIVE: Final = "live"
"""Name of the source of what is said in live sessions."""

# The aims are 5 ms (p50) and 25 ms (p99) from acknowledgement to alert, 10 ms for reads.
_LATENCY: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
_LAG: Final = (0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 3600.0)
_STAGE: Final = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5)
_COUNTS_SECONDS: Final = 15_000
_RATIO_SECONDS: Final = 60_000

_NOTHING: Final = Counts({}, {})
_CALL_LABELS: Final = ("grpc_type", "grpc_service", "grpc_method")


class StreamMetrics(Struct, frozen=True):
    """What is told of the streams of one topic: how many are open, how far the slowest is behind, gaps."""

    subscribers: Gauge
    backlog: Gauge
    gaps: Counter


class Metrics:
    """All metrics of one server, in a registry of their own. It is the stream's `Meter`.

    `clock` gives milliseconds since 1970 UTC; `sources` are the names that may be labels.
    """

    def __init__(self, clock: Callable[[], int], sources: Collection[str]) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self._sources = frozenset(sources) | {LIVE}
        self._newest: dict[str, int] = {}
        self._stream_metrics()
        self._call_metrics()
        self._alert_metrics()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def _stream_metrics(self) -> None:
        self._ingested = self._counter(
            "dealgraph_ingest_events_total", "Interactions at ingest", "source", "outcome"
        )
        self._dead_letters = self._counter(
            "dealgraph_dead_letters_total", "Records that could not be taken in", "source", "reason"
        )
        self._consent_drops = self._counter(
            "dealgraph_consent_drops_total", "Interactions refused for lack of consent", "reason"
        )
        self._lag = self._histogram(
            "dealgraph_event_lag_seconds", "From recorded to processed", _LAG
        )
        self._watermark = self._gauge(
            "dealgraph_watermark_delay_seconds", "Age of the newest event time", "source"
        )
        self._stage = self._histogram(
            "dealgraph_stage_duration_seconds", "Time of a batch in a stage", _STAGE, "stage"
        )
        self._to_alert = self._histogram(
            "dealgraph_ingest_to_alert_seconds", "From acknowledged to alert", _LATENCY
        )
        self._signals = self._counter(
            "dealgraph_signals_total", "Changes of decision signals", "kind", "state"
        )
        self._retractions = self._counter(
            "dealgraph_signal_retractions_total", "Signals that late data took back", "kind"
        )
        self._learnt = self._counter(
            "dealgraph_baseline_deals_total", "Deals from which baselines were learnt"
        )
        self._baselines = self._gauge(
            "dealgraph_baseline_version", "Version of the baselines learnt last"
        )
        self._state_keys = self._gauge(
            "dealgraph_state_keys", "Keys that an operator holds in memory", "operator"
        )

    def _call_metrics(self) -> None:
        self._started = self._counter("grpc_server_started_total", "Calls begun", *_CALL_LABELS)
        self._handled = self._counter(
            "grpc_server_handled_total", "Calls ended", *_CALL_LABELS, "grpc_code"
        )
        self._handling = self._histogram(
            "grpc_server_handling_seconds", "Time of a call", _LATENCY, *_CALL_LABELS
        )

    def _alert_metrics(self) -> None:
        self.alert_streams = self._streams_of("alert", "alerts")
        self.signal_streams = self._streams_of("signal", "versions of signals")
        self.webhook_requests = self._counter(
            "dealgraph_webhook_requests_total", "Requests of webhooks", "source", "code"
        )
        self.channel_quality = self._gauge(
            "dealgraph_channel_quality_ratio", "Worst check of a registered channel", "channel"
        )
        self.suggestions = self._counter(
            "dealgraph_suggestions_total", "Decisions of people on alerts", "state"
        )
        self.dismissals = self._counter(
            "dealgraph_alert_dismissals_total", "Alerts dismissed, by reason", "kind", "reason"
        )
        self.snoozes = self._counter(
            "dealgraph_snoozes_total", "Kinds of alerts held back by reps", "kind", "extent"
        )

    def _streams_of(self, noun: str, items: str) -> StreamMetrics:
        prefix = f"dealgraph_{noun}"
        return StreamMetrics(
            self._gauge(f"{prefix}_subscribers", f"Open streams of {items}"),
            self._gauge(
                f"{prefix}_stream_backlog", f"How many {items} the slowest stream is behind"
            ),
            self._counter(f"{prefix}_stream_gaps_total", f"Gaps told to streams of {items}"),
        )

    def ingested(self, source: str, outcome: str, count: int) -> None:
        """Count interactions at ingest: accepted, duplicate or rejected."""
        self._ingested.labels(self.source(source), outcome).inc(count)

    def dead_letters(self, source: str, reason: str, count: int) -> None:
        """Count dead letters."""
        self._dead_letters.labels(self.source(source), reason).inc(count)

    def consent_drops(self, reason: str, count: int) -> None:
        """Count interactions refused for lack of consent, at ingest or when something is derived."""
        self._consent_drops.labels(reason).inc(count)

    def processed(self, source: str, lag_seconds: float, newest_event_at: int) -> None:
        """Note a batch of a source: time since it was recorded, and its newest event time in ms."""
        source = self.source(source)
        self._lag.observe(lag_seconds)
        if source not in self._newest:
            self._watermark.labels(source).set_function(lambda: self._delay(source))
        self._newest[source] = max(newest_event_at, self._newest.get(source, 0))

    def stage(self, stage: str, seconds: float) -> None:
        """Note how long a batch spent in a stage: parse, tag, signal or graph."""
        self._stage.labels(stage).observe(seconds)

    def signalled(self, kind: SignalKind, state: SignalState) -> None:
        """Count a change of a decision signal."""
        self._signals.labels(kind.name.lower(), state.name.lower()).inc()
        if state is SignalState.RETRACTED:
            self._retractions.labels(kind.name.lower()).inc()

    def alerted(self, seconds: float) -> None:
        """Note the time from acknowledgement of an interaction to the alert it caused."""
        self._to_alert.observe(seconds)

    def learnt(self, version: int, deals: int) -> None:
        """Note that a version of the baselines was learnt."""
        self._baselines.set(version)
        self._learnt.inc(deals)

    def state_keys(self, operator: str, count: int) -> None:
        """Note how many keys an operator holds in memory."""
        self._state_keys.labels(operator).set(count)

    def call_started(self, call: tuple[str, str, str]) -> None:
        """Count a call by (type, service, method)."""
        self._started.labels(*call).inc()

    def call_handled(
        self, call: tuple[str, str, str], code: grpc.StatusCode, seconds: float
    ) -> None:
        """Count a call that ended, by code."""
        self._handled.labels(*call, code.name).inc()
        self._handling.labels(*call).observe(seconds)

    def watch_graph(self, counts: Callable[[], Counts]) -> None:
        """Show the size of a graph from now on; `counts` is asked at most every 15 seconds."""
        self.registry.register(_GraphSize(counts, self._clock))

    def watch_traceable(self, ratio: Callable[[], float | None]) -> None:
        """Show the share of traceable interactions; `ratio` is asked at most once a minute."""
        text = "Share of known interactions that can be followed from source to report"
        self.registry.register(
            _Slow("dealgraph_traceable_ratio", text, ratio, self._clock, _RATIO_SECONDS)
        )

    def source(self, source: str) -> str:
        """Return the label of a source: its name when dealgraph ships it."""
        return source if source in self._sources else OTHER

    def _delay(self, source: str) -> float:
        return max(0.0, (self._clock() - self._newest[source]) / 1000)


class _GraphSize(Collector):
    """Counts nodes and edges when somebody looks, not when something is written."""

    def __init__(
        self,
        counts: Callable[[], Counts],
        clock: Callable[[], int],
    ) -> None:
        self._counts = counts
        self._clock = clock
        self._lock = threading.Lock()
        self._known = Counts({}, {})
        self._next = 0

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the families without values, so that registering asks nothing of the graph."""
        return self._families(Counts({}, {}))

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the number of nodes and of edges per kind."""
        with self._lock:
            if self._clock() >= self._next:
                self._known = self._counts()
                self._next = self._clock() + _COUNTS_SECONDS
        yield from self._families(self._known)

    @staticmethod
    def _families(known: Counts) -> list[GaugeMetricFamily]:
        nodes = GaugeMetricFamily("dealgraph_graph_nodes", "Nodes of the graph", labels=["kind"])
        edges = GaugeMetricFamily("dealgraph_graph_edges", "Edges of the graph", labels=["kind"])
        for node_kind, count in known.nodes.items():
            nodes.add_metric([node_kind.name.lower()], count)
        for edge_kind, count in known.edges.items():
            edges.add_metric([edge_kind.name.lower()], count)
        return [nodes, edges]


class _Slow(Collector):
    """A gauge that is worked out when somebody looks, but not too often; absent without a value."""

    def __init__(
        self,
        name: str,
        text: str,
        value: Callable[[], float | None],
        clock: Callable[[], int],
        every_ms: int,
    ) -> None:
        self._name, self._text = name, text
        self._value, self._clock, self._every = value, clock, every_ms
        self._lock = threading.Lock()
        self._known: float | None = None
        self._next = 0

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name the metric without working it out."""
        return [GaugeMetricFamily(self._name, self._text)]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the value, worked out anew when the last is too old."""
        with self._lock:
            if self._clock() >= self._next:
                self._known = self._value()
                self._next = self._clock() + self._every
            if self._known is not None:
                yield GaugeMetricFamily(self._name, self._text, value=self._known)


class MetricsPort:
    """Serves a registry over HTTP on a port of its own, in a thread."""

    def __init__(self, metrics: Metrics, host: str, port: int) -> None:
        server, thread = start_http_server(port, host, metrics.registry)
        self._server = server
        self._thread = thread

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.server_port

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
