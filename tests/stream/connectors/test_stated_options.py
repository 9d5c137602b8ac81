"""What an import states can be kept and read again, so that its dead letters can."""

import pytest

from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.metric_schemas import known_metrics
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.connectors.stated_options import (
    MAX_STATED,
    NOTHING,
    decode_stated,
    encode_stated,
)
from dealgraph.stream.interaction import Rejected
from tests.support.files import LOG, ROSTER, STARTED, options
from tests.support.golden import Golden, goldens


@pytest.mark.parametrize("golden", goldens(), ids=lambda one: f"{one.source}/{one.path.name}")
def test_a_refused_record_is_read_the_same_with_what_was_kept(golden: Golden) -> None:
    stated = golden.options()
    kept = decode_stated(encode_stated(golden.source, stated)).options()
    source = connector(golden.source)
    for item in golden.read():
        if isinstance(item, Rejected):
            again = (
                source.parse_record(item.payload, item.position, one) for one in (stated, kept)
            )
            assert next(again) == next(again)


def test_every_option_is_kept() -> None:
    stated = options(
        ROSTER, LOG, session="s", opportunity="o", customer="c", rep="r",
        started_at=STARTED, metrics=known_metrics(),
    )  # fmt: skip
    kept = decode_stated(encode_stated("eventlog", stated))
    assert kept.connector == "eventlog"
    again = kept.options()
    assert again.roster.document == stated.roster.document
    assert (again.mapping, again.metrics, again.defaults()) == (
        stated.mapping, stated.metrics, stated.defaults(),
    )  # fmt: skip


def test_a_correction_replaces_what_it_states_and_nothing_else() -> None:
    before = decode_stated(encode_stated("eventlog", options(ROSTER, LOG, session="s")))
    fixed = LOG.replace("{text}", "{words}")
    after = before.corrected_by(decode_stated(encode_stated("", options("", fixed))))
    assert after.mapping is not None
    assert after.mapping.text == "{words}"
    assert (after.connector, after.roster, after.session) == ("eventlog", before.roster, "s")


@pytest.mark.parametrize("raw", [b"{", b"7", b'{"roster": 7}', b"\xff", b"[" * 5000])
def test_what_states_nothing_readable_is_told(raw: bytes) -> None:
    with pytest.raises(SourceError):
        decode_stated(raw)


def test_nothing_is_kept_of_nothing_or_of_too_much() -> None:
    assert decode_stated(b"") == NOTHING
    assert encode_stated("wecom", options(session="x" * MAX_STATED)) == b""
