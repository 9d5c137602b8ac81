"""Tokens: a client can hand back only what it was given, for the question it was given for."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from dealgraph.api.v1 import alert_service_pb2, graph_service_pb2
from dealgraph.server.errors import CallError
from dealgraph.server.tokens import ResumePoint, Tokens, key_for

KEY = bytes(range(32))


class Key(Struct, frozen=True, array_like=True):
    at: int
    id: str


def tokens(tenant: str = "acme", log: str = "log1", key: bytes = KEY) -> Tokens:
    return Tokens(key, tenant, log)


def timeline(**fields: object) -> graph_service_pb2.GetTimelineRequest:
    return graph_service_pb2.GetTimelineRequest(**fields)  # type: ignore[arg-type]


def test_a_page_token_gives_its_key_back_even_with_another_page_size() -> None:
    token = tokens().page(timeline(as_of_ms=7, page_size=5), Key(3, "a"))
    asked = timeline(as_of_ms=7, page_size=9, page_token=token)
    assert tokens().page_key(asked, Key) == Key(3, "a")


def test_the_first_page_has_no_key() -> None:
    assert tokens().page_key(timeline(), Key) is None


@pytest.mark.parametrize(
    "asked",
    [
        timeline(as_of_ms=8),
        timeline(as_of_ms=7, newest_first=True),
        alert_service_pb2.ListAlertsRequest(as_of_ms=7),
    ],
)
def test_a_page_token_does_not_fit_another_question(
    asked: graph_service_pb2.GetTimelineRequest,
) -> None:
    asked.page_token = tokens().page(timeline(as_of_ms=7), Key(3, "a"))
    with pytest.raises(CallError) as refused:
        tokens().page_key(asked, Key)
    assert refused.value.reason == "INVALID_TOKEN"


@pytest.mark.parametrize(
    "other", [tokens(tenant="globex"), tokens(log="log2"), tokens(key=bytes(32))]
)
def test_a_token_of_another_tenant_log_or_key_is_refused(other: Tokens) -> None:
    with pytest.raises(CallError):
        tokens().resume_point(other.resume(ResumePoint(4, "x")))


def test_a_resume_token_is_no_page_token() -> None:
    with pytest.raises(CallError):
        tokens().page_key(timeline(page_token=tokens().resume(ResumePoint(1, "a"))), ResumePoint)


@settings(max_examples=100)
@given(st.integers(0, 200), st.integers(1, 255))
def test_a_token_with_any_byte_changed_is_refused(index: int, change: int) -> None:
    token = bytearray(tokens().resume(ResumePoint(12345, "alert")).encode())
    token[index % len(token)] ^= change
    with pytest.raises(CallError):
        tokens().resume_point(token.decode("latin-1"))


@settings(max_examples=100)
@given(st.text(max_size=80))
def test_nothing_made_up_is_a_token(text: str) -> None:
    with pytest.raises(CallError):
        tokens().resume_point(text)


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    key = key_for(tmp_path, "")
    assert key_for(tmp_path, "") == key
    assert stat.S_IMODE(os.stat(tmp_path / "token.key").st_mode) == 0o600


def test_a_key_file_that_is_too_short_is_refused(tmp_path: Path) -> None:
    short = tmp_path / "key"
    short.write_bytes(b"secret")
    with pytest.raises(ValueError, match="too short"):
        key_for(tmp_path, str(short))
