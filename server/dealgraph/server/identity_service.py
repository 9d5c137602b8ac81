"""Who is who over gRPC: proposals, and what a curator decides about them, each an event in the log."""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import grpc
from msgspec import Struct

from dealgraph.api.v1 import identity_service_pb2 as pb
from dealgraph.api.v1 import identity_service_pb2_grpc
from dealgraph.graph.model import Channel, EdgeKind, NodeKind, NodeRef, Side
from dealgraph.graph.schema import JOINABLE
from dealgraph.graph.store import EdgeQuery, GraphStore
from dealgraph.server import requests
from dealgraph.server.commit_queue import CommitQueue
from dealgraph.server.errors import CallError, check_tenant, invalid
from dealgraph.server.graph_messages import edge, node_ref
from dealgraph.server.interceptor import seconds_left
from dealgraph.server.proposals import ProposalBook
from dealgraph.server.readers import Readers
from dealgraph.server.tokens import Tokens
from dealgraph.stream import links
from dealgraph.stream.identity import Identities
from dealgraph.stream.ingest import Gate, Outcome, RequestReusedError
from dealgraph.stream.interaction import (
    Entity,
    Interaction,
    InteractionKind,
    Merge,
    Person,
    Split,
)
from dealgraph.stream.matching import Proposal

_MAX_WORDS: Final = 2000
_RULE: Final = "curator"
_SIDES: Final = {NodeKind.CONTACT: Side.CUSTOMER, NodeKind.REP: Side.REP}
_ENTITIES: Final = {
    NodeKind.CUSTOMER: Entity.CUSTOMER,
    NodeKind.OPPORTUNITY: Entity.OPPORTUNITY,
}

_Change = pb.MergeRequest | pb.SplitRequest | pb.RejectProposalRequest
_Statement = tuple[type[Merge] | type[Split], NodeRef, NodeRef]


class ProposalKey(Struct, frozen=True, array_like=True):
    """Where a page of proposals begins: after the one with this score and these ids."""

    score: float
    one: NodeRef
    other: NodeRef


