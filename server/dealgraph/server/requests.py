"""What many requests have in common: page sizes, times, references to nodes."""

import uuid
from collections.abc import Iterable
from enum import IntEnum
from typing import Final, TypeVar

from dealgraph.api.v1 import graph_service_pb2
from dealgraph.graph.model import NodeKind, NodeRef
from dealgraph.graph.store import NOW
from dealgraph.server.errors import CallError, invalid, not_found

Kind = TypeVar("Kind", bound=IntEnum)

_DEFAULT_PAGE: Final = 50
_LARGEST_PAGE: Final = 1000
_MAX_ID: Final = 1024


def page_size(asked: int) -> int:
    """Return the number of items of a page. Raises CallError when it is negative."""
    if asked < 0:
        raise invalid("page_size", "must not be negative")
    return min(asked or _DEFAULT_PAGE, _LARGEST_PAGE)


def as_of(asked: int) -> int:
    """Return the recorded time to look from. Raises CallError when it is negative."""
    if asked < 0:
        raise invalid("as_of_ms", "must not be negative")
    return asked or NOW


def limit(field: str, asked: int, default: int, largest: int) -> int:
    """Return a number between 1 and `largest`, `default` for 0. Raises CallError for any other."""
    if not 0 <= asked <= largest:
        raise invalid(field, f"must be between 1 and {largest}, or 0 for {default}")
    return asked or default


def node_ref(field: str, asked: graph_service_pb2.NodeRef) -> NodeRef:
    """Return a reference to a node. Raises CallError when kind or id is missing or unknown."""
    key = identifier(f"{field}.id", asked.id)
    try:
        return NodeRef(NodeKind(asked.kind), key)
    except ValueError:
        raise invalid(f"{field}.kind", "is not a kind of node") from None


def window(asked: graph_service_pb2.TimeWindow, field: str = "window") -> tuple[int, int]:
    """Return (since, before) of a span of event time. Raises CallError when it ends before it begins."""
    if asked.since_ms < 0 or asked.before_ms < 0:
        raise invalid(field, "must not hold negative times")
    if asked.before_ms and asked.before_ms <= asked.since_ms:
        raise invalid(f"{field}.before_ms", "must lie after since_ms")
    return asked.since_ms, asked.before_ms


def kinds(field: str, asked: Iterable[int], known: type[Kind]) -> frozenset[Kind] | None:
    """Return a set of kinds, None for all. Raises CallError for a kind that does not exist."""
    found: set[Kind] = set()
    for index, number in enumerate(asked):
        try:
            found.add(known(number))
        except ValueError:
            raise invalid(f"{field}[{index}]", "is not such a kind") from None
    return frozenset(found) or None


def no_node(ref: NodeRef) -> CallError:
    """Return the error of a request for a node that was not known at its time."""
    return not_found("NODE", f"{ref.kind.name}/{ref.id}")


def identifier(field: str, asked: str) -> str:
    """Return an id. Raises CallError when it is missing or longer than any id."""
    if not asked:
        raise invalid(field, "is missing", "MISSING_FIELD")
    if len(asked) > _MAX_ID:
        raise invalid(field, f"may have at most {_MAX_ID} characters")
    return asked


def request_id(asked: str) -> None:
    """Raise CallError when the id of a request is given and no UUID."""
    if not asked:
        return
    try:
        uuid.UUID(asked)
    except ValueError:
        raise invalid("request_id", "must be a UUID") from None


def reused_request() -> CallError:
    """Return the error of a request whose id came before with another body."""
    return invalid("request_id", "was used before with another body", "REQUEST_ID_REUSED")
