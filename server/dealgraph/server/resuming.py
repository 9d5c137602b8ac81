"""Where streams start and how a client comes back to its place: the same for every hub."""

from collections.abc import Callable
from typing import Generic

from dealgraph.api.v1 import alert_service_pb2 as pb
from dealgraph.server.errors import invalid, too_old
from dealgraph.server.hub import Gap, Hub, Item
from dealgraph.server.tokens import ResumePoint, Tokens


class Resuming(Generic[Item]):
    """Finds start points in a hub, and makes the tokens by which clients come back to them.

    `stream` keeps the tokens of one hub from being used with another. `clock` gives milliseconds since
    1970 UTC.
    """

    def __init__(
        self, hub: Hub[Item], tokens: Tokens, clock: Callable[[], int], stream: str = ""
    ) -> None:
        self._hub = hub
        self._tokens = tokens
        self._clock = clock
        self._stream = stream

    async def start(self, asked: pb.StreamStart) -> ResumePoint:
        """Return where a stream starts. Raises CallError for a token that is forged or too old."""
        if asked.WhichOneof("start") == "resume_token":
            point = self._tokens.resume_point(asked.resume_token, self._stream)
            await self._hub.catch_up()
            if not await self._hub.holds(point):
                raise too_old()
            return point
        if asked.preset == pb.START_PRESET_EARLIEST:
            return ResumePoint(max(0, self._hub.oldest - 1), "")
        if asked.preset not in pb.StartPreset.values():
            raise invalid("start.preset", "is not a preset")
        await self._hub.catch_up()
        return self._hub.newest

    def token(self, point: ResumePoint) -> str:
        """Return the token that resumes after a point."""
        return self._tokens.resume(point, self._stream)

    def heartbeat(self, point: ResumePoint) -> pb.Heartbeat:
        """Return a sign of life with the token of `point`."""
        return pb.Heartbeat(resume_token=self.token(point), server_time_ms=self._clock())

    def gap(self, gap: Gap) -> pb.Gap:
        """Return the message of a gap; the count is of all items, whatever the filter."""
        return pb.Gap(
            from_token=self.token(gap.start),
            to_token=self.token(gap.end),
            count=gap.end.offset - gap.start.offset,
            reason=gap.reason,
        )
