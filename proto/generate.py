"""Generate the Python code of the contract: `python -P proto/generate.py`.

The generated files are checked in, so that nobody needs a compiler to install dealgraph;
a test compares them with what this script makes.
"""

import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent


def generate(out: Path) -> int:
    """Write the message, service and stub modules of every .proto below ROOT into `out`."""
    sources = sorted(str(path) for path in (ROOT / "dealgraph").rglob("*.proto"))
    return int(
        protoc.main(
            [
                "protoc",
                f"-I{ROOT}",
                f"-I{files('grpc_tools') / '_proto'}",
                f"--python_out={out}",
                f"--grpc_python_out={out}",
                f"--mypy_out=quiet:{out}",
                f"--mypy_grpc_out=quiet:{out}",
                *sources,
            ]
        )
    )


if __name__ == "__main__":
    sys.exit(generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
