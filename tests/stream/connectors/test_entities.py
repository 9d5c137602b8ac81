from pathlib import Path

import pytest

from dealgraph.stream.connectors.entities import unescaped
from tests.support.files import cue, mail_bytes, options, read, taken, vtt


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a &amp; b &lt;c&gt;", "a & b <c>"),
        ("&#20215;&#x4EF7;", "价价"),
        ("&#0000065; &bogus;", "A &bogus;"),
        (f"a&#{'1' * 5000};b", "a\ufffdb"),
        (f"a&#x{'f' * 5000}b", "a\ufffd"),
    ],
)
def test_references_become_characters(written: str, meant: str) -> None:
    assert unescaped(written) == meant


def test_a_reference_of_thousands_of_digits_stops_no_transcript_and_no_mail(
    tmp_path: Path,
) -> None:
    bomb = f"<p>price &#{'1' * 5000}; agreed</p>"
    said = taken(read(tmp_path / "a.vtt", "webvtt", vtt(cue(1, bomb)), options()))
    raw = mail_bytes().replace(b"text/plain", b"text/html").replace(b"Dear all", bomb.encode())
    sent = taken(read(tmp_path / "a.eml", "mail", raw, options()))
    assert [item.text for item in said + sent] == ["price \ufffd agreed"] * 2
