"""The graph in one SQLite file, for one process with one writer and many readers."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

from dealgraph.graph.embedded_edges import find_edges, find_edges_between
from dealgraph.graph.embedded_ids import stored_ids
from dealgraph.graph.embedded_scans import scan_edges, scan_nodes
from dealgraph.graph.embedded_schema import EDGE_NOUNS, SCHEMA, VERSION
from dealgraph.graph.embedded_state import State
from dealgraph.graph.embedded_summaries import (
    load_last_heard,
    load_lifespans,
    load_opportunities,
    load_stage_changed,
    load_stages,
    load_tallies,
    load_timeline,
    same_people,
)
from dealgraph.graph.embedded_values import (
    load_actions,
    load_newest_signals,
    load_nodes,
    load_signals,
    load_versions,
)
from dealgraph.graph.embedded_writer import GraphWriter
from dealgraph.graph.model import Action, DecisionSignal, Edge, EdgeKind, Node, NodeKind, NodeRef
from dealgraph.graph.people import committee_of
from dealgraph.graph.storage import Database
from dealgraph.graph.store import (
    NOW,
    CommitteeMember,
    Counts,
    EdgeQuery,
    EventTime,
    GraphBatch,
    Lifespan,
    Retraction,
    SignalQuery,
    TimelineQuery,
    Timer,
    check_timeline,
)


class EmbeddedReading:
    """One state of the embedded graph, as a `GraphReading`."""

    def __init__(self, state: State) -> None:
        self._state = state

    def nodes(self, refs: Sequence[NodeRef], as_of: int = NOW) -> dict[NodeRef, Node]:
        """Return those of `refs` that were known."""
        return load_nodes(self._state, refs, as_of)

    def edges(self, refs: Sequence[NodeRef], query: EdgeQuery) -> list[Edge]:
        """Return the edges that start or end at any of `refs`, newest first."""
        return find_edges(self._state, refs, query)

    def edges_between(self, refs: Sequence[NodeRef], as_of: int = NOW) -> list[Edge]:
        """Return the edges that start and end at `refs`, newest first."""
        return find_edges_between(self._state, refs, as_of)

    def actions(self, ids: Sequence[str], as_of: int = NOW) -> dict[str, Action]:
        """Return those of the actions that were known."""
        return load_actions(self._state, ids, as_of)

    def same_as(self, refs: Iterable[NodeRef], as_of: int = NOW) -> dict[NodeRef, NodeRef]:
        """Return for each of `refs`, and for all other ids of the same person, the first id."""
        return same_people(self._state, refs, as_of)


class EmbeddedGraph:
    """A `GraphStore` in a file of its own, or in a `Database` that holds other tables as well.

    Any thread may read and write; writes wait for each other, reads never wait. Raises StorageError.
    """

    SCHEMA: ClassVar[str] = SCHEMA
    VERSION: ClassVar[int] = VERSION

    def __init__(self, place: Path | Database) -> None:
        if isinstance(place, Database):
            self._database = place
            self._database.extend(SCHEMA)
        else:
            self._database = Database(place, SCHEMA, version=VERSION, durable=False)
        self._writer = GraphWriter()
        self._database.on_rollback(self._writer.forget)

    @property
    def database(self) -> Database:
        """The file; what is written to it inside `transaction` joins the same commit."""
        return self._database

    def apply(self, batch: GraphBatch) -> None:
        """Add a batch, whole or not at all."""
        with self._database.transaction() as connection:
            self._writer.write(connection, batch)

    def clear(self) -> None:
        """Forget everything, to be made anew."""
        with self._database.transaction() as connection:
            self._writer.clear(connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Join what is written inside into one commit."""
        with self._database.transaction():
            yield

    def position(self) -> int:
        """Return the highest `position` applied, 0 when there was none."""
        with self._database.reading() as connection:
            row = connection.execute("select position from progress").fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def reading(self) -> Iterator[EmbeddedReading]:
        """Answer what is asked inside from one state of the graph."""
        with self._state() as state:
            yield EmbeddedReading(state)

    def event_time(self) -> EventTime:
        """Return how far event time had come at the position."""
        with self._database.reading() as connection:
            row = connection.execute(_EVENT_TIME).fetchone()
        return EventTime(*row) if row else EventTime()

    def timers(self) -> list[Timer]:
        """Return the timers that stand, by key."""
        with self._database.reading() as connection:
            rows = connection.execute("select key, due from timer order by key")
            return [Timer(*row) for row in rows]

    def node(self, ref: NodeRef, as_of: int = NOW) -> Node | None:
        """Return a node of any kind, or None when it was not known."""
        return self.nodes([ref], as_of).get(ref)

    def nodes(self, refs: Sequence[NodeRef], as_of: int = NOW) -> dict[NodeRef, Node]:
        """Return those of `refs` that were known."""
        with self.reading() as graph:
            return graph.nodes(refs, as_of)

    def edges(self, refs: Sequence[NodeRef], query: EdgeQuery) -> list[Edge]:
        """Return the edges that start or end at any of `refs`, newest first."""
        with self.reading() as graph:
            return graph.edges(refs, query)

    def edges_between(self, refs: Sequence[NodeRef], as_of: int = NOW) -> list[Edge]:
        """Return the edges that start and end at `refs`, newest first."""
        with self.reading() as graph:
            return graph.edges_between(refs, as_of)

    def actions(self, ids: Sequence[str], as_of: int = NOW) -> dict[str, Action]:
        """Return those of the actions that were known."""
        with self.reading() as graph:
            return graph.actions(ids, as_of)

    def timeline(self, ref: NodeRef, query: TimelineQuery) -> list[Action]:
        """Return actions of an opportunity or session, in order; ValueError for other kinds."""
        check_timeline(ref)
        with self._state() as state:
            return load_timeline(state, ref, query)

    def stages(self, opportunity: str, as_of: int = NOW) -> list[tuple[int, str]]:
        """Return (event time, stage) of the opportunity's stage changes that stand, in order."""
        with self._state() as state:
            return load_stages(state, opportunity, as_of)

    def committee(self, opportunity: str, as_of: int = NOW) -> list[CommitteeMember]:
        """Return the customer's people in an opportunity, most active first."""
        with self._state() as state:
            deal = NodeRef(NodeKind.OPPORTUNITY, opportunity)
            merged = sorted(same_people(state, [deal], as_of))
            tallies = [t for ref in merged for t in load_tallies(state, ref.id, as_of)]
            canonical = same_people(state, {tally.contact for tally in tallies}, as_of)
            return committee_of(tallies, canonical, load_nodes(state, list(canonical), as_of))

    def same_as(self, refs: Iterable[NodeRef], as_of: int = NOW) -> dict[NodeRef, NodeRef]:
        """Return for each of `refs`, and for all other ids of the same person, the first id."""
        with self.reading() as graph:
            return graph.same_as(refs, as_of)

    def opportunities_of(self, people: Sequence[NodeRef]) -> list[str]:
        """Return the opportunities in which any of `people` performed an action."""
        with self._state() as state:
            return load_opportunities(state, people)

    def pending_retractions(self) -> list[Retraction]:
        """Return the retractions whose action has not come yet, by id."""
        with self._database.reading() as connection:
            rows = connection.execute(_RETRACTIONS).fetchall()
            stored = stored_ids(connection, [action for action, *_ in rows])
        return [Retraction(*row) for row in rows if row[0] not in stored]

    def signal(self, signal_id: str, as_of: int = NOW) -> DecisionSignal | None:
        """Return a decision signal as it was known."""
        versions = self.signal_versions(signal_id, as_of)
        return versions[-1] if versions else None

    def signal_versions(self, signal_id: str, as_of: int = NOW) -> list[DecisionSignal]:
        """Return all known versions of a signal, the one believed last."""
        with self._state() as state:
            return load_versions(state, [signal_id], as_of).get(signal_id, [])

    def list_signals(self, query: SignalQuery) -> list[DecisionSignal]:
        """Return signals in the order (recorded_at, id), the newest first."""
        with self._state() as state:
            return load_newest_signals(state, query)

    def lifespans(self, as_of: int = NOW) -> list[Lifespan]:
        """Return the lifespan of every opportunity with an action, by id."""
        with self._state() as state:
            return load_lifespans(state, as_of)

    def stage_changed(self, since: int, before: int) -> list[str]:
        """Return the opportunities with a stage change in [since, before) of event time, by id."""
        with self._state() as state:
            return load_stage_changed(state, since, before)

    def last_heard(self, since: int, before: int) -> list[str]:
        """Return the opportunities whose last action lies in [since, before), by id."""
        with self._state() as state:
            return load_last_heard(state, since, before)

    def signals(self, ref: NodeRef, as_of: int = NOW) -> list[DecisionSignal]:
        """Return the signals of an opportunity, or of a session that has none, as they were known."""
        check_timeline(ref)
        with self._state() as state:
            return load_signals(state, ref, as_of)

    def counts(self) -> Counts:
        """Return the number of nodes and edges per kind, as known now."""
        with self._database.reading() as connection:
            rows = connection.execute("select noun, count from tally where count > 0").fetchall()
        return Counts(
            {NodeKind(noun): count for noun, count in rows if noun < EDGE_NOUNS},
            {EdgeKind(noun - EDGE_NOUNS): count for noun, count in rows if noun > EDGE_NOUNS},
        )

    def scan_nodes(self, as_of: int = NOW) -> Iterator[Node]:
        """Yield all nodes of one consistent state, sorted by (kind, id)."""
        with self._database.reading() as connection:
            yield from scan_nodes(connection, as_of)

    def scan_edges(self, as_of: int = NOW) -> Iterator[Edge]:
        """Yield all edges of one consistent state, sorted by (kind, source, target)."""
        with self._database.reading() as connection:
            yield from scan_edges(connection, as_of)

    @contextmanager
    def _state(self) -> Iterator[State]:
        with self._database.reading() as connection:
            yield State(connection)

    def close(self) -> None:
        """Close the file; a closed store answers no more."""
        self._database.close()


_EVENT_TIME: Final = """
select reached, swept, "offset", ingested_at from event_time"""
_RETRACTIONS: Final = "select action, at, recorded_at from retraction order by action"