class IdentityService(identity_service_pb2_grpc.IdentityServiceServicer):
    """`IdentityService` of the contract. `clock` gives milliseconds since 1970 UTC."""

    def __init__(
        self,
        tenant: str,
        gate: Gate,
        graph: GraphStore,
        proposals: ProposalBook,
        commits: CommitQueue,
        readers: Readers,
        tokens: Tokens,
        clock: Callable[[], int],
        deadline_seconds: float,
    ) -> None:
        self._tenant = tenant
        self._gate = gate
        self._graph = graph
        self._proposals = proposals
        self._commits = commits
        self._readers = readers
        self._tokens = tokens
        self._clock = clock
        self._deadline_seconds = deadline_seconds

    async def ListProposals(  # noqa: N802 - the contract names it
        self, request: pb.ListProposalsRequest, context: Any
    ) -> pb.ListProposalsResponse:
        """List pairs of ids that seem to be one, the surest first."""
        check_tenant(request.tenant, self._tenant)
        kinds = requests.kinds("kinds", request.kinds, NodeKind)
        if not 0 <= request.min_score <= 1:
            raise invalid("min_score", "lies between 0 and 1")
        size = requests.page_size(request.page_size)
        key = self._tokens.page_key(request, ProposalKey)
        after = (-key.score, key.one, key.other) if key else None
        seconds = seconds_left(context, self._deadline_seconds)
        found = await self._readers.run(self._proposals.read, seconds)
        fitting = [
            proposal
            for proposal in found.items
            if (kinds is None or proposal.one.ref.kind in kinds)
            and proposal.score >= request.min_score
            and (after is None or _order(proposal) > after)
        ]
        shown, token = fitting[:size], ""
        if len(fitting) > size:
            last = shown[-1]
            token = self._tokens.page(
                request, ProposalKey(last.score, last.one.ref, last.other.ref)
            )
        return pb.ListProposalsResponse(
            proposals=[_message(proposal) for proposal in shown],
            next_page_token=token,
            truncated=found.truncated,
        )

    async def GetIdentity(  # noqa: N802
        self, request: pb.GetIdentityRequest, context: Any
    ) -> pb.GetIdentityResponse:
        """Get all ids that are one with an id, and on what that rests."""
        check_tenant(request.tenant, self._tenant)
        ref = _joinable("ref", requests.node_ref("ref", request.ref))
        as_of = requests.as_of(request.as_of_ms)

        def read() -> pb.GetIdentityResponse:
            if self._graph.node(ref, as_of) is None:
                raise requests.no_node(ref)
            ids = sorted(self._graph.same_as([ref], as_of))
            query = EdgeQuery(edge_kinds=frozenset({EdgeKind.SAME_AS}), as_of=as_of)
            return pb.GetIdentityResponse(
                ids=map(node_ref, ids), edges=map(edge, self._graph.edges(ids, query))
            )

        return await self._readers.run(read, seconds_left(context, self._deadline_seconds))

    async def Merge(  # noqa: N802
        self, request: pb.MergeRequest, context: Any
    ) -> pb.MergeResponse:
        """Say that two ids are one."""
        one, other = await self._pair(request, context)

        def state(_identities: Identities) -> list[_Statement]:
            return [(Merge, one, other)]

        ids = await self._decide(request, one, state)
        return pb.MergeResponse(ids=[node_ref(ref) for ref in sorted(ids)])

    async def Split(  # noqa: N802
        self, request: pb.SplitRequest, context: Any
    ) -> pb.SplitResponse:
        """Say that an id is none of those it was merged with; those stay together."""
        self._check(request)
        ref = _joinable("ref", requests.node_ref("ref", request.ref))
        others: list[NodeRef] = []

        def state(identities: Identities) -> list[_Statement]:
            groups = identities.without(ref)
            if not groups:
                raise _not_merged()
            others.extend(sorted(identities.members(ref) - {ref}))
            parted: list[_Statement] = [
                (Split, min(ref, near), max(ref, near)) for near in identities.joined_with(ref)
            ]
            first = min(groups[0])
            return parted + [(Merge, first, min(group)) for group in groups[1:]]

        await self._decide(request, ref, state)
        return pb.SplitResponse(others=[node_ref(other) for other in others])

    async def RejectProposal(  # noqa: N802
        self, request: pb.RejectProposalRequest, context: Any
    ) -> pb.RejectProposalResponse:
        """Say that two ids of a proposal are not one."""
        one, other = await self._pair(request, context)

        def state(identities: Identities) -> list[_Statement]:
            if identities.canonical(one) == identities.canonical(other):
                raise _merged()
            return [(Split, one, other)]

        await self._decide(request, one, state)
        return pb.RejectProposalResponse()

    async def _pair(
        self, request: pb.MergeRequest | pb.RejectProposalRequest, context: Any
    ) -> tuple[NodeRef, NodeRef]:
        self._check(request)
        one = _joinable("one", requests.node_ref("one", request.one))
        other = _joinable("other", requests.node_ref("other", request.other))
        if one == other or one.kind is not other.kind:
            raise invalid("other", "must be another id of the same kind as `one`")

        def demand() -> None:
            for ref in (one, other):
                if self._graph.node(ref) is None:
                    raise requests.no_node(ref)

        await self._readers.run(demand, seconds_left(context, self._deadline_seconds))
        return (one, other) if one < other else (other, one)

    def _check(self, request: _Change) -> None:
        check_tenant(request.tenant, self._tenant)
        requests.request_id(request.request_id)
        for name in ("by", "reason"):
            if len(getattr(request, name)) > _MAX_WORDS:
                raise invalid(name, f"may have at most {_MAX_WORDS} characters")

    async def _decide(
        self,
        request: _Change,
        ref: NodeRef,
        state: Callable[[Identities], Sequence[_Statement]],
    ) -> frozenset[NodeRef]:
        """Publish what follows from a decision and return the ids that are one with `ref` after it."""
        return await self._commits.submit(partial(self._publish, request, ref, state))

    def _publish(
        self,
        request: _Change,
        ref: NodeRef,
        state: Callable[[Identities], Sequence[_Statement]],
    ) -> frozenset[NodeRef]:
        name = request.request_id or str(uuid.uuid4())
        with self._gate.deciding() as identities:
            try:
                answered = self._gate.answered(name, _digest(request))
            except RequestReusedError:
                raise requests.reused_request() from None
            if not answered:
                items = [
                    self._event(request, identities, f"{name}/{number}", statement)
                    for number, statement in enumerate(state(identities))
                ]
                for receipt in self._gate.publish_once(name, _digest(request), items):
                    if receipt.outcome is Outcome.REJECTED:
                        raise invalid("ref", receipt.detail)
            return identities.members(ref)

    def _event(
        self, request: _Change, identities: Identities, native_id: str, statement: _Statement
    ) -> Interaction:
        change, one, other = statement
        side = _SIDES.get(one.kind, Side.UNKNOWN)
        entity = _ENTITIES.get(one.kind, Entity.PERSON)
        merged = change is Merge
        # Later than all that was said of the pair, also within a millisecond or by a clock ahead.
        at = max(self._clock(), identities.stated_at(one, other) + 1)
        return Interaction(
            source=links.SOURCE,
            native_id=native_id,
            kind=InteractionKind.MERGE if merged else InteractionKind.SPLIT,
            channel=Channel.CRM,
            occurred_at=at,
            actor=Person(Side.SYSTEM),
            attributes={
                name: value for name in ("by", "reason") if (value := getattr(request, name))
            },
            detail=(
                Merge(one.id, other.id, side, entity, 1.0, _RULE)
                if merged
                else Split(one.id, other.id, side, entity, _RULE)
            ),
        )


def _digest(request: _Change) -> bytes:
    body = type(request)()
    body.CopyFrom(request)  # type: ignore[arg-type]  # it is of the same type
    body.ClearField("request_id")
    name = type(request).__name__.encode()
    return hashlib.sha256(name + body.SerializeToString(deterministic=True)).digest()


def _order(proposal: Proposal) -> tuple[float, NodeRef, NodeRef]:
    return (-proposal.score, proposal.one.ref, proposal.other.ref)


def _message(proposal: Proposal) -> pb.Proposal:
    one, other = proposal.one, proposal.other
    return pb.Proposal(
        one=node_ref(one.ref),
        other=node_ref(other.ref),
        score=proposal.score,
        reasons=[pb.MatchReason(name=name, weight=value) for name, value in proposal.reasons],
        one_name=one.names[0] if one.names else "",
        other_name=other.names[0] if other.names else "",
    )


def _joinable(field: str, ref: NodeRef) -> NodeRef:
    if ref.kind not in JOINABLE:
        raise invalid(f"{field}.kind", "must be a customer, contact, rep or opportunity")
    return ref


def _not_merged() -> CallError:
    return CallError(
        grpc.StatusCode.FAILED_PRECONDITION,
        "NOT_MERGED",
        "This id is merged with no other: there is nothing to split.",
    )


def _merged() -> CallError:
    return CallError(
        grpc.StatusCode.FAILED_PRECONDITION,
        "MERGED",
        "The two ids are merged: call Split to part them.",
    )
