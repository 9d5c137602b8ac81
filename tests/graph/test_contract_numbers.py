"""The nouns of the graph have the names and numbers of the contract."""

from enum import IntEnum
from typing import Any

import pytest

from dealgraph.api.v1 import alert_pb2, graph_service_pb2, interaction_pb2
from dealgraph.graph import model


@pytest.mark.parametrize(
    ("nouns", "contract"),
    [
        (model.NodeKind, graph_service_pb2.NodeKind),
        (model.EdgeKind, graph_service_pb2.EdgeKind),
        (model.Side, interaction_pb2.Side),
        (model.Channel, interaction_pb2.Channel),
        (model.Role, interaction_pb2.Role),
        (model.ActionKind, interaction_pb2.ActionKind),
        (model.Topic, interaction_pb2.Topic),
        (model.Feeling, interaction_pb2.Feeling),
        (model.SignalKind, alert_pb2.SignalKind),
        (model.SignalState, alert_pb2.SignalState),
        (model.Severity, alert_pb2.Severity),
        (model.Level, alert_pb2.Level),
        (model.Polarity, alert_pb2.Polarity),
    ],
)
def test_names_and_numbers_equal_those_of_the_contract(nouns: type[IntEnum], contract: Any) -> None:
    prefix = "".join(f"_{c}" if c.isupper() else c.upper() for c in nouns.__name__)[1:]
    expected = {f"{prefix}_{noun.name}": int(noun) for noun in nouns if noun.name != "UNKNOWN"}
    stated = dict(contract.items())
    assert stated.pop(f"{prefix}_UNSPECIFIED") == 0
    assert stated == expected
