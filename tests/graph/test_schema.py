"""Which facts fit the schema."""

import pytest

from dealgraph.graph.model import EdgeKind, NodeKind, NodeRef
from dealgraph.graph.schema import (
    ENDPOINTS,
    IMPLIED_BY_ACTION,
    IMPLIED_BY_SIGNAL,
    IMPLIED_NODES,
    SchemaError,
    check_edge,
    check_node,
)
from tests.support.graph_facts import make_edge


def test_every_kind_of_edge_has_its_ends() -> None:
    assert set(ENDPOINTS) == set(EdgeKind)


@pytest.mark.parametrize("kind", EdgeKind)
def test_an_edge_fits_just_when_its_kind_joins_these_nodes_and_it_may_be_written(
    kind: EdgeKind,
) -> None:
    sources, targets = ENDPOINTS[kind]
    for source in NodeKind:
        for target in NodeKind:
            allowed = (
                source in sources
                and target in targets
                and kind not in IMPLIED_BY_ACTION | IMPLIED_BY_SIGNAL
                and (kind is not EdgeKind.SAME_AS or source is target)
            )
            edge = make_edge(kind, NodeRef(source, "a"), NodeRef(target, "b"))
            if allowed:
                check_edge(edge)
            else:
                with pytest.raises(SchemaError, match=kind.name):
                    check_edge(edge)


@pytest.mark.parametrize("kind", sorted(IMPLIED_NODES))
def test_implied_nodes_are_not_written_by_themselves(kind: NodeKind) -> None:
    with pytest.raises(SchemaError, match=kind.name):
        check_node(NodeRef(kind, "a"))
