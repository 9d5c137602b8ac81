"""Errors of the API as AIP-193 wants them: a code, a reason for machines, and what to do for people.

Services raise `CallError`; the interceptor turns it, and the typed errors of the layers below, into a
status with details. Messages never repeat the words of a request.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from dealgraph.graph.schema import SchemaError
from dealgraph.graph.storage import (
    StorageClosedError,
    StorageCorruptError,
    StorageError,
    StorageFullError,
    StorageLockedError,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

DOMAIN: Final = "dealgraph"
DETAILS_KEY: Final = "grpc-status-details-bin"

_RETRY_SECONDS: Final = 1.0
_DISK_RETRY_SECONDS: Final = 30.0


class CallError(Exception):
    """A call that cannot be answered.

    `violations` are (field, description) pairs, `retry_seconds` tells when to try again, `resource` is
    the (type, name) of something that was not found.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[tuple[str, str]] = (),
        retry_seconds: float | None = None,
        resource: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = metadata or {}
        self.violations = violations
        self.retry_seconds = retry_seconds
        self.resource = resource

    def status(self) -> status_pb2.Status:
        """Return the status with all its details."""
        details: list[Message] = [
            error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata)
        ]
        if self.violations:
            bad = error_details_pb2.BadRequest()
            for field, description in self.violations:
                bad.field_violations.add(field=field, description=description)
            details.append(bad)
        if self.retry_seconds is not None:
            delay = duration_pb2.Duration()
            delay.FromMilliseconds(int(self.retry_seconds * 1000))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        if self.resource is not None:
            kind, name = self.resource
            details.append(error_details_pb2.ResourceInfo(resource_type=kind, resource_name=name))
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status


def invalid(field: str, description: str, reason: str = "INVALID_FIELD") -> CallError:
    """Return the error of a request with a wrong field."""
    return CallError(
        grpc.StatusCode.INVALID_ARGUMENT,
        reason,
        f"{field}: {description}",
        violations=[(field, description)],
    )


def malformed() -> CallError:
    """Return the error of a request whose bytes are not the message that the method takes."""
    return CallError(
        grpc.StatusCode.INVALID_ARGUMENT,
        "MALFORMED_REQUEST",
        "The request is not the message that this method takes: send it as the contract says.",
    )


def too_large(most: int) -> CallError:
    """Return the error of a request of more than `most` bytes."""
    return CallError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "REQUEST_TOO_LARGE",
        f"A request may have {most} bytes. Send fewer items in one.",
        metadata={"max_bytes": str(most)},
    )


def unimplemented() -> CallError:
    """Return the error of a call to a method that no service of this version has."""
    return CallError(
        grpc.StatusCode.UNIMPLEMENTED,
        "UNKNOWN_METHOD",
        "This server has no such method. Server reflection lists those it has; a newer one may know it.",
    )


def not_found(kind: str, name: str) -> CallError:
    """Return the error of a request that names something which does not exist, or not for the caller."""
    return CallError(
        grpc.StatusCode.NOT_FOUND,
        f"{kind.upper()}_NOT_FOUND",
        f"There is no such {kind.lower().replace('_', ' ')}.",
        resource=(kind.lower(), name),
    )


def too_busy(what: str) -> CallError:
    """Return the error of a request that found a queue full."""
    return CallError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "QUEUE_FULL",
        f"Too many {what} are waiting. Try again after the delay given, with growing delays.",
        metadata={"queue": what},
        retry_seconds=_RETRY_SECONDS,
    )


def too_old() -> CallError:
    """Return the error of a resume token whose place is no longer kept."""
    return CallError(
        grpc.StatusCode.OUT_OF_RANGE,
        "RESUME_TOKEN_TOO_OLD",
        "Alerts after this token are no longer kept, or the graph was rebuilt with other rules. "
        "List the alerts, then stream from EARLIEST or LATEST.",
        violations=[("start.resume_token", "is too old")],
    )


def stopping() -> CallError:
    """Return the error of a request that came while the server stops."""
    return CallError(
        grpc.StatusCode.UNAVAILABLE,
        "SERVER_STOPPING",
        "The server is stopping. Connect again; nothing that was acknowledged is lost.",
        retry_seconds=_RETRY_SECONDS,
    )


def check_tenant(asked: str, own: str) -> None:
    """Raise the error for a tenant that this server does not hold.

    It is the same for a tenant that exists elsewhere and one that does not, so nothing leaks.
    """
    if asked and asked != own:
        raise not_found("TENANT", asked)


def from_storage(error: StorageError) -> CallError:
    """Return the error that tells a client of a fault of the storage."""
    if isinstance(error, StorageFullError):
        return CallError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "STORAGE_FULL",
            "The server has no room left to write; nothing of this request was stored. "
            "Its operator must free some space; then send the request again.",
            retry_seconds=_DISK_RETRY_SECONDS,
        )
    if isinstance(error, StorageLockedError):
        return CallError(
            grpc.StatusCode.UNAVAILABLE,
            "STORAGE_LOCKED",
            "The storage is busy. Send the request again.",
            retry_seconds=_RETRY_SECONDS,
        )
    if isinstance(error, StorageClosedError):
        return stopping()
    if isinstance(error, StorageCorruptError):
        return CallError(
            grpc.StatusCode.DATA_LOSS,
            "STORAGE_DAMAGED",
            "The storage is damaged. The operator finds what to do in the server's log and by "
            "`dealgraph doctor`.",
        )
    return CallError(
        grpc.StatusCode.UNAVAILABLE,
        "STORAGE_UNAVAILABLE",
        "The storage does not answer. Send the request again; if that fails, tell the operator.",
        retry_seconds=_RETRY_SECONDS,
    )


def as_call_error(error: Exception) -> CallError | None:
    """Return what a client is told of an error, or None when it is a fault of the server."""
    if isinstance(error, CallError):
        return error
    if isinstance(error, StorageError):
        return from_storage(error)
    if isinstance(error, TimeoutError):
        return CallError(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "DEADLINE_EXCEEDED",
            "The answer took too long. Ask for less: fewer hops, a shorter window, smaller pages.",
        )
    if isinstance(error, SchemaError):
        return CallError(grpc.StatusCode.INVALID_ARGUMENT, "WRONG_EDGE", "No such edge can exist.")
    return None


def internal() -> CallError:
    """Return the error of a fault of the server; it says nothing of the request."""
    return CallError(
        grpc.StatusCode.INTERNAL,
        "INTERNAL",
        "The server failed. The operator finds the place in the server's log.",
    )


def reason_of(status: status_pb2.Status) -> str:
    """Return the reason in a status, "" when there is none."""
    for packed in status.details:
        if packed.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            packed.Unpack(info)
            return str(info.reason)
    return ""
