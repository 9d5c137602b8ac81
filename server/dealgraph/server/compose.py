"""The composition root: the one place that names concrete stores, logs and taggers.

A data directory holds `log.db` (what came in, durable), `graph.db` (graph, alerts and position, made
from the log), `identity.toml` (whose it is) and `lock` (held by the process that works on it).
"""

import fcntl
import gc
import os
import tomllib
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from msgspec import Struct
from msgspec.structs import replace

from dealgraph.graph.embedded import EmbeddedGraph
from dealgraph.graph.model import Channel, Severity, SignalKind, SignalState
from dealgraph.graph.storage import Database, StorageError, StorageLockedError
from dealgraph.server.erasing import Erasing, Remaking
from dealgraph.server.settings import Settings, TaggingSettings
from dealgraph.stream import sqlite_log
from dealgraph.stream.admission import Admission
from dealgraph.stream.baselines.book import BaselineBook
from dealgraph.stream.baselines.bounds import limits as shipped_limits
from dealgraph.stream.baselines.learner import Learner
from dealgraph.stream.baselines.lessons import LESSONS, laid_over
from dealgraph.stream.baselines.record import all_baselines
from dealgraph.stream.channel_book import ChannelBook
from dealgraph.stream.channels import load_rules
from dealgraph.stream.consent import ConsentPolicy
from dealgraph.stream.dataflow import Parts
from dealgraph.stream.erasures import Erasures
from dealgraph.stream.hints import HintPolicy
from dealgraph.stream.ingest import Gate
from dealgraph.stream.interaction import Purpose
from dealgraph.stream.log import RecordSink, Topic
from dealgraph.stream.meter import Meter
from dealgraph.stream.rule_audit import RuleChange, note_rules
from dealgraph.stream.runner import Runner
from dealgraph.stream.shard import Rules
from dealgraph.stream.signals.false_alarms import expectations, load_measured
from dealgraph.stream.signals.registry import detectors
from dealgraph.stream.signals.suggestions import load_suggestions
from dealgraph.stream.signals.threshold_file import ThresholdFile, read_thresholds
from dealgraph.stream.signals.thresholds import Team, Thresholds, load_thresholds
from dealgraph.stream.sqlite_log import SqliteLog
from dealgraph.stream.tagging.learnt_tagger import LearntTagger, shipped_models
from dealgraph.stream.tagging.lexicon import load_lexicon, shipped_lexicons
from dealgraph.stream.tagging.lexicon_tagger import LexiconTagger
from dealgraph.stream.tagging.linear_model import LinearModel
from dealgraph.stream.tagging.model_file import load_model
from dealgraph.stream.validation import Limits
from dealgraph.stream.withdrawals import Withdrawals
from dealgraph.stream.writer import NOTHING_WRITTEN, TOLD, Logs, Writer, Written

Clock = Callable[[], int]

LOG_FORMAT: Final = 1
_LOOK_SECONDS: Final = 0.25
_GRAPH: Final = "graph.db"
_NEW_GRAPH: Final = "graph.new.db"
_GRAPH_TOPICS: Final = (*TOLD, Topic.REMADE)


class Identity(Struct, frozen=True):
    """Whose data directory it is; `log` tells this log from any other."""

    tenant: str
    log: str


