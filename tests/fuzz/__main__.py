"""Feeds damaged files to the connectors, guided by coverage: `make fuzz`, or SOURCE and seconds as arguments.

The golden files are the seeds. What is found stands in a file `crash-…` in the working folder: make a golden
file or a test of it. Needs atheris, which `make fuzz` installs.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dealgraph.stream.connectors"]):
    from dealgraph.stream.connectors.errors import SourceError
    from dealgraph.stream.connectors.registry import connector

from dealgraph.stream.codec import interaction_to_record
from dealgraph.stream.interaction import Interaction
from tests.support.golden import FOLDER, goldens

_LONGEST = 16_384


def main(source: str, seconds: int) -> None:
    """Fuzz one connector for some seconds; a record that raises ends the process with a trace."""
    golden = next(one for one in goldens() if one.source == source)
    stated = golden.options()
    reader = connector(source)
    folder = Path(tempfile.mkdtemp())
    path = folder / golden.path.name

    def read(data: bytes) -> None:
        path.write_bytes(data)
        try:
            items = [step.item for step in reader.parse(path, stated)]
        except SourceError:
            return
        for item in items:
            if not isinstance(item, Interaction):
                reader.parse_record(item.payload, item.position, stated)
                continue
            try:
                interaction_to_record(item)
            except ValueError:  # the gate refuses what the contract cannot hold
                continue

    seeds = FOLDER / source
    flags = [
        f"-max_total_time={seconds}",
        f"-max_len={_LONGEST}",
        "-timeout=20",
        "-rss_limit_mb=4096",
    ]
    atheris.Setup([sys.argv[0], *flags, str(folder), str(seeds)], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
