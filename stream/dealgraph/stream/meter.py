"""What the stream tells about its own running; the server shows it in Prometheus."""

from typing import Protocol

from dealgraph.graph.model import SignalKind, SignalState


class Meter(Protocol):
    """Takes measurements. No argument ever holds an id or personal data."""

    def ingested(self, source: str, outcome: str, count: int) -> None:
        """Count interactions at ingest: accepted, duplicate or rejected."""
        ...

    def dead_letters(self, source: str, reason: str, count: int) -> None:
        """Count dead letters."""
        ...

    def consent_drops(self, reason: str, count: int) -> None:
        """Count interactions refused for lack of consent, at ingest or when something is derived."""
        ...

    def processed(self, source: str, lag_seconds: float, newest_event_at: int) -> None:
        """Note a batch of a source: time since it was recorded, and its newest event time in ms."""
        ...

    def stage(self, stage: str, seconds: float) -> None:
        """Note how long a batch, or a step of learning, spent in a stage.

        Stages are parse, admit, tag, signal, graph and learn.
        """
        ...

    def signalled(self, kind: SignalKind, state: SignalState) -> None:
        """Count a change of a decision signal."""
        ...

    def alerted(self, seconds: float) -> None:
        """Note the time from acknowledgement of an interaction to the alert it caused."""
        ...

    def learnt(self, version: int, deals: int) -> None:
        """Note that a version of the baselines was learnt, from so many deals more."""
        ...

    def state_keys(self, operator: str, count: int) -> None:
        """Note how many keys an operator holds in memory."""
        ...


class SilentMeter:
    """A meter that nobody reads."""

    def ingested(self, source: str, outcome: str, count: int) -> None:
        """Do nothing."""

    def dead_letters(self, source: str, reason: str, count: int) -> None:
        """Do nothing."""

    def consent_drops(self, reason: str, count: int) -> None:
        """Do nothing."""

    def processed(self, source: str, lag_seconds: float, newest_event_at: int) -> None:
        """Do nothing."""

    def stage(self, stage: str, seconds: float) -> None:
        """Do nothing."""

    def signalled(self, kind: SignalKind, state: SignalState) -> None:
        """Do nothing."""

    def alerted(self, seconds: float) -> None:
        """Do nothing."""

    def state_keys(self, operator: str, count: int) -> None:
        """Do nothing."""

    def learnt(self, version: int, deals: int) -> None:
        """Do nothing."""
