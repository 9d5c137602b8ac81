"""kill -9 at any moment: nothing acknowledged is lost or doubled, and the graph is that of a clean run."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from threading import Timer

import grpc
import pytest
from msgspec.structs import replace

from dealgraph.graph.hash import graph_hash
from dealgraph.graph.model import NodeKind
from dealgraph.server.client import Client
from dealgraph.server.compose import Embedded
from dealgraph.stream import codec
from dealgraph.stream.baselines.record import Baselines, all_baselines
from dealgraph.stream.interaction import Interaction, InteractionKind, action_id
from dealgraph.stream.log import Topic
from tests.support.dealgraphs import alerts_of, opened, process
from tests.support.processes import ServerProcess
from tests.support.stories import delivery_story, long_story

BATCH = 10


def learnt(dealgraph: Embedded) -> list[Baselines]:
    """Return all baselines, whenever they were learnt."""
    return [replace(one, learnt_at=0) for one in all_baselines(dealgraph.log)]


def publish_until_killed(
    server: ServerProcess, batches: Sequence[Sequence[Interaction]], seconds: float
) -> int:
    """Publish batches in order while the server is killed after a time; return how many it acknowledged."""
    killer = Timer(seconds, server.kill)
    acknowledged = 0
    with Client(server.listen, attempts=1) as client:
        killer.start()
        try:
            for batch in batches:
                client.publish([codec.interaction_to_message(one) for one in batch], timeout=10)
                acknowledged += 1
        except grpc.RpcError:
            pass
        finally:
            killer.join()
    return acknowledged


def check_kills(
    directory: Path, interactions: Sequence[Interaction], seed: int, kills: int
) -> None:
    """Kill a server `kills` times at random moments and compare what it holds with a clean one."""
    random = Random(seed)
    batches = [interactions[at : at + BATCH] for at in range(0, len(interactions), BATCH)]
    done = 0
    for _ in range(kills):
        server = ServerProcess(directory / "killed")
        done += publish_until_killed(server, batches[done:], random.uniform(0, 0.4))
    with opened(directory / "killed") as killed, opened(directory / "clean") as clean:
        held = killed.log.find(
            Topic.INTERACTIONS,
            [action_id(one.source, one.native_id) for batch in batches[:done] for one in batch],
        )
        assert len(held) == sum(len(batch) for batch in batches[:done])
        killed.gate.publish(interactions)
        killed.runner.run_to_end()
        process(clean, interactions)
        assert graph_hash(killed.graph) == graph_hash(clean.graph)
        assert learnt(killed) == learnt(clean)
        merges = sum(one.kind is InteractionKind.MERGE for one in interactions)
        assert killed.graph.counts().nodes[NodeKind.ACTION] == len(interactions) - merges
        told = [alert.id for alert in alerts_of(killed)]
        assert told == [alert.id for alert in alerts_of(clean)]
        assert told


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ten_random_kills_leave_the_graph_of_a_clean_run(tmp_path: Path, seed: int) -> None:
    check_kills(tmp_path, delivery_story(deals=150, seed=seed), seed, kills=10)


@pytest.mark.timeout(300)
def test_kills_leave_the_baselines_and_the_graph_of_a_clean_run(tmp_path: Path) -> None:
    story = long_story(weeks=8, deals=5, seed=5)
    check_kills(tmp_path, story, seed=5, kills=5)
    with opened(tmp_path / "clean") as clean:
        assert len(learnt(clean)) > 4


@pytest.mark.long
def test_two_hundred_random_kills_leave_the_graph_of_a_clean_run(tmp_path: Path) -> None:
    check_kills(tmp_path, delivery_story(deals=3000, seed=4), seed=4, kills=200)
