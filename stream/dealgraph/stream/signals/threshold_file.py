"""Thresholds of a tenant in a file: the values that differ from the shipped ones, and their provenance."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from dealgraph.stream.signals.false_alarms import Measured, check
from dealgraph.stream.signals.thresholds import ThresholdError


class ThresholdFile(Struct, frozen=True, forbid_unknown_fields=True):
    """Changed values per section, with their provenance; `origin` says from what they were found.

    `false_alarms` are those that the rules have with these values, by rule.
    """

    thresholds: Mapping[str, Mapping[str, object]] = {}
    origin: str = ""
    made_at: str = ""
    opportunities: int = 0
    opportunity_weeks: float = 0.0
    false_alarms: Mapping[str, Measured] = {}

    @property
    def version(self) -> str:
        """Digest of the values: the same values have the same version, wherever they come from."""
        plain = msgspec.json.encode(self.thresholds, order="sorted")
        return hashlib.sha256(plain).hexdigest()[:12]


def read_thresholds(path: Path) -> ThresholdFile:
    """Return the thresholds of a file. Raises ThresholdError that names the file and the place."""
    try:
        found = msgspec.yaml.decode(path.read_bytes(), type=ThresholdFile)
        check(found.false_alarms)
    except (msgspec.DecodeError, UnicodeDecodeError, ThresholdError) as error:
        raise ThresholdError(f"{path}: {error}") from error
    except OSError as error:
        raise ThresholdError(f"{path} cannot be read: {error.strerror}") from error
    return found


def write_thresholds(path: Path, file: ThresholdFile) -> None:
    """Write thresholds to a file."""
    path.write_bytes(
        b"# Thresholds of decision signals, laid over the shipped ones. In the settings:\n"
        b"#   [signals]\n"
        b'#   thresholds = "' + path.name.encode() + b'"\n' + msgspec.yaml.encode(file)
    )
