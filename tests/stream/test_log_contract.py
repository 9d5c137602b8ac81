"""What every event log does: the contract that adapters are held to."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.storage import StorageClosedError
from dealgraph.stream.log import Appended, EventLog, Record, Topic
from tests.support.interactions import MONDAY
from tests.support.logs import open_log, open_split_log, record

T = TypeVar("T")
OpenLog = Callable[[Path], EventLog]

STORED, DUPLICATE, ID_REUSED = Appended.STORED, Appended.DUPLICATE, Appended.ID_REUSED


@pytest.fixture(params=[open_log, open_split_log], ids=["one file", "two files"])
def opener(request: pytest.FixtureRequest) -> OpenLog:
    chosen: OpenLog = request.param
    return chosen


@pytest.fixture
def log(opener: OpenLog, tmp_path: Path) -> Iterator[EventLog]:
    opened = opener(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize("topic", Topic)
def test_an_empty_topic_has_neither_first_nor_end(log: EventLog, topic: Topic) -> None:
    assert (log.first(topic), log.end(topic), log.read(topic, 0, 10)) == (0, 0, [])


@pytest.mark.parametrize("topic", Topic)
def test_what_is_appended_is_read_back_in_order(log: EventLog, topic: Topic) -> None:
    outcomes = log.append(topic, [record("a", "1", 5), record("b", "2", 6)])

    assert outcomes == [STORED, STORED]
    assert log.read(topic, 0, 10) == [Record(1, "a", 5, b"1"), Record(2, "b", 6, b"2")]
    assert (log.first(topic), log.end(topic)) == (1, 2)


def test_topics_do_not_see_each_other(log: EventLog) -> None:
    for topic in Topic:
        assert log.append(topic, [record("same", topic.value)]) == [STORED]

    assert [log.read(topic, 0, 9)[0].body.decode() for topic in Topic] == [*Topic]


def test_reading_starts_after_an_offset_and_stops_at_a_limit(log: EventLog) -> None:
    log.append(Topic.ALERTS, [record(str(number)) for number in range(10)])

    assert [found.offset for found in log.read(Topic.ALERTS, 3, 4)] == [4, 5, 6, 7]


@pytest.mark.parametrize(
    "id_",
    [
        "0123456789abcdef0123456789abcdef",
        "0123456789ABCDEF0123456789ABCDEF",
        " 123456789abcdef0123456789abcde ",
        "客户一",
        "req/1",
        "x" * 32,
    ],
)
def test_an_id_of_any_form_comes_back_as_it_was(log: EventLog, id_: str) -> None:
    log.append(Topic.REQUESTS, [record(id_)])

    assert log.read(Topic.REQUESTS, 0, 1)[0].id == id_
    assert log.find(Topic.REQUESTS, [id_, "other"]) == {id_: Record(1, id_, MONDAY, b"body")}


def test_ids_that_differ_in_case_are_different(log: EventLog) -> None:
    lower, upper = "ab" * 16, "AB" * 16

    assert log.append(Topic.ALERTS, [record(lower), record(upper)]) == [STORED, STORED]


def test_the_same_record_again_is_a_duplicate(log: EventLog) -> None:
    log.append(Topic.INTERACTIONS, [record("a")])

    assert log.append(Topic.INTERACTIONS, [record("a", at=99)]) == [DUPLICATE]
    assert log.read(Topic.INTERACTIONS, 0, 9) == [Record(1, "a", MONDAY, b"body")]


def test_an_id_with_another_body_is_refused(log: EventLog) -> None:
    log.append(Topic.INTERACTIONS, [record("a", "first")])

    assert log.append(Topic.INTERACTIONS, [record("a", "second")]) == [ID_REUSED]
    assert log.find(Topic.INTERACTIONS, ["a"])["a"].body == b"first"


def test_of_equal_ids_in_one_batch_the_first_is_stored(log: EventLog) -> None:
    batch = [record("a", "1"), record("b"), record("a", "1"), record("a", "2"), record("b")]

    assert log.append(Topic.ALERTS, batch) == [STORED, STORED, DUPLICATE, ID_REUSED, DUPLICATE]
    assert [found.id for found in log.read(Topic.ALERTS, 0, 9)] == ["a", "b"]


def test_the_end_is_the_newest_record_also_after_duplicates(log: EventLog) -> None:
    log.append(Topic.ALERTS, [record("a")])
    log.append(Topic.ALERTS, [record("a"), record("a", "other")])
    assert log.end(Topic.ALERTS) == 1

    log.append(Topic.ALERTS, [record("a"), record("b"), record("a")])
    assert log.end(Topic.ALERTS) == log.read(Topic.ALERTS, 1, 9)[0].offset

    log.trim(Topic.ALERTS, 99)
    end = log.end(Topic.ALERTS)
    log.append(Topic.ALERTS, [record("c"), record("c")])
    assert log.end(Topic.ALERTS) == log.read(Topic.ALERTS, end, 9)[0].offset


def test_appending_nothing_changes_nothing(log: EventLog) -> None:
    assert log.append(Topic.ALERTS, []) == []
    assert log.end(Topic.ALERTS) == 0


def test_trimming_forgets_old_records_and_never_gives_their_offsets_away(log: EventLog) -> None:
    log.append(Topic.ALERTS, [record(str(number)) for number in range(5)])

    assert log.trim(Topic.ALERTS, 4) == 3
    assert (log.first(Topic.ALERTS), log.end(Topic.ALERTS)) == (4, 5)
    assert log.trim(Topic.ALERTS, 99) == 2
    assert (log.first(Topic.ALERTS), log.end(Topic.ALERTS)) == (0, 5)

    log.append(Topic.ALERTS, [record("new")])
    assert log.read(Topic.ALERTS, 0, 9)[0].offset == 6


def test_records_are_rewritten_in_their_place_and_deleted(log: EventLog) -> None:
    log.append(Topic.ALERTS, [record(name) for name in "abc"])

    log.rewrite(Topic.ALERTS, {1: record("z", "new", at=7), 3: None, 9: record("nowhere")})

    assert log.read(Topic.ALERTS, 0, 9) == [
        Record(1, "z", 7, b"new"),
        Record(2, "b", MONDAY, b"body"),
    ]
    assert log.find(Topic.ALERTS, ["a", "c", "nowhere"]) == {}
    assert log.end(Topic.ALERTS) == 3
    assert log.append(Topic.ALERTS, [record("z", "new")]) == [DUPLICATE]


def test_what_a_transaction_holds_is_seen_by_others_after_its_commit_only(log: EventLog) -> None:
    with log.transaction(Topic.ALERTS):
        log.append(Topic.ALERTS, [record("a")])
        assert log.end(Topic.ALERTS) == 1
        assert _elsewhere(lambda: (log.end(Topic.ALERTS), log.read(Topic.ALERTS, 0, 9))) == (0, [])

    assert _elsewhere(lambda: log.end(Topic.ALERTS)) == 1


def test_a_transaction_that_fails_leaves_nothing(log: EventLog) -> None:
    log.append(Topic.ALERTS, [record("before")])

    with pytest.raises(ZeroDivisionError), log.transaction(Topic.ALERTS):
        log.append(Topic.ALERTS, [record("a")])
        raise ZeroDivisionError

    assert [found.id for found in log.read(Topic.ALERTS, 0, 9)] == ["before"]
    assert log.end(Topic.ALERTS) == 1
    assert log.append(Topic.ALERTS, [record("a")]) == [STORED]


def test_a_transaction_joins_the_topics_of_its_file(log: EventLog) -> None:
    with pytest.raises(ZeroDivisionError), log.transaction(Topic.INTERACTIONS):
        log.append(Topic.INTERACTIONS, [record("a")])
        log.append(Topic.REGISTRY, [record("a")])
        raise ZeroDivisionError

    assert (log.end(Topic.INTERACTIONS), log.end(Topic.REGISTRY)) == (0, 0)


def test_an_inner_transaction_joins_the_outer_one(log: EventLog) -> None:
    with pytest.raises(ZeroDivisionError), log.transaction(Topic.ALERTS):
        with log.transaction(Topic.ALERTS):
            log.append(Topic.ALERTS, [record("a")])
        raise ZeroDivisionError

    assert log.end(Topic.ALERTS) == 0


def test_writers_in_many_threads_lose_and_double_nothing(log: EventLog) -> None:
    outcomes: list[Appended] = []

    def write() -> None:
        for number in range(50):
            outcomes.extend(log.append(Topic.ALERTS, [record(str(number))]))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count(STORED) == 50
    assert {found.id for found in log.read(Topic.ALERTS, 0, 999)} == {str(n) for n in range(50)}


def test_what_was_appended_is_there_after_reopening(opener: OpenLog, tmp_path: Path) -> None:
    first = opener(tmp_path)
    first.append(Topic.ALERTS, [record("a"), record("b")])
    first.trim(Topic.ALERTS, 2)
    first.close()

    second = opener(tmp_path)
    try:
        assert [found.id for found in second.read(Topic.ALERTS, 0, 9)] == ["b"]
        assert second.append(Topic.ALERTS, [record("b")]) == [DUPLICATE]
    finally:
        second.close()


def test_a_closed_log_answers_no_more(opener: OpenLog, tmp_path: Path) -> None:
    log = opener(tmp_path)
    log.close()

    with pytest.raises(StorageClosedError):
        log.append(Topic.ALERTS, [record("a")])
    with pytest.raises(StorageClosedError):
        log.end(Topic.ALERTS)


@settings(max_examples=30, deadline=None)
@given(
    batches=st.lists(
        st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("12")), max_size=6),
        max_size=6,
    )
)
def test_a_log_is_a_dictionary_that_keeps_the_first_value(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[str, str]]]
) -> None:
    log = open_log(tmp_path_factory.mktemp("log"))
    oracle: dict[str, str] = {}
    for batch in batches:
        expected = []
        for id_, body in batch:
            known = oracle.setdefault(id_, body)
            first = id_ not in {found.id for found in log.read(Topic.ALERTS, 0, 99)}
            expected.append((id_, body == known, first))
        outcomes = log.append(Topic.ALERTS, [record(id_, body) for id_, body in batch])
        fresh: set[str] = set()
        for (id_, same, first), outcome in zip(expected, outcomes, strict=True):
            stored = first and id_ not in fresh
            fresh.add(id_)
            assert outcome is (STORED if stored else DUPLICATE if same else ID_REUSED)
    assert {r.id: r.body.decode() for r in log.read(Topic.ALERTS, 0, 99)} == oracle
    log.close()


def _elsewhere(call: Callable[[], T]) -> T:
    """Return what `call` returns in another thread."""
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


def test_waiting_ends_with_the_commit_of_a_record(log: EventLog) -> None:
    log.wait(Topic.INTERACTIONS, 0, 0.0)
    writer = threading.Thread(target=lambda: log.append(Topic.INTERACTIONS, [record("a")]))
    writer.start()
    log.wait(Topic.INTERACTIONS, 0, 30.0)

    assert log.end(Topic.INTERACTIONS) == 1
    log.wait(Topic.INTERACTIONS, 0, 30.0)
    writer.join()
