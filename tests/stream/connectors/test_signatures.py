"""Signatures of vendors: what is theirs and fresh passes, everything else is told."""

import pytest

from dealgraph.stream.connectors.signatures import (
    DINGTALK_MAX_AGE_MS,
    HUBSPOT_MAX_AGE_MS,
    dingtalk_fault,
    hubspot_fault,
    sign,
)

NOW = 1_772_415_000_000
SIGNED = "9D36lIjtiShsV4k1uyscfBNLA+lJov6zb2mrCdaoV4c="
"""Made with: printf '1772415000000\\nsecret' | openssl dgst -sha256 -hmac secret -binary | base64"""
URI = "https://deals.example/hooks/hubspot?team=a%3Ab"
PLAIN = "https://deals.example/hooks/hubspot?team=a:b"
BODY = '[{"eventId":1,"text":"报价"}]'.encode()


def test_a_dingtalk_request_is_recognised() -> None:
    at = str(NOW)
    assert sign(f"{at}\nsecret".encode(), "secret") == SIGNED
    assert dingtalk_fault(at, SIGNED, "secret", NOW + DINGTALK_MAX_AGE_MS) is None


@pytest.mark.parametrize(
    ("timestamp", "signature", "secret", "now", "fault"),
    [
        (str(NOW), "AAAA", "secret", NOW, "does not fit"),
        (str(NOW), SIGNED, "other", NOW, "does not fit"),
        (
            str(NOW + 1),
            SIGNED,
            "secret",
            NOW,
            "does not fit",
        ),
        (str(NOW), "not base64", "secret", NOW, "no base64"),
        (str(NOW), "好", "secret", NOW, "no base64"),
        ("", SIGNED, "secret", NOW, "no number"),
        ("9" * 400, SIGNED, "secret", NOW, "no number"),
        (
            str(NOW),
            SIGNED,
            "secret",
            NOW + DINGTALK_MAX_AGE_MS + 1,
            "too far",
        ),
        (
            str(NOW),
            SIGNED,
            "secret",
            NOW - DINGTALK_MAX_AGE_MS - 1,
            "too far",
        ),
    ],
)
def test_a_forged_or_old_dingtalk_request_is_refused(
    timestamp: str, signature: str, secret: str, now: int, fault: str
) -> None:
    assert fault in (dingtalk_fault(timestamp, signature, secret, now) or "")


def test_a_hubspot_request_is_recognised_by_its_decoded_uri() -> None:
    signature = sign(f"POST{PLAIN}".encode() + BODY + str(NOW).encode(), "secret")
    assert hubspot_fault("post", URI, BODY, str(NOW), signature, "secret", NOW) is None


@pytest.mark.parametrize(
    ("method", "uri", "body", "now"),
    [
        ("GET", URI, BODY, NOW),
        ("POST", URI + "&x=1", BODY, NOW),
        ("POST", URI, BODY + b" ", NOW),
        ("POST", URI, BODY, NOW + HUBSPOT_MAX_AGE_MS + 1),
    ],
)
def test_any_change_of_a_hubspot_request_is_noticed(
    method: str, uri: str, body: bytes, now: int
) -> None:
    signature = sign(f"POST{PLAIN}".encode() + BODY + str(NOW).encode(), "secret")
    assert hubspot_fault(method, uri, body, str(NOW), signature, "secret", now) is not None
