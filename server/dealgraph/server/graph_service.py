"""Questions about the graph over gRPC, each as of a time; reads run beside the event loop."""

from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Final, TypeVar

from msgspec import Struct

from dealgraph.api.v1 import graph_service_pb2 as pb
from dealgraph.api.v1 import graph_service_pb2_grpc
from dealgraph.graph import queries
from dealgraph.graph.model import EdgeKind, NodeKind, NodeRef
from dealgraph.graph.store import GraphStore, TimelineQuery
from dealgraph.server import graph_messages, requests
from dealgraph.server.errors import check_tenant, invalid
from dealgraph.server.interceptor import seconds_left
from dealgraph.server.readers import Readers
from dealgraph.server.timelines import Timelines
from dealgraph.server.tokens import Tokens

_MOST_HOPS: Final = 4
_MOST_NODES: Final = 10_000
_PIECE: Final = 500
_PIECE_SECONDS: Final = 30.0

Answer = TypeVar("Answer")


class TimelineKey(Struct, frozen=True, array_like=True):
    """Where a page of a timeline begins, and the recorded time that the first page fixed."""

    at: int
    id: str
    as_of: int


class GraphService(graph_service_pb2_grpc.GraphServiceServicer):
    """`GraphService` of the contract; a read without a deadline has `deadline_seconds`."""

    def __init__(
        self,
        tenant: str,
        graph: GraphStore,
        timelines: Timelines,
        readers: Readers,
        tokens: Tokens,
        deadline_seconds: float,
    ) -> None:
        self._tenant = tenant
        self._graph = graph
        self._timelines = timelines
        self._readers = readers
        self._tokens = tokens
        self._deadline_seconds = deadline_seconds

    async def GetNode(  # noqa: N802 - the contract names it
        self, request: pb.GetNodeRequest, context: Any
    ) -> pb.GetNodeResponse:
        """Get one node, and the other ids of the same person."""
        check_tenant(request.tenant, self._tenant)
        ref = requests.node_ref("ref", request.ref)
        as_of = requests.as_of(request.as_of_ms)

        def read() -> pb.GetNodeResponse:
            found = self._graph.node(ref, as_of)
            if found is None:
                raise requests.no_node(ref)
            others = queries.other_ids(self._graph, ref, as_of)
            return pb.GetNodeResponse(
                node=graph_messages.node(found),
                same_as=[graph_messages.node_ref(other) for other in others],
            )

        return await self._read(read, context)

    async def GetNeighborhood(  # noqa: N802
        self, request: pb.GetNeighborhoodRequest, context: Any
    ) -> pb.GetNeighborhoodResponse:
        """Get what lies within a few steps of a node."""
        check_tenant(request.tenant, self._tenant)
        ref = requests.node_ref("ref", request.ref)
        since, before = requests.window(request.window)
        query = queries.NeighborhoodQuery(
            hops=requests.limit("hops", request.hops, 2, _MOST_HOPS),
            since=since,
            before=before,
            node_limit=requests.limit("node_limit", request.node_limit, 100, _MOST_NODES),
            node_kinds=requests.kinds("node_kinds", request.node_kinds, NodeKind),
            edge_kinds=requests.kinds("edge_kinds", request.edge_kinds, EdgeKind),
            as_of=requests.as_of(request.as_of_ms),
        )

        def read() -> pb.GetNeighborhoodResponse:
            found = queries.neighborhood(self._graph, ref, query)
            if found is None:
                raise requests.no_node(ref)
            return graph_messages.neighborhood(found)

        return await self._read(read, context)

    async def GetTimeline(  # noqa: N802
        self, request: pb.GetTimelineRequest, context: Any
    ) -> pb.GetTimelineResponse:
        """Get actions in order of time; all pages show what was known at the first."""
        check_tenant(request.tenant, self._tenant)
        ref = requests.node_ref("ref", request.ref)
        if ref.kind not in (NodeKind.OPPORTUNITY, NodeKind.SESSION):
            raise invalid("ref.kind", "must be an opportunity or a session")
        since, before = requests.window(request.window)
        size = requests.page_size(request.page_size)
        key = self._tokens.page_key(request, TimelineKey)
        asked_as_of = requests.as_of(request.as_of_ms)

        def read() -> pb.GetTimelineResponse:
            as_of = key.as_of if key else min(asked_as_of, self._timelines.snapshot())
            query = TimelineQuery(
                since=since,
                before=before,
                after=(key.at, key.id) if key else None,
                newest_first=request.newest_first,
                limit=size + 1,
                as_of=as_of,
            )
            actions = queries.merged_timeline(self._graph, ref, query)
            if not actions and not key:
                self._demand(ref, as_of)
            shown, token = actions[:size], ""
            if len(actions) > size:
                last = TimelineKey(shown[-1].at, shown[-1].id, as_of)
                token = self._tokens.page(request, last)
            return pb.GetTimelineResponse(
                actions=self._timelines.tagged(shown, as_of), next_page_token=token
            )

        return await self._read(read, context)

    async def ListBuyingCommittee(  # noqa: N802
        self, request: pb.ListBuyingCommitteeRequest, context: Any
    ) -> pb.ListBuyingCommitteeResponse:
        """List the customer's people in an opportunity."""
        check_tenant(request.tenant, self._tenant)
        if not request.opportunity_id:
            raise invalid("opportunity_id", "is missing", "MISSING_FIELD")
        opportunity, as_of = request.opportunity_id, requests.as_of(request.as_of_ms)

        def read() -> pb.ListBuyingCommitteeResponse:
            members = self._graph.committee(opportunity, as_of)
            if not members:
                self._demand(NodeRef(NodeKind.OPPORTUNITY, opportunity), as_of)
            return pb.ListBuyingCommitteeResponse(
                members=[graph_messages.committee_member(member) for member in members]
            )

        return await self._read(read, context)

    async def FindPaths(  # noqa: N802
        self, request: pb.FindPathsRequest, context: Any
    ) -> pb.FindPathsResponse:
        """Find the shortest paths between two nodes."""
        check_tenant(request.tenant, self._tenant)
        source = requests.node_ref("source", request.source)
        target = requests.node_ref("target", request.target)
        hops = requests.limit("max_hops", request.max_hops, 4, 6)
        most = requests.limit("max_paths", request.max_paths, 5, 100)
        as_of = requests.as_of(request.as_of_ms)

        def read() -> pb.FindPathsResponse:
            for ref in (source, target):
                self._demand(ref, as_of)
            found = queries.find_paths(
                self._graph, source, target, max_hops=hops, max_paths=most, as_of=as_of
            )
            return pb.FindPathsResponse(
                paths=[graph_messages.path(path) for path in found.paths],
                truncated=found.truncated,
            )

        return await self._read(read, context)

    async def ExportSubgraph(  # noqa: N802
        self, request: pb.ExportSubgraphRequest, context: Any
    ) -> AsyncIterator[pb.ExportSubgraphResponse]:
        """Stream a part of the graph, or all of it: nodes, then edges, in pieces."""
        check_tenant(request.tenant, self._tenant)
        ref = requests.node_ref("ref", request.ref) if request.HasField("ref") else None
        hops = requests.limit("hops", request.hops, 2, _MOST_HOPS)
        most = requests.limit("node_limit", request.node_limit, 2000, _MOST_NODES)
        asked = requests.as_of(request.as_of_ms)

        def pieces() -> Generator[pb.ExportSubgraphResponse]:
            as_of = min(asked, self._timelines.snapshot())
            if ref is not None:
                self._demand(ref, as_of)
            query = queries.NeighborhoodQuery(hops=hops, node_limit=most, as_of=as_of)
            facts = queries.export(self._graph, ref, query)
            yield from graph_messages.pieces(facts, _PIECE)

        left = pieces()
        try:
            while piece := await self._readers.run(lambda: next(left, None), _PIECE_SECONDS):
                yield piece
        finally:
            left.close()  # lets go of what the store holds for the scan

    async def _read(self, read: Callable[[], Answer], context: Any) -> Answer:
        return await self._readers.run(read, seconds_left(context, self._deadline_seconds))

    def _demand(self, ref: NodeRef, as_of: int) -> None:
        if self._graph.node(ref, as_of) is None:
            raise requests.no_node(ref)
