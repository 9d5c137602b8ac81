"""Reports over gRPC: how much of what happened was captured."""

from typing import Any

from dealgraph.api.v1 import report_service_pb2 as pb
from dealgraph.api.v1 import report_service_pb2_grpc
from dealgraph.server import requests
from dealgraph.server.capture_book import CaptureBook, CaptureReport
from dealgraph.server.errors import check_tenant, invalid
from dealgraph.server.interceptor import seconds_left
from dealgraph.server.readers import Readers
from dealgraph.stream.capture import TRACEABLE_BAR, Dimension, Row
from dealgraph.stream.clocks import Trust


class ReportService(report_service_pb2_grpc.ReportServiceServicer):
    """`ReportService` of the contract."""

    def __init__(
        self, tenant: str, captures: CaptureBook, readers: Readers, deadline_seconds: float
    ) -> None:
        self._tenant = tenant
        self._captures = captures
        self._readers = readers
        self._deadline_seconds = deadline_seconds

    async def GetCaptureQuality(  # noqa: N802 - the contract names it
        self, request: pb.GetCaptureQualityRequest, context: Any
    ) -> pb.GetCaptureQualityResponse:
        """Get how much of what happened was captured, per rep, team and source."""
        check_tenant(request.tenant, self._tenant)
        since, before = request.since_ms, request.before_ms
        if since < 0 or before < 0:
            raise invalid("since_ms", "must not be negative")
        if before and before <= since:
            raise invalid("before_ms", "must lie after since_ms")
        dimensions = requests.kinds("dimensions", request.dimensions, Dimension)
        report = await self._readers.run(
            lambda: self._captures.report(since, before),
            seconds_left(context, self._deadline_seconds),
        )
        return capture_message(report, dimensions)


def capture_message(
    report: CaptureReport, dimensions: frozenset[Dimension] | None = None
) -> pb.GetCaptureQualityResponse:
    """Return a report as the contract shows it, with rows of these dimensions (None: all)."""
    return pb.GetCaptureQualityResponse(
        rows=[
            _row(row) for row in report.rows if dimensions is None or row.dimension in dimensions
        ],
        clocks=[
            pb.ClockSkew(
                source=skew.source,
                reference=skew.reference,
                offset_ms=skew.offset_ms,
                margin_ms=skew.margin_ms,
                pairs=skew.pairs,
                corrected=bool(report.corrections.get(skew.source)),
                proposed=skew.is_sure(Trust()) and not report.corrections.get(skew.source),
            )
            for skew in report.clocks
        ],
        traceable_bar=TRACEABLE_BAR,
    )


def _row(row: Row) -> pb.CaptureRow:
    return pb.CaptureRow(
        dimension=int(row.dimension),  # type: ignore[arg-type]  # generated stubs have an own type
        key=row.key,
        captured=row.captured,
        logged=row.logged,
        matched=row.matched,
        recording_coverage=row.recording_coverage,
        capture_coverage=row.capture_coverage,
        order_inversions=row.inversions,
        missing_keys=row.missing,
        traceable=row.traceable,
        known=row.known,
        traceable_ratio=row.traceable_ratio,
    )
