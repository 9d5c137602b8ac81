"""Listens to a running call: utterances in, receipts and hints out, on one stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

from dealgraph.api.v1 import (
    interaction_pb2,
    live_session_service_pb2,
    live_session_service_pb2_grpc,
)
from dealgraph.server.alert_desk import AlertDesk
from dealgraph.server.alert_messages import AlertMessages, snooze_message
from dealgraph.server.commit_queue import CommitQueue
from dealgraph.server.errors import CallError, check_tenant, invalid
from dealgraph.server.hub import Entry, Hub
from dealgraph.server.live_talk import Response, Talk
from dealgraph.server.snoozes import Snoozes
from dealgraph.stream import codec
from dealgraph.stream.alerts import Alert
from dealgraph.stream.ingest import Gate, Outcome, Receipt

_IDLE_SECONDS: Final = 3600.0


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
        hub: Hub[Alert],
        messages: AlertMessages,
        desk: AlertDesk,
        snoozes: Snoozes,
        flow: Flow,
        log_end: Callable[[], int],
        hint_wait_seconds: float,
    ) -> None:
        self._tenant = tenant
        self._gate = gate
        self._commits = commits
        self._hub = hub
        self._messages = messages
        self._desk = desk
        self._snoozes = snoozes
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
        talk = Talk(first.start, self._hub.newest)
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
        talk: Talk,
        requests: AsyncIterator[live_session_service_pb2.ConverseRequest],
    ) -> None:
        async for request in requests:
            await talk.out.put(await self._answer(talk, request))
        await self._digested()
        await talk.out.put(None)

    async def _answer(
        self, talk: Talk, request: live_session_service_pb2.ConverseRequest
    ) -> Response:
        match request.WhichOneof("request"):
            case "utterance":
                receipt = await self._store(talk.interaction(request.utterance))
                return Response(receipt=_receipt(request.utterance.id, receipt))
            case "snooze":
                return Response(snoozed=await self._snooze(talk, request.snooze))
            case "dismiss":
                return Response(dismissed=await self._dismiss(talk, request.dismiss))
            case _:
                raise invalid("utterance", "is missing: only the first request opens the session")

    async def _snooze(
        self, talk: Talk, asked: live_session_service_pb2.SnoozeHints
    ) -> live_session_service_pb2.SnoozeReceipt:
        """Hold back hints; what is wrong with the request does not end the session."""
        session = "" if asked.minutes else talk.session
        request = f"{talk.session}/{asked.id}" if asked.id else ""
        try:
            snooze = await self._desk.snooze(
                talk.rep, int(asked.kind), session, asked.minutes, talk.rep, request
            )
        except CallError as error:
            return live_session_service_pb2.SnoozeReceipt(
                id=asked.id, reason=error.reason, detail=error.message
            )
        return live_session_service_pb2.SnoozeReceipt(
            id=asked.id, accepted=True, snooze=snooze_message(snooze)
        )

    async def _dismiss(
        self, talk: Talk, asked: live_session_service_pb2.DismissHint
    ) -> live_session_service_pb2.DismissReceipt:
        """Dismiss a hint; what is wrong with the request does not end the session."""
        reason_class = int(asked.reason_class)
        try:
            await self._desk.dismiss(asked.alert_id, talk.rep, asked.reason, reason_class)
        except CallError as error:
            return live_session_service_pb2.DismissReceipt(
                alert_id=asked.alert_id, reason=error.reason, detail=error.message
            )
        return live_session_service_pb2.DismissReceipt(alert_id=asked.alert_id, accepted=True)

    async def _store(self, message: interaction_pb2.Interaction) -> Receipt:
        def write() -> Receipt:
            return self._gate.publish([codec.interaction_from_message(message)])[0]

        return await self._commits.submit(write)

    async def _digested(self) -> None:
        """Wait until the dataflow has passed what is stored now, but not for ever."""
        end = self._log_end()
        try:
            async with asyncio.timeout(self._hint_wait_seconds):
                await self._hub.until(lambda: self._flow.position() >= end)
        except TimeoutError:
            return

    async def _hint(self, talk: Talk) -> None:
        async for item in self._hub.follow(talk.seen, self._for(talk), _IDLE_SECONDS):
            if isinstance(item, Entry):
                await talk.out.put(Response(hint=self._messages.alert(item)))
                talk.seen = item.point

    def _for(self, talk: Talk) -> Callable[[Alert], bool]:
        """Return the test for hints of a session that its rep does not hold back."""
        snoozes = self._snoozes
        return lambda alert: talk.concerns(alert) and not snoozes.hold_back(alert, talk.session)

    async def _hints_after(self, talk: Talk) -> list[Entry[Alert]]:
        await self._hub.catch_up()
        found: list[Entry[Alert]] = []
        wanted = self._for(talk)
        cursor = talk.seen.offset
        while entries := await self._hub.after(cursor):
            cursor = entries[-1].offset
            found += [entry for entry in entries if wanted(entry.item)]
        return found


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
