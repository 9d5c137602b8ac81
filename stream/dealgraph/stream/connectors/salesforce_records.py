"""Whole records of Salesforce, as its REST API answers: they say that a dirty record was fetched again.

A record with `fetched_at` beside its fields holds from then on; one without is as of the end of the second of
its SystemModstamp. All its fields are stated anew, and `sync_state` clean.
"""

from collections.abc import Mapping
from typing import Any, Final

from dealgraph.graph.model import Side
from dealgraph.stream.connectors.crm_records import CLEAN, SYNC_STATE, CrmRecord
from dealgraph.stream.connectors.json_fields import text_of
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.salesforce_activities import moment
from dealgraph.stream.connectors.salesforce_values import stated_values
from dealgraph.stream.interaction import Interaction, Person, Provenance, Reason

_NAME: Final = "salesforce"
_SECOND: Final = 1_000
_FETCHED: Final = "fetched_at"
_NO_FIELDS: Final = frozenset(
    {"attributes", "Id", _FETCHED, "LastViewedDate", "LastReferencedDate"}
)


def is_record(value: Mapping[str, Any]) -> bool:
    """Say whether a value is a record of the REST API."""
    attributes = value.get("attributes")
    return isinstance(attributes, dict) and "type" in attributes and "Id" in value


def refetched(value: Mapping[str, Any], origin: Provenance) -> list[Interaction]:
    """Return that a record is clean, and what its fields hold. Raises RecordError."""
    entity, id_ = text_of(value["attributes"], "type"), text_of(value, "Id")
    if not entity or not id_:
        raise RecordError(Reason.MISSING_ID, "attributes.type or Id is empty")
    at = _known_at(value)
    account, known = text_of(value, "AccountId"), f"{_NAME}:{id_}"
    record = CrmRecord(
        source=_NAME,
        key=f"fetched/{id_}/{at}",
        entity=entity,
        id=id_,
        at=at,
        actor=Person(Side.SYSTEM),
        opportunity=known if entity == "Opportunity" else "",
        customer=known if entity == "Account" else f"{_NAME}:{account}" if account else "",
        contact=known if entity == "Contact" else "",
    )
    fields = {name: stated for name, stated in value.items() if name not in _NO_FIELDS}
    found = [record.field(SYNC_STATE, CLEAN, origin)]
    for name, stated in stated_values(fields).items():
        if entity == "Opportunity" and name == "StageName" and stated:
            found.append(record.stage(stated, origin))
        else:
            found.append(record.field(name, stated, origin))
    return found


def _known_at(value: Mapping[str, Any]) -> int:
    fetched = text_of(value, _FETCHED)
    if fetched:
        return moment(fetched)
    stamp = text_of(value, "SystemModstamp") or text_of(value, "LastModifiedDate")
    if not stamp:
        raise RecordError(
            Reason.BAD_TIMESTAMP, f"neither {_FETCHED} nor SystemModstamp says when it held"
        )
    return moment(stamp) // _SECOND * _SECOND + _SECOND - 1
