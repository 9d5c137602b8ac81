"""Listens to a running call: utterances in, receipts and hints out, on one stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

from dealgraph.api.v1 import (
    interaction_pb2,
    live_session_service_pb2,
    live_session_service_pb2_grpc,
)
from dealgraph.server.alert_hub import AlertHub, Entry
from dealgraph.server.alert_messages import AlertMessages
from dealgraph.server.commit_queue import CommitQueue
from dealgraph.server.errors import check_tenant, invalid
from dealgraph.server.metrics import LIVE
from dealgraph.server.tokens import ResumePoint
from dealgraph.stream import codec
from dealgraph.stream.alerts import Alert
from dealgraph.stream.ingest import Gate, Outcome, Receipt

_PENDING: Final = 64
_IDLE_SECONDS: Final = 3600.0

Response = live_session_service_pb2.ConverseResponse


class Flow(Protocol):
    """How far the dataflow is: offset of the log up to which everything is written."""

    def position(self) -> int:
        """Return that offset."""
        ...


class LiveSessionService(live_session_service_pb2_grpc.LiveSessionServiceServicer):
    """`LiveSessionService` of the contract.

    `log_end` returns the offset of the newest interaction. `hint_wait_seconds` is how long the stream
    stays open for hints on the last utterance, once the client has said all.
    """

    def __init__(
        self,
        tenant: str,
        gate: Gate,
        commits: CommitQueue,
        hub: AlertHub,
        messages: AlertMessages,
        flow: Flow,
        log_end: Callable[[], int],
        hint_wait_seconds: float,
    ) -> None:
        self._tenant = tenant
        self._gate = gate
        self._commits = commits
        self._hub = hub
        self._messages = messages
        self._flow = flow
        self._log_end = log_end
        self._hint_wait_seconds = hint_wait_seconds

    async def Converse(  # noqa: N802 - the contract names it
        self,
        request_iterator: AsyncIterator[live_session_service_pb2.ConverseRequest],
        context: Any,
    ) -> AsyncIterator[Response]:
        """Take utterances of a running call and return hints while it runs."""
        first = await anext(request_iterator, None)
        if first is None or first.WhichOneof("request") != "start":
            raise invalid("start", "is missing: the first request opens the session")
        _check(first.start, self._tenant)
        await self._hub.catch_up()
        talk = _Talk(first.start, self._hub.newest)
        tasks = [
            asyncio.create_task(talk.passing_errors(self._listen(talk, request_iterator))),
            asyncio.create_task(talk.passing_errors(self._hint(talk))),
        ]
        try:
            while (response := await talk.out.get()) is not None:
                if isinstance(response, Exception):
                    raise response
                yield response
            tasks[1].cancel()
            await asyncio.gather(tasks[1], return_exceptions=True)
            while not talk.out.empty():
                left = talk.out.get_nowait()
                if isinstance(left, Response):
                    yield left
            for entry in await self._hints_after(talk):
                yield Response(hint=self._messages.alert(entry))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(
        self,
        talk: "_Talk",
        requests: AsyncIterator[live_session_service_pb2.ConverseRequest],
    ) -> None:
        async for request in requests:
            if request.WhichOneof("request") != "utterance":
                raise invalid("utterance", "is missing: only the first request opens the session")
            receipt = await self._store(talk.interaction(request.utterance))
            await talk.out.put(Response(receipt=_receipt(request.utterance.id, receipt)))
        await self._digested()
        await talk.out.put(None)

    async def _store(self, message: interaction_pb2.Interaction) -> Receipt:
        def write() -> Receipt:
            return self._gate.publish([codec.interaction_from_message(message)])[0]

        return await self._commits.submit(write)

    async def _digested(self) -> None:
        """Wait until the dataflow has passed what is stored now, but not for ever."""
        end = self._log_end()
        try:
            async with asyncio.timeout(self._hint_wait_seconds):
                while self._flow.position() < end:
                    await self._hub.progressed()
        except TimeoutError:
            return

    async def _hint(self, talk: "_Talk") -> None:
        async for item in self._hub.follow(talk.seen, talk.concerns, _IDLE_SECONDS):
            if isinstance(item, Entry):
                await talk.out.put(Response(hint=self._messages.alert(item)))
                talk.seen = item.point

    async def _hints_after(self, talk: "_Talk") -> list[Entry]:
        await self._hub.catch_up()
        found: list[Entry] = []
        cursor = talk.seen.offset
        while entries := await self._hub.after(cursor):
            cursor = entries[-1].offset
            found += [entry for entry in entries if talk.concerns(entry.alert)]
        return found


class _Talk:
    """One live session: what it is about, what goes out, and the last hint that did."""

    def __init__(self, start: live_session_service_pb2.SessionStart, seen: ResumePoint) -> None:
        self._start = start
        self.seen = seen
        self.out: asyncio.Queue[Response | Exception | None] = asyncio.Queue(_PENDING)

    def concerns(self, alert: Alert) -> bool:
        """Tell whether an alert is a hint for this session."""
        return alert.signal.session == self._start.session_id

    def interaction(
        self, utterance: live_session_service_pb2.Utterance
    ) -> interaction_pb2.Interaction:
        """Return an utterance as the interaction it is."""
        start = self._start
        return interaction_pb2.Interaction(
            source=LIVE,
            native_id=f"{start.session_id}/{utterance.id}" if utterance.id else "",
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

    async def passing_errors(self, work: Any) -> None:
        """Run one half of the stream; its error ends the whole."""
        try:
            await work
        except Exception as error:
            await self.out.put(error)


def _check(start: live_session_service_pb2.SessionStart, tenant: str) -> None:
    check_tenant(start.tenant, tenant)
    if not start.session_id:
        raise invalid("start.session_id", "is missing", "MISSING_FIELD")


def _receipt(utterance_id: str, receipt: Receipt) -> live_session_service_pb2.UtteranceReceipt:
    return live_session_service_pb2.UtteranceReceipt(
        utterance_id=utterance_id,
        accepted=receipt.outcome is not Outcome.REJECTED,
        reason=receipt.reason,
        detail=receipt.detail,
    )
