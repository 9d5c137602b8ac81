"""CloudEvents 1.0 over HTTP: the binary form made structured. Pure: headers and body are arguments."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from dealgraph.stream.connectors.raw import RecordError, decode_json
from dealgraph.stream.interaction import Reason

_PREFIX: Final = "ce-"
_STRUCTURED: Final = "application/cloudevents"


def is_cloud_event(headers: Mapping[str, str]) -> bool:
    """Say whether a request is a CloudEvent, structured, batched or binary."""
    names = {name.lower(): value for name, value in headers.items()}
    return names.get("content-type", "").lower().startswith(_STRUCTURED) or "ce-id" in names


def cloud_events(headers: Mapping[str, str], body: bytes) -> list[Any]:
    """Return the events of a request in the structured form. Raises RecordError.

    In the binary form the context stands in headers `ce-…`, percent-encoded, and the body is the data.
    """
    names = {name.lower(): value for name, value in headers.items()}
    value = decode_json(body)
    if names.get("content-type", "").lower().startswith(_STRUCTURED):
        return value if isinstance(value, list) else [value]
    context = {
        name.removeprefix(_PREFIX): unquote(stated)
        for name, stated in names.items()
        if name.startswith(_PREFIX)
    }
    if "id" not in context or "specversion" not in context:
        raise RecordError(Reason.MISSING_FIELD, "no CloudEvent: ce-id or ce-specversion is missing")
    return [{**context, "data": value}]
