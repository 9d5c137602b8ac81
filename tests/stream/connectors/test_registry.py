import pytest

from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.registry import connector, connectors


def test_the_registry_finds_every_module_with_a_connector() -> None:
    assert {"eventlog", "mail", "webvtt", "wecom"} < set(connectors())
    assert list(connectors()) == sorted(connectors())


def test_each_connector_has_one_line_of_help() -> None:
    for found in connectors().values():
        assert found.summary
        assert "\n" not in found.summary


def test_an_unknown_source_is_told_with_those_that_exist() -> None:
    with pytest.raises(SourceError, match=r"no source 'fax'.*eventlog, .*mail, .*webvtt, wecom"):
        connector("fax")
