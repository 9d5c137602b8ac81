"""What a source states of an id in attributes becomes a merge, once, and can be split."""

from pathlib import Path

import pytest

from dealgraph.graph.hash import graph_hash
from dealgraph.graph.model import NodeKind, NodeRef
from dealgraph.stream.interaction import Entity, Merge
from dealgraph.stream.links import links_of
from tests.support.dealgraphs import opened, process
from tests.support.interactions import MINUTE, MONDAY, field_change, split

LINKED = {"contact_mail": "Li@Acme.example", "contact_phone": "+86 138-0013-8000"}


def test_attributes_that_link_nothing_cost_no_merge() -> None:
    assert links_of(field_change(attributes={"note": "x"})) == []


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"contact_mail": "Li@Acme.example"}, ("003", "mail:Li@Acme.example", Entity.PERSON)),
        ({"contact_phone": "+86 138-0013-8000"}, ("003", "tel:+8613800138000", Entity.PERSON)),
        ({"rep_crm_id": "sf:005"}, ("rep-1", "sf:005", Entity.PERSON)),
        ({"customer_crm_id": "sf-001"}, ("acme", "sf-001", Entity.CUSTOMER)),
        ({"opportunity_crm_id": "sf-006"}, ("deal-1", "sf-006", Entity.OPPORTUNITY)),
    ],
)
def test_an_attribute_names_another_id(
    attributes: dict[str, str], expected: tuple[str, str, Entity]
) -> None:
    (link,) = links_of(field_change(contact="003", attributes=attributes))

    assert isinstance(link.detail, Merge)
    assert (link.detail.native_id, link.detail.other_native_id, link.detail.entity) == expected
    assert link.detail.rule == next(iter(attributes))


@pytest.mark.parametrize(
    "attributes", [{"contact_mail": "nobody"}, {"contact_phone": "138 0013 8000"}, {"rep_mail": ""}]
)
def test_what_is_no_address_and_no_full_number_is_not_guessed(attributes: dict[str, str]) -> None:
    assert links_of(field_change(contact="003", attributes=attributes)) == []


def test_a_link_said_again_is_stored_once_and_a_split_stands_against_it(tmp_path: Path) -> None:
    told = [
        field_change(value=str(n), at=MONDAY + n * MINUTE, contact="003", attributes=LINKED)
        for n in range(3)
    ]
    crm, mail = (NodeRef(NodeKind.CONTACT, id_) for id_ in ("crm:003", "mail:li@acme.example"))
    with opened(tmp_path / "one") as dealgraph:
        process(dealgraph, told[:1])
        assert dealgraph.graph.same_as([crm])[mail] == crm

        process(dealgraph, [split("003", "li@acme.example"), *told[1:]])
        assert dealgraph.graph.same_as([crm]).get(mail) is None
        one = graph_hash(dealgraph.graph)
    with opened(tmp_path / "other") as dealgraph:
        process(dealgraph, [split("003", "li@acme.example"), *reversed(told)])
        assert graph_hash(dealgraph.graph) == one
