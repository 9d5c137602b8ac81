"""Erasure over gRPC: who is to be erased, how far it has come, and the watch that carries it out."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from msgspec import Struct

from dealgraph.api.v1 import erasure_service_pb2 as pb
from dealgraph.api.v1 import erasure_service_pb2_grpc
from dealgraph.graph.model import NodeRef
from dealgraph.graph.schema import PERSONS
from dealgraph.graph.storage import StorageError
from dealgraph.server import logs, requests
from dealgraph.server.commit_queue import CommitQueue
from dealgraph.server.erasing import Erasing
from dealgraph.server.errors import check_tenant, invalid
from dealgraph.server.hub import Hub
from dealgraph.server.tokens import Tokens
from dealgraph.stream.erasures import Erasure, ErasureState
from dealgraph.stream.identity import person_id
from dealgraph.stream.ingest import Gate
from dealgraph.stream.runner import RunStoppedError

SOURCE: Final = "request"
"""Source of requests that came through this service or the command line."""

_STATES: Final = {
    ErasureState.OPEN: pb.ERASURE_STATE_WAITING,
    ErasureState.PLANNED: pb.ERASURE_STATE_WAITING,
    ErasureState.REDACTED: pb.ERASURE_STATE_REDACTED,
    ErasureState.DONE: pb.ERASURE_STATE_DONE,
}


class ErasureKey(Struct, frozen=True, array_like=True):
    """Where a page of requests begins: after so many."""

    after: int


class ErasureService(erasure_service_pb2_grpc.ErasureServiceServicer):
    """`ErasureService` of the contract. `clock` gives milliseconds since 1970 UTC."""

    def __init__(
        self,
        tenant: str,
        gate: Gate,
        commits: CommitQueue,
        tokens: Tokens,
        clock: Callable[[], int],
    ) -> None:
        self._tenant = tenant
        self._gate = gate
        self._commits = commits
        self._tokens = tokens
        self._clock = clock

    async def RequestErasure(  # noqa: N802 - the contract names it
        self, request: pb.RequestErasureRequest, context: Any
    ) -> pb.RequestErasureResponse:
        """Ask for the erasure of a person."""
        check_tenant(request.tenant, self._tenant)
        person = requests.node_ref("person", request.person)
        if person.kind not in PERSONS:
            raise invalid("person.kind", "must be a contact or a rep")
        named = person_id("", person.id)
        if named.startswith(":"):
            raise invalid("person.id", "must be an id as nodes have it, such as wecom:wmXYZ")
        now = self._clock()
        if not 0 <= request.asked_at_ms <= now:
            raise invalid("asked_at_ms", "must not be negative or in the future")
        asked_at = request.asked_at_ms or now
        ask = partial(self._gate.ask_erasure, NodeRef(person.kind, named), asked_at, SOURCE)
        return pb.RequestErasureResponse(erasure=erasure_message(await self._commits.submit(ask)))

    async def ListErasures(  # noqa: N802
        self, request: pb.ListErasuresRequest, context: Any
    ) -> pb.ListErasuresResponse:
        """List requests, the oldest first."""
        check_tenant(request.tenant, self._tenant)
        size = requests.page_size(request.page_size)
        begin = (self._tokens.page_key(request, ErasureKey) or ErasureKey(0)).after
        found = self._gate.erasures()
        more = len(found) > begin + size
        token = self._tokens.page(request, ErasureKey(begin + size)) if more else ""
        shown = [erasure_message(one) for one in found[begin : begin + size]]
        return pb.ListErasuresResponse(erasures=shown, next_page_token=token)


class ErasureWatch:
    """Carries out what is asked for, beside a running server."""

    def __init__(self, erasing: Erasing, hubs: Sequence[Hub[Any]]) -> None:
        self._erasing = erasing
        self._hubs = hubs

    async def run(self, every_seconds: float) -> None:
        """Carry out what waits, at once and then again and again, until cancelled."""
        while True:
            await self.carry_out()
            await asyncio.sleep(every_seconds)

    async def carry_out(self) -> None:
        """Carry out what waits; what the storage or the end of the server cuts off is done later."""
        try:
            changed = await asyncio.to_thread(self._erasing.carry_out)
        except RunStoppedError:
            return
        except StorageError as error:
            logs.fault("erasure_failed", error)
            return
        if changed:
            for hub in self._hubs:
                await hub.begin_again()
            logs.event("erased")


def erasure_message(erasure: Erasure) -> pb.Erasure:
    """Return a request as the contract shows it."""
    return pb.Erasure(
        id=erasure.id,
        state=_STATES[erasure.state],
        asked_at_ms=erasure.asked_at,
        done_at_ms=erasure.done_at,
        source=erasure.source,
        removed=erasure.counts.removed,
        redacted=erasure.counts.redacted,
        others=erasure.counts.others,
    )
