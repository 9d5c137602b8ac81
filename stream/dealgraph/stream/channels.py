"""Channels: sources that are registered, and must show that their data is good before it counts.

    candidate ──► canary ──► active          a step each, only while all checks are passed
         └──────────┴──────────┴──► quarantined          by hand, or by itself when a check surely fails

What does not count is held in the log, and released once its channel is active. After its time a channel is
expired: still taken in for a few days, with warnings, then refused.
"""

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from importlib import resources
from math import sqrt
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct
from msgspec.structs import replace

_Z: Final = 1.96
_DAY: Final = 86_400_000
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

MOST_CHANNELS: Final = 500
"""Most channels of a tenant: their names are labels of metrics."""


class State(IntEnum):
    """How far a channel has come; the numbers equal those of the contract. EXPIRED follows from time."""

    CANDIDATE = 1
    CANARY = 2
    ACTIVE = 3
    QUARANTINED = 4
    EXPIRED = 5


class Verdict(IntEnum):
    """What happens with a record: it counts, is held, or is refused."""

    COUNT = 1
    HOLD = 2
    REFUSE = 3


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """What `channels.yaml` says."""

    bars: Mapping[str, float]
    least_records: int
    window: int
    canary_share: float
    span_days: int
    warn_days: int
    grace_days: int


class RegisteredChannel(Struct, frozen=True):
    """A channel as somebody registered it. `changed_at` and `expires_at` are in ms since 1970 UTC.

    `expires_at` 0 means never. `released` is the offset up to which what was held has been let in.
    """

    name: str
    owner: str
    contract_version: str
    expires_at: int
    state: State
    reason: str
    changed_at: int
    released: int = 0


class Check(Struct, frozen=True):
    """How many of the newest records passed one check, beside the share that is asked for."""

    name: str
    good: int
    records: int
    bar: float

    @property
    def ratio(self) -> float:
        """Share that passed; 0 without records."""
        return self.good / self.records if self.records else 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        """Wilson's score interval with 95 %: where the true share may lie."""
        n = self.records
        if not n:
            return 0.0, 1.0
        p, z2 = self.ratio, _Z * _Z
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
        return max(0.0, middle - half), min(1.0, middle + half)

    def passed(self, least: int) -> bool:
        """Say whether enough records reach the bar."""
        return self.records >= least and self.ratio >= self.bar

    def surely_failed(self, least: int) -> bool:
        """Say whether enough records are there to be sure that the bar is not reached."""
        return self.records >= least and self.bounds[1] < self.bar


def load_rules() -> Rules:
    """Return the rules that dealgraph ships."""
    raw = (resources.files("dealgraph.stream") / "channels.yaml").read_bytes()
    return msgspec.yaml.decode(raw, type=Rules)


def is_name(name: str) -> bool:
    """Say whether a channel may be called so."""
    return _NAME.fullmatch(name) is not None


def state_at(channel: RegisteredChannel, now: int) -> State:
    """Return the state of a channel at time `now`."""
    expired = 0 < channel.expires_at <= now
    return State.EXPIRED if expired and channel.state is not State.QUARANTINED else channel.state


def expires_soon(channel: RegisteredChannel, now: int, rules: Rules) -> bool:
    """Say whether the owner must be warned of the end of a channel."""
    return bool(channel.expires_at) and now >= channel.expires_at - rules.warn_days * _DAY


def verdict(channel: RegisteredChannel, conversation: str, now: int, rules: Rules) -> Verdict:
    """Return what happens with a record of a conversation of a channel at time `now`."""
    if channel.expires_at and now >= channel.expires_at + rules.grace_days * _DAY:
        return Verdict.REFUSE
    if channel.state is State.ACTIVE:
        return Verdict.COUNT
    if channel.state is State.CANARY and in_canary(channel.name, conversation, rules):
        return Verdict.COUNT
    return Verdict.HOLD


def in_canary(name: str, conversation: str, rules: Rules) -> bool:
    """Say whether a conversation counts while its channel is on trial; whole conversations do."""
    drawn = crc32(f"{name}\x1f{conversation}".encode("utf-8", "surrogatepass")) / 2**32
    return drawn < rules.canary_share


def promoted(
    channel: RegisteredChannel, checks: Sequence[Check], now: int, rules: Rules
) -> RegisteredChannel | str:
    """Return the channel one step further, or why it may not go there."""
    if state_at(channel, now) is State.EXPIRED:
        return "its time is over: register it again with a later date"
    if channel.state is State.ACTIVE:
        return "it is active already"
    failed = [check for check in checks if not check.passed(rules.least_records)]
    if failed:
        return "not passed: " + "; ".join(_in_words(check, rules) for check in failed)
    state = State.ACTIVE if channel.state is State.CANARY else State.CANARY
    return replace(channel, state=state, reason="all checks passed", changed_at=now)


def spoiled(checks: Sequence[Check], rules: Rules) -> str:
    """Return why a channel must be quarantined, "" when it need not be."""
    failed = [check for check in checks if check.surely_failed(rules.least_records)]
    return "; ".join(_in_words(check, rules) for check in failed)


def quality(checks: Sequence[Check]) -> float:
    """Return the quality of a channel as one number: its worst check; 0 without records."""
    return min((check.ratio for check in checks), default=0.0)


def _in_words(check: Check, rules: Rules) -> str:
    if check.records < rules.least_records:
        return f"{check.name} has {check.records} of {rules.least_records} records"
    return f"{check.name} {check.ratio:.1%} of {check.records}, asked for {check.bar:.0%}"
