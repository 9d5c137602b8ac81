"""Alerts over gRPC: streams that can be resumed without loss, lists, and what people decide."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec import Struct

from dealgraph.api.v1 import alert_service_pb2, alert_service_pb2_grpc
from dealgraph.server.alert_desk import AlertDesk
from dealgraph.server.alert_list import AlertList, Listing
from dealgraph.server.alert_messages import AlertMessages, snooze_message, wanted
from dealgraph.server.credits import Credits
from dealgraph.server.errors import check_tenant, invalid
from dealgraph.server.hub import Beat, Entry, Gap, Hub
from dealgraph.server.interceptor import seconds_left
from dealgraph.server.requests import as_of, page_size, request_id
from dealgraph.server.resuming import Resuming
from dealgraph.server.snoozes import Snoozes
from dealgraph.server.tokens import ResumePoint, Tokens
from dealgraph.stream.alerts import Alert

Streamed = Entry[Alert] | Gap | Beat


class AlertStreams(Struct, frozen=True):
    """How alert streams behave: seconds between heartbeats, and for a list without deadline."""

    heartbeat_seconds: float
    deadline_seconds: float


class AlertService(alert_service_pb2_grpc.AlertServiceServicer):
    """`AlertService` of the contract. `clock` gives milliseconds since 1970 UTC."""

    def __init__(
        self,
        tenant: str,
        hub: Hub[Alert],
        alerts: AlertList,
        desk: AlertDesk,
        snoozes: Snoozes,
        messages: AlertMessages,
        tokens: Tokens,
        clock: Callable[[], int],
        streams: AlertStreams,
    ) -> None:
        self._tenant = tenant
        self._hub = hub
        self._alerts = alerts
        self._desk = desk
        self._snoozes = snoozes
        self._messages = messages
        self._tokens = tokens
        self._resuming = Resuming(hub, tokens, clock)
        self._streams = streams

    async def StreamAlerts(  # noqa: N802 - the contract names it
        self, request: alert_service_pb2.StreamAlertsRequest, context: Any
    ) -> AsyncIterator[alert_service_pb2.StreamAlertsResponse]:
        """Stream alerts from a start point on, with heartbeats."""
        check_tenant(request.tenant, self._tenant)
        _, items = await self._follow(request)
        async for item in items:
            yield alert_service_pb2.StreamAlertsResponse(**self._content(item))

    async def PullAlerts(  # noqa: N802
        self, request_iterator: AsyncIterator[alert_service_pb2.PullAlertsRequest], context: Any
    ) -> AsyncIterator[alert_service_pb2.PullAlertsResponse]:
        """Stream alerts at the pace the client grants by credits."""
        request = await anext(request_iterator, None)
        if request is None:
            raise invalid("start", "is missing: the first request opens the stream")
        check_tenant(request.tenant, self._tenant)
        start, items = await self._follow(request)
        async with Credits(request.credits, request_iterator) as credits:
            async for item, left in credits.spend(items, start, self._streams.heartbeat_seconds):
                yield alert_service_pb2.PullAlertsResponse(**self._content(item), credits_left=left)

    async def ListAlerts(  # noqa: N802
        self, request: alert_service_pb2.ListAlertsRequest, context: Any
    ) -> alert_service_pb2.ListAlertsResponse:
        """List alerts, newest first, in pages."""
        check_tenant(request.tenant, self._tenant)
        key = self._tokens.page_key(request, Listing)
        if key is None:
            await self._hub.catch_up()
            key = Listing(self._hub.newest.offset + 1)
        found, following = await self._alerts.page(
            key,
            page_size(request.page_size),
            wanted(request.filter),
            as_of(request.as_of_ms),
            seconds_left(context, self._streams.deadline_seconds),
        )
        return alert_service_pb2.ListAlertsResponse(
            alerts=[self._messages.alert(entry) for entry in found],
            next_page_token=self._tokens.page(request, following) if following else "",
        )

    async def AcknowledgeAlert(  # noqa: N802
        self, request: alert_service_pb2.AcknowledgeAlertRequest, context: Any
    ) -> alert_service_pb2.AcknowledgeAlertResponse:
        """Note that somebody takes care of an alert."""
        check_tenant(request.tenant, self._tenant)
        entry = await self._desk.acknowledge(request.alert_id, request.by)
        return alert_service_pb2.AcknowledgeAlertResponse(alert=self._messages.alert(entry))

    async def DismissAlert(  # noqa: N802
        self, request: alert_service_pb2.DismissAlertRequest, context: Any
    ) -> alert_service_pb2.DismissAlertResponse:
        """Note that an alert is not useful, and why."""
        check_tenant(request.tenant, self._tenant)
        entry = await self._desk.dismiss(
            request.alert_id, request.by, request.reason, int(request.reason_class)
        )
        return alert_service_pb2.DismissAlertResponse(alert=self._messages.alert(entry))

    async def SnoozeAlerts(  # noqa: N802
        self, request: alert_service_pb2.SnoozeAlertsRequest, context: Any
    ) -> alert_service_pb2.SnoozeAlertsResponse:
        """Hold back alerts of a kind from a rep's streams, for a session or for a while."""
        check_tenant(request.tenant, self._tenant)
        request_id(request.request_id)
        extent = request.WhichOneof("extent")
        if extent is None or (extent == "session_id" and not request.session_id):
            raise invalid("extent", "is missing: name a session or minutes", "MISSING_FIELD")
        snooze = await self._desk.snooze(
            request.rep_id,
            int(request.kind),
            request.session_id,
            request.minutes,
            request.by,
            request.request_id,
        )
        return alert_service_pb2.SnoozeAlertsResponse(snooze=snooze_message(snooze))

    async def GetAlertCounts(  # noqa: N802
        self, request: alert_service_pb2.GetAlertCountsRequest, context: Any
    ) -> alert_service_pb2.GetAlertCountsResponse:
        """Count what people decided about alerts, by kind."""
        check_tenant(request.tenant, self._tenant)
        return alert_service_pb2.GetAlertCountsResponse(counts=self._desk.counts())

    async def _follow(
        self,
        request: alert_service_pb2.StreamAlertsRequest | alert_service_pb2.PullAlertsRequest,
    ) -> tuple[ResumePoint, AsyncIterator[Streamed]]:
        test = self._shown(request.filter)
        start = await self._resuming.start(request.start)
        return start, self._hub.follow(start, test, self._streams.heartbeat_seconds)

    def _shown(self, asked: alert_service_pb2.AlertFilter) -> Callable[[Alert], bool]:
        """Return the test for a stream: one that names reps or sessions is a rep's own."""
        test, held_back = wanted(asked), self._snoozes.hold_back
        if asked.include_snoozed or not (asked.rep_ids or asked.session_ids):
            return test
        return lambda alert: test(alert) and not held_back(alert)

    def _content(self, item: Streamed) -> dict[str, Any]:
        if isinstance(item, Entry):
            return {"alert": self._messages.alert(item)}
        if isinstance(item, Gap):
            return {"gap": self._resuming.gap(item)}
        return {"heartbeat": self._resuming.heartbeat(item.point)}
