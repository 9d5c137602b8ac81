"""Erasure on a whole dealgraph: log, graph, alerts and files hold nothing of the person, whatever happens."""

import random
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest
from msgspec.structs import replace

from dealgraph.graph.hash import graph_hash
from dealgraph.graph.model import Channel, NodeKind, NodeRef, Side, SignalKind
from dealgraph.server.compose import Embedded, rebuilding
from dealgraph.server.settings import Settings
from dealgraph.server.snoozes import Snoozes
from dealgraph.stream.erasures import ErasureState
from dealgraph.stream.interaction import Interaction, Person, Purpose, Reason, Rejected
from dealgraph.stream.log import Topic
from dealgraph.stream.meter import SilentMeter
from tests.support.dealgraphs import NOW, alerts_of, opened, process
from tests.support.interactions import MINUTE, MONDAY, consent, mail, merge, message
from tests.support.stories import delivery_story

NA = Person(Side.CUSTOMER, "na.li@acme.example", "李娜娜", confidence=1.0)
NA_IN_CHAT = Person(Side.CUSTOMER, "wmNA77", "Nana L.", confidence=1.0)
WORDS = "Our plant in Gotham must not stop."
TRACES = (NA.native_id, NA.name, NA_IN_CHAT.native_id, NA_IN_CHAT.name, WORDS)
REF = NodeRef(NodeKind.CONTACT, "mail:na.li@acme.example")


def of_na() -> list[Interaction]:
    """What Li Na wrote, under two ids that a merge joins."""
    own = [mail(WORDS, at=MONDAY + n * MINUTE, session="t", actor=NA) for n in range(3)]
    chat = message(WORDS, session="wmNA77|WangFang", actor=NA_IN_CHAT, contact="wmNA77")
    return [*own, chat, merge(NA.native_id, "wecom:wmNA77")]


def story() -> list[Interaction]:
    """Deals with alerts, and one in which Li Na takes part: she writes, and is written to."""
    answer = mail("Dear 李娜娜, as agreed.", side=Side.REP, session="t", recipients=(NA,))
    reply = message(
        "See you, Nana L.", at=MONDAY + MINUTE, side=Side.REP, session="wmNA77|WangFang"
    )
    return [*delivery_story(deals=3, seed=5), *of_na(), replace(answer, native_id="r"), reply]


def traces(directory: Path, *texts: str) -> list[str]:
    """Return where any of these texts stands in the files of a data directory."""
    return [
        f"{file.name}: {text}"
        for file in sorted(directory.iterdir())
        for text in texts or TRACES
        if text.encode() in file.read_bytes()
    ]


def erase(dealgraph: Embedded) -> None:
    dealgraph.gate.ask_erasure(REF, NOW - 1, "test")
    dealgraph.erasing.carry_out()


def test_nothing_of_a_person_is_left_in_any_file(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, story())
        assert len({trace.partition(": ")[2] for trace in traces(tmp_path)}) == len(TRACES)
        erase(dealgraph)
        assert traces(tmp_path) == []
        [receipt] = dealgraph.gate.erasures()
        assert (receipt.state, receipt.subject.ids) == (ErasureState.DONE, ())
        assert (receipt.counts.removed, receipt.counts.redacted) == (5, 2)


def test_what_a_person_held_back_says_no_longer_whose_it_was(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, story())
        snoozes = Snoozes(dealgraph.log, lambda: NOW)
        kind, name = SignalKind.OVER_PROMISE, NA.native_id
        snoozes.prepare(name, kind, "", 5, name, "request")
        erase(dealgraph)
        assert traces(tmp_path) == []
        assert Snoozes(dealgraph.log, lambda: NOW).counts() == {kind: (0, 1)}


def test_the_graph_and_its_alerts_are_those_of_the_log_that_is_left(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, story())
        before = alerts_of(dealgraph)
        erase(dealgraph)
        after = graph_hash(dealgraph.graph)
        assert dealgraph.graph.node(REF) is None
        told = alerts_of(dealgraph)
        assert told == before != []
    with rebuilding(tmp_path, Settings(), lambda: NOW, SilentMeter()) as rebuilt:
        rebuilt.runner.run_to_end()
        assert graph_hash(rebuilt.graph) == after
        assert alerts_of(rebuilt) == told
    with opened(tmp_path) as dealgraph:
        assert not dealgraph.erasing.carry_out()


