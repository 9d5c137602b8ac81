import pytest

from dealgraph.server.cli.checks import parse_requirement, satisfies


@pytest.mark.parametrize(
    ("version", "bounds", "fits"),
    [
        ("3.11.7", ">=3.11,<3.13", True),
        ("3.13.0", ">=3.11,<3.13", False),
        ("3.10.14", ">=3.11,<3.13", False),
        ("0.21.1", "==0.21.1", True),
        ("0.21", "==0.21.0", True),
        ("0.21.2", "==0.21.1", False),
        ("6.31.1", ">=6.31.1,<7", True),
        ("1.83.0rc1", ">=1.78,<1.83", False),
        ("15", "", True),
        ("2.0", "!=2.0", False),
    ],
)
def test_a_version_fits_when_it_lies_within_all_bounds(
    version: str, bounds: str, fits: bool
) -> None:
    assert satisfies(version, bounds) is fits


@pytest.mark.parametrize(
    ("requirement", "name", "bounds"),
    [
        ("rich>=14", "rich", ">=14"),
        ("grpcio>=1.78,<1.83", "grpcio", ">=1.78,<1.83"),
        ("googleapis-common-protos >= 1.70", "googleapis-common-protos", ">= 1.70"),
        ("click", "click", ""),
    ],
)
def test_a_requirement_is_split_into_name_and_bounds(
    requirement: str, name: str, bounds: str
) -> None:
    assert parse_requirement(requirement) == (name, bounds)