class Embedded:
    """dealgraph in one process on one data directory: log, graph, ingest gate and dataflow."""

    def __init__(
        self,
        directory: Path,
        settings: Settings,
        clock: Clock,
        meter: Meter,
        graph_file: str = _GRAPH,
    ) -> None:
        self._resources = ExitStack()
        self._listeners: list[Callable[[Written], None]] = []
        self.directory = directory
        self._graph_file = graph_file
        try:
            self._open(settings, clock, meter)
        except BaseException:
            self._resources.close()
            raise

    def _open(self, settings: Settings, clock: Clock, meter: Meter) -> None:
        # Looking for cycles every 700 values, among the states of all open deals, costs a tenth of
        # the time and stops everything for 50 ms now and then. There are hardly any cycles.
        gc.set_threshold(50_000, 20, 100)
        self._resources.enter_context(_locked(self.directory))
        self.identity = _identity(self.directory, settings.tenant)
        self.tenant = self.identity.tenant
        log_file = self._database("log.db", sqlite_log.SCHEMA, LOG_FORMAT, durable=True)
        graph_file = self._database(
            self._graph_file,
            EmbeddedGraph.SCHEMA + sqlite_log.SCHEMA,
            EmbeddedGraph.VERSION,
            durable=False,
        )
        files = {topic: log_file for topic in Topic} | dict.fromkeys(_GRAPH_TOPICS, graph_file)
        self.log = self.told = SqliteLog(files)
        self.graph = EmbeddedGraph(graph_file)
        policy = consent_policy(settings)
        limits = Limits(max_clock_skew_ms=settings.ingest.max_clock_skew_seconds * 1000)
        channels = ChannelBook(self.log, load_rules(), settings.channels.unregistered)
        secret = self.identity.log
        erasures = Erasures(self.log, secret)
        self.gate = Gate(self.log, self.tenant, policy, limits, clock, meter, channels, erasures)
        self.tagger = open_tagger(settings.tagging)
        suggestions = load_suggestions()

        def suggestion(kind: SignalKind, severity: Severity, state: SignalState, form: str) -> str:
            language = settings.tagging.suggestion_language
            return suggestions.text(kind, severity, language, state, form)

        flow, log, graph = settings.dataflow, self.log, self.graph
        stated = stated_thresholds(settings)
        thresholds = load_thresholds(stated.thresholds, _teams(settings))
        learning = settings.signals.learning
        known = all_baselines(self.log) if learning else ()
        self.baselines = BaselineBook(thresholds, stated.thresholds, known)
        found = self.detectors = detectors(thresholds)
        self.expected = expectations({**load_measured(), **stated.false_alarms}, found)
        rules = Rules(self.baselines.in_force_at, suggestion, _hint_policy(settings))
        note_rules(self.log, found, _change(settings, stated, clock()))

        def parts(told: RecordSink, meter: Meter) -> Parts:
            """Return what the dataflow is made of, at the position that the graph has now."""
            writer = Writer(graph, Logs(told, log), clock, meter, self._committed)
            admission = Admission(log, graph, policy, erasures.erased_at, flow.shards, meter)
            shape = {"shards": flow.shards, "hot_actions": flow.hot_actions}
            return Parts(admission, self.tagger, rules, graph, writer, meter, **shape)

        self.runner = Runner(
            log,
            parts(self.told, meter),
            batch=flow.batch,
            clock=clock,
            # A graph made anew takes the baselines that are in the log, and adds none.
            learner=self._learner(settings, thresholds, clock, meter)
            if learning and self._graph_file == _GRAPH
            else None,
            on_death=self._committed,
        )
        self.erasing = Erasing(
            self.gate,
            log,
            Remaking(graph, self.told, self.runner, parts, meter),
            (log_file, graph_file),
            secret,
            clock,
            Withdrawals(log, graph, self.gate),
        )

    def listen(self, listener: Callable[[Written], None]) -> None:
        """Have `listener` called in the thread of the dataflow: after each commit, and on its death.

        It is told how much there is to be told.
        """
        self._listeners.append(listener)

    def finish(self) -> None:
        """Wait until a dataflow that runs has written all that the log holds; raises what it died of."""
        while not self.runner.wait_until_caught_up(_LOOK_SECONDS):
            if self.runner.error is not None:
                raise self.runner.error

    def close(self) -> None:
        """Stop the dataflow and release the data directory."""
        self.runner.stop()
        self._resources.close()

    def _learner(
        self, settings: Settings, thresholds: Thresholds, clock: Clock, meter: Meter
    ) -> Learner:
        """Return what learns baselines; it draws them towards the shipped values."""
        shipped = load_thresholds()
        priors = {one.section: shipped.sections[one.section] for one in LESSONS}
        values = {
            one.section: {n: v for n, v in priors[one.section].items() if n in one.names}
            for one in LESSONS
        }
        limits = replace(shipped_limits(), step_days=settings.signals.learning_days)
        towards = laid_over(thresholds, values)
        return Learner(self.graph, self.log, self.baselines, towards, limits, clock, meter)

    def _committed(self, written: Written = NOTHING_WRITTEN) -> None:
        for listener in self._listeners:
            listener(written)

    def _database(self, name: str, schema: str, version: int, *, durable: bool) -> Database:
        database = Database(self.directory / name, schema, version=version, durable=durable)
        self._resources.callback(database.close)
        return database


