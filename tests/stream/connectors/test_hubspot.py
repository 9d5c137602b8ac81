"""Webhooks of HubSpot: what is sent again is the same, and a privacy deletion withdraws everything."""

import json
from typing import Any

from dealgraph.graph.model import Channel
from dealgraph.stream.codec import interaction_to_record
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.interaction import (
    ConsentChange,
    Interaction,
    InteractionKind,
    Merge,
    Purpose,
    Recall,
)
from tests.support.files import STARTED, options

EVENT: dict[str, Any] = {
    "eventId": 1, "subscriptionId": 2, "portalId": 3, "appId": 4, "occurredAt": STARTED,
    "subscriptionType": "deal.propertyChange", "attemptNumber": 0, "objectId": 5,
    "changeSource": "CRM", "sourceId": "userId:6", "propertyName": "amount", "propertyValue": "7",
}  # fmt: skip


def read(**fields: Any) -> list[Interaction]:
    found = connector("hubspot").parse_record(
        json.dumps([{**EVENT, **fields}]).encode(), "x:1", options()
    )
    items = [item for item in found if isinstance(item, Interaction)]
    assert items == found
    return items


def test_an_event_that_is_sent_again_is_the_same() -> None:
    (first,), (again,) = read(), read(eventId=9, attemptNumber=4)
    assert first.native_id == again.native_id
    assert interaction_to_record(first)[0] == interaction_to_record(again)[0]


def test_another_value_at_the_same_time_is_another_event() -> None:
    (first,), (other,) = read(), read(propertyValue="8")
    assert first.native_id != other.native_id


def test_a_privacy_deletion_withdraws_each_consent_and_asks_for_erasure() -> None:
    *withdrawn, asked = read(subscriptionType="contact.privacyDeletion")
    changes = [item.detail for item in withdrawn]
    assert changes == [
        ConsentChange("hubspot:5", channel, purpose, False)
        for channel in Channel
        for purpose in Purpose
    ]
    assert (asked.kind, asked.detail) == (InteractionKind.DELETE, Recall("hubspot:5"))
    assert asked.attributes["request"] == "erasure"


def test_merged_contacts_are_one_person() -> None:
    merge = {"primaryObjectId": 1, "mergedObjectIds": [2], "newObjectId": 3}
    details = [item.detail for item in read(subscriptionType="contact.merge", **merge)]
    assert [(one.native_id, one.other_native_id) for one in details if isinstance(one, Merge)] == [
        ("hubspot:3", "hubspot:1"),
        ("hubspot:3", "hubspot:2"),
    ]


def test_the_value_of_a_sensitive_property_is_not_kept() -> None:
    (item,) = read(isSensitive=True, propertyValue="diagnosis")
    assert "diagnosis" not in repr(item)
    assert item.attributes["withheld"] == "sensitive"


def test_an_id_that_a_relay_wrote_as_a_fraction_is_the_same_id() -> None:
    (one,), (other,) = read(objectId=5), read(objectId=5.0)
    assert (one.native_id, one.opportunity) == (other.native_id, other.opportunity)
