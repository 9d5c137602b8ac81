"""The checks of `dealgraph doctor`. Each says what was found and, when it is not well, what to do."""

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

_INSTALL: Final = "Install what is missing with: pip install -c constraints.txt -e ."
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9_.-]+)\s*(.*)")
_BOUND: Final = re.compile(r"(==|>=|<=|!=|<|>)\s*([0-9][0-9.]*)")


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "FAILED"


class Check(NamedTuple):
    """What was looked at, what was found, and what to do about it ("" when nothing)."""

    verdict: Verdict
    name: str
    found: str
    advice: str = ""


def all_checks(data: Path | None, target: str | None, settings: Path | None) -> Iterator[Check]:
    """Yield the checks in an order in which a failed one explains those after it."""
    yield python_version()
    missing = False
    for check in libraries():
        missing |= check.verdict is Verdict.FAILED
        yield check
    if missing:
        return  # what follows needs them
    contract = generated_code()
    yield contract
    if contract.verdict is Verdict.FAILED:
        return
    # Only now: these modules need the libraries whose absence was to be reported above.
    places = importlib.import_module("dealgraph.server.cli.check_places")
    yield from places.place_checks(data, target, settings)


def python_version() -> Check:
    """Check that this Python is one that dealgraph runs on."""
    found = ".".join(map(str, sys.version_info[:3]))
    needed = metadata.metadata("dealgraph")["Requires-Python"] or ""
    if satisfies(found, needed):
        return Check(Verdict.OK, "Python", f"{found} (needed: {needed})")
    return Check(
        Verdict.FAILED,
        "Python",
        f"{found} (needed: {needed})",
        "Install Python 3.11 or 3.12 and make the environment anew: make PYTHON=python3.11 demo",
    )


def libraries() -> Iterator[Check]:
    """Check that every library is there in a version that fits."""
    for requirement in metadata.requires("dealgraph") or []:
        if ";" in requirement:
            continue  # optional extras
        name, needed = parse_requirement(requirement)
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Check(Verdict.FAILED, name, f"missing (needed: {needed or 'any'})", _INSTALL)
            continue
        words = f"{found} (needed: {needed or 'any'})"
        if satisfies(found, needed):
            yield Check(Verdict.OK, name, words)
        else:
            yield Check(Verdict.FAILED, name, words, _INSTALL)


def generated_code() -> Check:
    """Check that the generated code of the contract fits the installed protobuf and grpc."""
    try:
        package = importlib.import_module("dealgraph.api.v1")
        names = [module.name for module in pkgutil.iter_modules(package.__path__)]
        for name in names:
            importlib.import_module(f"dealgraph.api.v1.{name}")
    except Exception as error:  # protobuf and grpc each raise types of their own for a mismatch
        words = f"{type(error).__name__}: {error}".splitlines()[0]
        advice = f"Generated code and libraries are out of step. {_INSTALL} Or: make proto"
        return Check(Verdict.FAILED, "Contract", words, advice)
    return Check(Verdict.OK, "Contract", f"{len(names)} generated modules load")


def parse_requirement(requirement: str) -> tuple[str, str]:
    """Return the name and the version bounds of a requirement such as "rich>=14"."""
    found = _REQUIREMENT.match(requirement)
    return (found[1], found[2].strip()) if found else (requirement, "")


def satisfies(version: str, bounds: str) -> bool:
    """Say whether a version lies within bounds such as ">=3.11,<3.13"."""
    have = _numbers(version)
    for operator, text in _BOUND.findall(bounds):
        want = _numbers(text)
        size = max(len(have), len(want))
        left, right = (n + (0,) * (size - len(n)) for n in (have, want))
        holds = {
            "==": left == right,
            "!=": left != right,
            ">=": left >= right,
            "<=": left <= right,
            ">": left > right,
            "<": left < right,
        }
        if not holds[operator]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
