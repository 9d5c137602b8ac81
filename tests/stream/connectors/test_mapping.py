from pathlib import Path

import pytest

from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.mapping import load_mapping, parse_mapping
from tests.support.files import LOG

DEPLOYED = Path(__file__).parents[3] / "deploy" / "mappings"


@pytest.mark.parametrize("path", sorted(DEPLOYED.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_mapping_that_is_shipped_is_valid(path: Path) -> None:
    assert load_mapping(path).source == path.stem


def test_a_mapping_knows_the_columns_that_it_reads() -> None:
    mapping = parse_mapping(LOG + "keep: {kind: [a]}\nlanguage: '{@file}'")
    assert mapping.columns_used() == {"case", "id", "who", "at", "text", "amount", "kind"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("tekst: x", r"line 10, tekst: unknown key `tekst`; did you mean `text`"),
        ("kind: consent", "'kind' is no key, or is written twice"),
        ("encoding: klingon", "the encoding 'klingon' is not known"),
        ("encoding: base64", "is no text encoding"),
        ("delimiter: ';;'", "`delimiter` is one character"),
        ("source: My Log", "`source` is a short name"),
        ("format: xlsx", "format.*xlsx"),
        ("action: shouting", "'shouting' is no action; write one of statement, question"),
        ("duration: {from: '{d}', unit: min}", "`unit` is ms or s"),
        ("language: {form: '{l}'}", "unknown key `form`; did you mean `from`"),
        (
            "consent: [{subject: bob, side: rep, channel: voice, purposes: [capture], basis: b, "
            "since: 2026-01-01}]",
            "'bob' does not say where it comes from",
        ),
        (
            "consent: [{subject: 'a:b', side: rep, channel: voice, purposes: [capture], since: x}]",
            "basis",
        ),
    ],
)
def test_a_wrong_mapping_is_told_with_place_and_fix(change: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        parse_mapping(f"{LOG}{change}\n")


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ("{from: '{t}', format: unix}", "`format` is one of iso, epoch_s"),
        ("{from: '{t}', format: order}", "only format: order has none"),
        ("{format: iso}", "`from` names the column of the time"),
        ("{from: '{t}', zone: Mars}", "'Mars' is no time zone; write UTC or an offset"),
        ("{from: '{t}', step_ms: fast}", "step_ms"),
    ],
)
def test_a_wrong_time_is_told_with_place_and_fix(time: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        parse_mapping(f"kind: message\nchannel: chat\ntime: {time}")


@pytest.mark.parametrize("kind", ["consent", "recall", "merge", "delete", "shout"])
def test_a_mapping_names_only_kinds_that_columns_can_say(kind: str) -> None:
    with pytest.raises(SourceError, match=f"'{kind}' is no kind; write one of utterance, message"):
        parse_mapping(f"kind: {kind}\nchannel: chat\ntime: {{format: order}}")


def test_a_mapping_needs_kind_channel_and_time() -> None:
    with pytest.raises(SourceError, match="missing required field `time`"):
        parse_mapping("kind: message\nchannel: chat")
