"""`dealgraph replay`: dead letters come in after a fix, without their files."""

from pathlib import Path

import grpc
import pytest

from dealgraph.api.v1 import graph_service_pb2 as graph
from dealgraph.api.v1 import ingest_service_pb2 as pb
from dealgraph.server.client import Client
from tests.support.command_line import dealgraph
from tests.support.processes import serving

MAPPING = """
source: crm
kind: stage_change
channel: crm
native_id: "{id}"
opportunity: "{deal}"
time: {from: "{at}"}
stage: {from: "{stage}", values: {Offer: proposal}}
"""
LOG = """id,deal,at,stage
1,d1,2026-03-02T09:30:00Z,Offer
2,d1,2026-03-03T09:30:00Z,Won
3,d1,someday,Offer
"""


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_records_come_in_with_a_corrected_mapping_and_the_others_stay(tmp_path: Path) -> None:
    log, mapping = tmp_path / "log.csv", tmp_path / "mapping.yaml"
    log.write_text(LOG)
    mapping.write_text(MAPPING)
    with serving(tmp_path / "data") as server, Client(server.listen) as client:
        done = dealgraph("import", "eventlog", log, "--mapping", mapping, "--target", server.listen)
        assert done.returncode == 3
        log.unlink()
        unchanged = dealgraph("replay", "--target", server.listen)
        assert unchanged.returncode == 3
        assert "came in 0 stayed: BAD_TIMESTAMP" in squeezed(unchanged.stdout)

        mapping.write_text(MAPPING.replace("proposal", "proposal, Won: signed"))
        fixed = dealgraph(
            "replay", "--source", "crm", "--mapping", mapping, "--target", server.listen
        )
        assert fixed.returncode == 3
        assert "came in 1 stayed: BAD_TIMESTAMP" in squeezed(fixed.stdout)
        letters = client.ingest.ListDeadLetters(pb.ListDeadLettersRequest()).dead_letters
        assert sorted((one.reason, one.replayed) for one in letters) == [
            ("BAD_TIMESTAMP", False),
            ("UNKNOWN_VALUE", True),
        ]
        deal = graph.NodeRef(kind=graph.NODE_KIND_OPPORTUNITY, id="d1")
        timeline = client.graph.GetTimeline(graph.GetTimelineRequest(ref=deal))
        assert len(timeline.actions) == 2
        with pytest.raises(grpc.RpcError) as error:  # what no connector encoded
            client.ingest.ReplayDeadLetters(pb.ReplayDeadLettersRequest(read_with=b"{"))
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
