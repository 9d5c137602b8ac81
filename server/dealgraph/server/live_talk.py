"""One live session: what it is about, what was said in it, and what goes out."""

import asyncio
from collections.abc import Awaitable
from typing import Final

from dealgraph.api.v1 import interaction_pb2, live_session_service_pb2
from dealgraph.server.metrics import LIVE
from dealgraph.server.tokens import ResumePoint
from dealgraph.stream.alerts import Alert
from dealgraph.stream.interaction import action_id

_PENDING: Final = 64

Response = live_session_service_pb2.ConverseResponse


class Talk:
    """A live session. `seen` is the place after the last hint that went out."""

    def __init__(self, start: live_session_service_pb2.SessionStart, seen: ResumePoint) -> None:
        self._start = start
        self._said: set[str] = set()
        self.session = start.session_id
        self.rep = start.rep_id
        self.seen = seen
        self.out: asyncio.Queue[Response | Exception | None] = asyncio.Queue(_PENDING)

    def concerns(self, alert: Alert) -> bool:
        """Tell whether an alert is for this session.

        It was found in it, or in its opportunity and rests on something that was said here.
        """
        signal = alert.signal
        if signal.session:
            return signal.session == self.session
        return (
            signal.opportunity != ""
            and signal.opportunity == self._start.opportunity_id
            and not self._said.isdisjoint(signal.evidence)
        )

    def interaction(
        self, utterance: live_session_service_pb2.Utterance
    ) -> interaction_pb2.Interaction:
        """Return an utterance as the interaction it is, and note that it was said."""
        start = self._start
        native_id = f"{start.session_id}/{utterance.id}" if utterance.id else ""
        self._said.add(action_id(LIVE, native_id))
        return interaction_pb2.Interaction(
            source=LIVE,
            native_id=native_id,
            session_id=start.session_id,
            opportunity_id=start.opportunity_id,
            customer_id=start.customer_id,
            rep_id=start.rep_id,
            actor=utterance.speaker if utterance.HasField("speaker") else None,
            channel=interaction_pb2.CHANNEL_VOICE,
            kind=interaction_pb2.INTERACTION_KIND_UTTERANCE,
            occurred_at_ms=utterance.occurred_at_ms,
            duration_ms=utterance.duration_ms,
            text=utterance.text,
            language=utterance.language,
        )

    async def passing_errors(self, work: Awaitable[None]) -> None:
        """Run one half of the stream; its error ends the whole."""
        try:
            await work
        except Exception as error:
            await self.out.put(error)
