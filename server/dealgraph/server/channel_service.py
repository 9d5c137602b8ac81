"""Channels over gRPC: registered, promoted and stopped by people, judged by what they bring."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import grpc
from msgspec import Struct
from msgspec.structs import replace

from dealgraph.api.v1 import channel_service_pb2 as pb
from dealgraph.api.v1 import channel_service_pb2_grpc
from dealgraph.graph.model import Channel, Side
from dealgraph.server import requests
from dealgraph.server.capture_book import CaptureBook
from dealgraph.server.channel_watch import ChannelWatch
from dealgraph.server.commit_queue import CommitQueue
from dealgraph.server.errors import CallError, check_tenant, invalid, not_found
from dealgraph.server.interceptor import seconds_left
from dealgraph.server.readers import Readers
from dealgraph.server.tokens import Tokens
from dealgraph.stream import links
from dealgraph.stream.channels import (
    MOST_CHANNELS,
    RegisteredChannel,
    State,
    expires_soon,
    is_name,
    promoted,
    quality,
    state_at,
)
from dealgraph.stream.clocks import Skew, Trust
from dealgraph.stream.ingest import Gate
from dealgraph.stream.interaction import ClockCorrection, Interaction, InteractionKind, Person

_MAX_WORDS: Final = 256
_MAX_REASON: Final = 2000


class ChannelKey(Struct, frozen=True, array_like=True):
    """Where a page of channels begins: after this name."""

    after: str


class ChannelService(channel_service_pb2_grpc.ChannelServiceServicer):
    """`ChannelService` of the contract. `clock` gives milliseconds since 1970 UTC."""

    def __init__(
        self,
        tenant: str,
        gate: Gate,
        watch: ChannelWatch,
        captures: CaptureBook,
        commits: CommitQueue,
        readers: Readers,
        tokens: Tokens,
        clock: Callable[[], int],
        deadline_seconds: float,
    ) -> None:
        self._tenant = tenant
        self._gate = gate
        self._watch = watch
        self._captures = captures
        self._commits = commits
        self._readers = readers
        self._tokens = tokens
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._rules = gate.channels.rules

    async def Register(  # noqa: N802 - the contract names it
        self, request: pb.RegisterRequest, context: Any
    ) -> pb.RegisterResponse:
        """Register a channel, or state anew who owns it and until when."""
        check_tenant(request.tenant, self._tenant)
        if not is_name(request.name):
            raise invalid("name", 'has 1 to 64 letters, digits, "-", "_" and "."')
        if not request.owner.strip():
            raise invalid("owner", "must say who answers for the channel", "MISSING_FIELD")
        for field in ("owner", "contract_version"):
            if len(getattr(request, field)) > _MAX_WORDS:
                raise invalid(field, f"may have at most {_MAX_WORDS} characters")
        if request.expires_at_ms <= self._clock():
            raise invalid("expires_at_ms", "must be given and lie in the future")
        channel = await self._commits.submit(partial(self._register, request))
        return pb.RegisterResponse(channel=await self._message(channel, context))

    async def Promote(  # noqa: N802
        self, request: pb.PromoteRequest, context: Any
    ) -> pb.PromoteResponse:
        """Let a channel go one step further, if its checks are passed."""
        check_tenant(request.tenant, self._tenant)
        await self._watch.look()
        channel = await self._commits.submit(partial(self._promote, request.name))
        await self._watch.look()  # releases what was held
        return pb.PromoteResponse(channel=await self._message(channel, context))

    async def Quarantine(  # noqa: N802
        self, request: pb.QuarantineRequest, context: Any
    ) -> pb.QuarantineResponse:
        """Stop a channel."""
        check_tenant(request.tenant, self._tenant)
        if not request.reason.strip():
            raise invalid("reason", "must say why the channel is stopped", "MISSING_FIELD")
        if len(request.reason) > _MAX_REASON:
            raise invalid("reason", f"may have at most {_MAX_REASON} characters")
        channel = await self._commits.submit(
            partial(self._quarantine, request.name, request.reason)
        )
        return pb.QuarantineResponse(channel=await self._message(channel, context))

    async def GetChannel(  # noqa: N802
        self, request: pb.GetChannelRequest, context: Any
    ) -> pb.GetChannelResponse:
        """Get one channel with its quality."""
        check_tenant(request.tenant, self._tenant)
        channel = self._demand(request.name)
        return pb.GetChannelResponse(channel=await self._message(channel, context))

    async def ListChannels(  # noqa: N802
        self, request: pb.ListChannelsRequest, context: Any
    ) -> pb.ListChannelsResponse:
        """List channels by name."""
        check_tenant(request.tenant, self._tenant)
        size = requests.page_size(request.page_size)
        key = self._tokens.page_key(request, ChannelKey) or ChannelKey("")
        found = [one for one in self._gate.channels.channels() if one.name > key.after]
        shown, token = found[:size], ""
        if len(found) > size:
            token = self._tokens.page(request, ChannelKey(shown[-1].name))
        await self._read(self._watch.catch_up, context)
        return pb.ListChannelsResponse(
            channels=[self._shown(channel) for channel in shown], next_page_token=token
        )

    async def CorrectClock(  # noqa: N802
        self, request: pb.CorrectClockRequest, context: Any
    ) -> pb.CorrectClockResponse:
        """Correct the clock of a source by what events seen twice show."""
        check_tenant(request.tenant, self._tenant)
        for field in ("source", "reference"):
            if not getattr(request, field):
                raise invalid(field, "is missing", "MISSING_FIELD")
        report = await self._read(
            lambda: self._captures.report(reference=request.reference), context
        )
        skew = next((one for one in report.clocks if one.source == request.source), None)
        if skew is None or not skew.is_sure(Trust()):
            raise _unsure(skew)
        await self._commits.submit(partial(self._correct, skew))
        return pb.CorrectClockResponse(
            offset_ms=skew.offset_ms, margin_ms=skew.margin_ms, pairs=skew.pairs
        )

    def _register(self, request: pb.RegisterRequest) -> RegisteredChannel:
        with self._gate.changing_channels() as book:
            known = book.find(request.name)
            if known is None and len(book.channels()) >= MOST_CHANNELS:
                raise invalid("name", f"there are {MOST_CHANNELS} channels already")
            fresh = RegisteredChannel(
                request.name,
                request.owner,
                request.contract_version,
                request.expires_at_ms,
                State.CANDIDATE if known is None else known.state,
                "registered" if known is None else known.reason,
                self._clock() if known is None else known.changed_at,
                0 if known is None else known.released,
            )
            book.put(fresh)
            return fresh

    def _promote(self, name: str) -> RegisteredChannel:
        with self._gate.changing_channels() as book:
            channel = book.find(name)
            if channel is None:
                raise not_found("CHANNEL", name)
            moved = promoted(channel, self._watch.checks(name), self._clock(), self._rules)
            if isinstance(moved, str):
                raise CallError(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "CHECKS_NOT_PASSED",
                    f"The channel cannot be promoted: {moved}.",
                )
            book.put(moved)
            return moved

    def _quarantine(self, name: str, reason: str) -> RegisteredChannel:
        with self._gate.changing_channels() as book:
            channel = book.find(name)
            if channel is None:
                raise not_found("CHANNEL", name)
            state, now = State.QUARANTINED, self._clock()
            stopped = replace(channel, state=state, reason=reason, changed_at=now)
            book.put(stopped)
            return stopped

    def _correct(self, skew: Skew) -> None:
        now = self._clock()
        correction = Interaction(
            source=links.SOURCE,
            native_id=f"clock/{skew.source}/{now}",
            kind=InteractionKind.CLOCK,
            channel=Channel.CRM,
            occurred_at=now,
            actor=Person(Side.SYSTEM),
            detail=ClockCorrection(
                skew.source, skew.offset_ms, skew.margin_ms, skew.pairs, skew.reference
            ),
        )
        self._gate.publish([correction])

    def _demand(self, name: str) -> RegisteredChannel:
        channel = self._gate.channels.find(name)
        if channel is None:
            raise not_found("CHANNEL", name)
        return channel

    async def _message(self, channel: RegisteredChannel, context: Any) -> pb.RegisteredChannel:
        await self._read(self._watch.catch_up, context)
        return self._shown(self._demand(channel.name))

    def _shown(self, channel: RegisteredChannel) -> pb.RegisteredChannel:
        now, least = self._clock(), self._rules.least_records
        checks = self._watch.checks(channel.name)
        return pb.RegisteredChannel(
            name=channel.name,
            owner=channel.owner,
            contract_version=channel.contract_version,
            expires_at_ms=channel.expires_at,
            state=int(state_at(channel, now)),  # type: ignore[arg-type]  # stubs have an own type
            reason=channel.reason,
            quality=quality(checks),
            checks=[
                pb.ChannelCheck(
                    name=check.name,
                    ratio=check.ratio,
                    lower=check.bounds[0],
                    bar=check.bar,
                    records=check.records,
                    passed=check.passed(least),
                )
                for check in checks
            ],
            held=self._watch.held(channel),
            expires_soon=expires_soon(channel, now, self._rules),
        )

    async def _read(self, read: Callable[[], Any], context: Any) -> Any:
        return await self._readers.run(read, seconds_left(context, self._deadline_seconds))


def _unsure(skew: Skew | None) -> CallError:
    found = (
        "no event was seen by both sources"
        if skew is None
        else f"{skew.pairs} events show {skew.offset_ms} ± {skew.margin_ms} ms"
    )
    return CallError(
        grpc.StatusCode.FAILED_PRECONDITION,
        "CLOCK_UNSURE",
        f"The offset is not sure enough to correct by: {found}.",
    )
