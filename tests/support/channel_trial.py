"""Plays the channel world against a server, with and without the gate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import grpc
from msgspec import Struct

from dealgraph.api.v1 import channel_service_pb2 as pb
from dealgraph.stream import codec
from dealgraph.stream.interaction import Interaction
from tests.support.channel_world import (
    PLANTED,
    ROUNDS,
    Planted,
    accuracy,
    brought,
    core,
    deals_of,
)
from tests.support.dealgraphs import NOW
from tests.support.interactions import DAY
from tests.support.server import RunningServer, serving

GOOD: Final = tuple(channel for channel in PLANTED if channel.spoil is None)
_QUARANTINED: Final = pb.CHANNEL_STATE_QUARANTINED
_ACTIVE: Final = pb.CHANNEL_STATE_ACTIVE


class Trial(Struct, frozen=True):
    """How it went: the share of deals judged right, and the channels that were stopped or let in."""

    accuracy: float
    active: frozenset[str]
    stopped: frozenset[str]


def play(
    directory: Path, channels: Sequence[Planted], *, gated: bool, deals: int = 24, seed: int = 5
) -> Trial:
    """Bring in the core, then the channels round by round; gated ones are promoted when they may be."""
    told = deals_of(deals)
    with serving(directory) as server:
        _publish(server, core(told, seed))
        if gated:
            for channel in channels:
                expiry = NOW + 90 * DAY
                request = pb.RegisterRequest(name=channel.name, owner="data", expires_at_ms=expiry)
                server.client.channel.Register(request)
        for round_ in range(ROUNDS):
            for channel in channels:
                _publish(server, brought(channel, told, round_, seed))
            if gated:
                _promote(server, channels)
        server.catch_up()
        states = _states(server) if gated else {}
        return Trial(
            accuracy(server, told),
            frozenset(name for name, state in states.items() if state == _ACTIVE),
            frozenset(name for name, state in states.items() if state != _ACTIVE),
        )


def _publish(server: RunningServer, told: Sequence[Interaction]) -> None:
    server.client.publish([codec.interaction_to_message(one) for one in told])
    server.catch_up()


def _promote(server: RunningServer, channels: Sequence[Planted]) -> None:
    """Ask for every channel to be promoted, as an owner would after each delivery."""
    for channel in channels:
        try:
            server.client.channel.Promote(pb.PromoteRequest(name=channel.name))
        except grpc.RpcError as error:
            assert isinstance(error, grpc.Call)
            assert error.code() is grpc.StatusCode.FAILED_PRECONDITION, error.details()


def _states(server: RunningServer) -> dict[str, int]:
    listed = server.client.channel.ListChannels(pb.ListChannelsRequest()).channels
    return {channel.name: int(channel.state) for channel in listed}
