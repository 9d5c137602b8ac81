"""Feeds damaged files to the connectors, guided by coverage: `make fuzz`, or SOURCE and seconds as arguments.

The seeds are the golden files and the corpus, which the quick tests replay (`test_corpus.py`). What is found
stands in a file `crash-…` in the working folder: put it into the corpus when it is mended. With a third
argument, a folder, what reached new code is left there. Needs atheris, which `make fuzz` installs.
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
from tests.support.golden import CORPUS, FOLDER, goldens

_LONGEST = 16_384


def main(source: str, seconds: int, found: str = "") -> None:
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

    seeds = [str(kept / source) for kept in (FOLDER, CORPUS) if (kept / source).is_dir()]
    flags = [
        f"-max_total_time={seconds}",
        f"-max_len={_LONGEST}",
        "-timeout=20",
        "-rss_limit_mb=4096",
    ]
    left = Path(found or tempfile.mkdtemp())
    left.mkdir(parents=True, exist_ok=True)
    atheris.Setup([sys.argv[0], *flags, str(left), *seeds], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:4])