def open_tagger(
    settings: TaggingSettings, models: Mapping[str, LinearModel] | None = None
) -> LexiconTagger | LearntTagger:
    """Return the tagger that the settings describe, with `models` by language instead of theirs.

    Raises LexiconError or ModelError for a file that cannot be used.
    """
    lexicons = (*shipped_lexicons(), *(load_lexicon(Path(name)) for name in settings.lexicons))
    lexicon = LexiconTagger(lexicons, settings.competitors, settings.products)
    if models is not None:
        return LearntTagger(lexicon, models)
    if settings.tagger == "lexicon":
        return lexicon
    stated = {"en": settings.english_model, "zh": settings.chinese_model}
    own = {language: load_model(Path(file)) for language, file in stated.items() if file}
    return LearntTagger(lexicon, shipped_models(settings.tagger) | own)


def open_embedded(directory: Path, settings: Settings, clock: Clock, meter: Meter) -> Embedded:
    """Open a data directory, made if it does not exist. Raises StorageError with what to do."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The data directory {directory} cannot be made: {error.strerror}."
        ) from error
    return Embedded(directory, settings, clock, meter)


def stated_thresholds(settings: Settings) -> ThresholdFile:
    """Return the tenant's thresholds. Raises ThresholdError that names the file."""
    file = settings.signals.thresholds
    return read_thresholds(Path(file)) if file else ThresholdFile()


def _change(settings: Settings, stated: ThresholdFile, at: int) -> RuleChange:
    file = settings.signals.thresholds
    return RuleChange(at, {}, stated.thresholds, file, stated.origin)


@contextmanager
def rebuilding(
    directory: Path, settings: Settings, clock: Clock, meter: Meter
) -> Iterator[Embedded]:
    """Open a data directory with an empty graph, which replaces the old one when the block ends well."""
    with _locked(directory):
        _remove(directory, _NEW_GRAPH)
    embedded = Embedded(directory, settings, clock, meter, _NEW_GRAPH)
    try:
        yield embedded
        embedded.erasing.note_made_anew()
    finally:
        embedded.close()
    with _locked(directory):
        _remove(directory, _GRAPH)
        (directory / _NEW_GRAPH).replace(directory / _GRAPH)


def _remove(directory: Path, database: str) -> None:
    for suffix in ("", "-wal", "-shm"):
        (directory / f"{database}{suffix}").unlink(missing_ok=True)


def _locked(directory: Path) -> IO[str]:
    """Hold the lock of a data directory until the file is closed, also when the process dies."""
    try:
        lock = (directory / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"The data directory {directory} cannot be written: {error.strerror}."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise StorageLockedError(
            f"Another dealgraph (process {holder}) works on {directory}. Talk to it with --target, "
            "stop it, or use another data directory."
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _identity(directory: Path, tenant: str) -> Identity:
    file = directory / "identity.toml"
    if not file.exists():
        fresh = file.with_suffix(".new")
        fresh.write_text(f"tenant = {_quoted(tenant)}\nlog = {_quoted(uuid.uuid4().hex)}\n")
        fresh.replace(file)
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
        identity = Identity(found["tenant"], found["log"])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise StorageError(f"{file} is damaged; write tenant and log into it again.") from error
    if identity.tenant != tenant:
        raise StorageError(
            f"{directory} belongs to tenant {identity.tenant!r}, the settings say {tenant!r}. "
            "Set tenant in the settings, or use another data directory."
        )
    return identity


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def consent_policy(settings: Settings) -> ConsentPolicy:
    """Return which purposes are covered per channel until somebody withdraws them."""
    stated = settings.consent
    granted = {
        Channel.VOICE: stated.voice,
        Channel.CHAT: stated.chat,
        Channel.MAIL: stated.mail,
        Channel.CRM: stated.crm,
    }
    return ConsentPolicy(
        reps={
            channel: frozenset(Purpose[purpose.upper()] for purpose in purposes)
            for channel, purposes in granted.items()
        }
    )


def _teams(settings: Settings) -> dict[str, Team]:
    stated = settings.hints.teams
    return {name: Team(team.reps, team.thresholds) for name, team in stated.items()}


def _hint_policy(settings: Settings) -> HintPolicy:
    stated = settings.hints
    return HintPolicy(round(stated.cool_down_minutes * 60_000), stated.per_session)
