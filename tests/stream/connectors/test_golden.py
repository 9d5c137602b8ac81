"""Every golden file is read as its expectation says, and every record refused can be tried again."""

import pytest

from dealgraph.stream.connectors.registry import connector, connectors
from dealgraph.stream.interaction import Rejected
from tests.support.golden import Golden, goldens, shown

each_golden = pytest.mark.parametrize(
    "golden", goldens(), ids=lambda golden: f"{golden.source}/{golden.path.name}"
)


@each_golden
def test_a_golden_file_is_read_as_expected(golden: Golden) -> None:
    assert shown(golden.read()) == golden.expectation.read_text(encoding="utf-8")


@each_golden
def test_reading_twice_gives_the_same(golden: Golden) -> None:
    assert golden.read() == golden.read()


@each_golden
def test_a_refused_record_fails_again_with_the_same_reason(golden: Golden) -> None:
    for item in golden.read():
        if isinstance(item, Rejected):
            again = connector(golden.source).parse_record(
                item.payload, item.position, golden.options()
            )
            assert [(other.reason, other.position) for other in again
                    if isinstance(other, Rejected)] == [(item.reason, item.position)]  # fmt: skip


def test_each_source_has_golden_files() -> None:
    assert {golden.source for golden in goldens()} == set(connectors())