def test_signals_that_rest_on_the_person_go_with_their_alerts(tmp_path: Path) -> None:
    told = delivery_story(deals=1, seed=5)
    speakers = {one.actor.native_id for one in told if one.actor.side is Side.CUSTOMER}
    with opened(tmp_path) as dealgraph:
        process(dealgraph, told)
        assert alerts_of(dealgraph)
        source = next(one.source for one in told if one.actor.side is Side.CUSTOMER)
        for id_ in speakers:
            named = id_ if ":" in id_ or "@" in id_ else f"{source}:{id_}"
            ref = NodeRef(NodeKind.CONTACT, f"mail:{named}" if "@" in named else named)
            dealgraph.gate.ask_erasure(ref, NOW - 1, "test")
        dealgraph.erasing.carry_out()
        assert alerts_of(dealgraph) == []
        assert NodeKind.DECISION_SIGNAL not in dealgraph.graph.counts().nodes


def test_what_comes_after_is_taken_in_and_what_came_before_is_not(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, story())
        erase(dealgraph)
        again = dealgraph.gate.publish(of_na())
        assert {receipt.reason for receipt in again} == {Reason.NO_CONSENT}
        process(dealgraph, [message("hello again", session="new")])
        assert traces(tmp_path) == []


def test_a_person_who_consents_anew_is_taken_in_from_then_on(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, story())
        dealgraph.gate.ask_erasure(REF, MONDAY + 9 * MINUTE, "test")
        dealgraph.erasing.carry_out()
        later = mail("I am back.", at=MONDAY + 12 * MINUTE, session="n", actor=NA)
        assert dealgraph.gate.publish([later])[0].reason == Reason.NO_CONSENT
        grant = consent(
            at=MONDAY + 11 * MINUTE,
            subject=NA.native_id,
            channel=Channel.MAIL,
            purpose=Purpose.CAPTURE,
            side=Side.CUSTOMER,
        )
        process(dealgraph, [grant, later])
        # Nothing but capture was granted: it is kept, and nothing is derived from it.
        assert dealgraph.graph.node(REF) is None


def test_dead_letters_and_the_options_they_were_read_with_lose_the_person(tmp_path: Path) -> None:
    raw = b'{"from": "na.li@acme.example", "name": "\\u674e\\u5a1c\\u5a1c"}'
    letter = Rejected("x", "f:1", Reason.WRONG_TYPE, "no", raw, read_with=b"na.li@acme.example")
    other = Rejected("x", "f:2", Reason.WRONG_TYPE, "no", b"somebody else", read_with=b"nobody")
    with opened(tmp_path) as dealgraph:
        process(dealgraph, story())
        dealgraph.gate.publish([letter, other])
        erase(dealgraph)
        assert traces(tmp_path) == []
        assert len(dealgraph.log.read(Topic.DEAD_LETTERS, 0, 9)) == 2
        assert [kept.body for kept in dealgraph.log.read(Topic.OPTIONS, 0, 9)] == [b"nobody"]


_WORKER = """
import signal, sys
from pathlib import Path
from tests.server.test_erasing import REF
from tests.support.dealgraphs import NOW, opened

with opened(Path(sys.argv[1])) as dealgraph:
    dealgraph.gate.ask_erasure(REF, NOW - 1, "test")
    # Nobody handles this signal: the kernel ends the process between two instructions, as kill -9 does.
    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]))
    dealgraph.erasing.carry_out()
"""


@pytest.mark.timeout(120)
def test_kills_at_any_moment_end_in_the_same_graph(tmp_path: Path) -> None:
    with opened(tmp_path / "clean") as dealgraph:
        process(dealgraph, story())
    copytree(tmp_path / "clean", tmp_path / "killed")
    with opened(tmp_path / "clean") as dealgraph:
        erase(dealgraph)
        expected = graph_hash(dealgraph.graph)
    moments = random.Random(3)
    for _ in range(3):
        arguments = [str(tmp_path / "killed"), str(moments.uniform(0.001, 0.15))]
        subprocess.run([sys.executable, "-c", _WORKER, *arguments], check=False, timeout=60)
    with opened(tmp_path / "killed") as dealgraph:
        dealgraph.erasing.carry_out()
        assert traces(tmp_path / "killed") == []
        assert graph_hash(dealgraph.graph) == expected
