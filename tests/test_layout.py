"""The house stands: source roots stay a namespace, generated code is that of the contract."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE_ROOTS = ("stream", "graph", "gnn", "proto", "server")


@pytest.mark.parametrize("root", SOURCE_ROOTS)
def test_a_source_root_leaves_room_for_the_other_portions(root: str) -> None:
    for folder in (ROOT / root, ROOT / root / "dealgraph"):
        assert not (folder / "__init__.py").exists(), f"{folder}/__init__.py hides the other layers"


def test_every_top_folder_tells_what_it_is() -> None:
    for folder in (*SOURCE_ROOTS, "deploy", "tests"):
        assert (ROOT / folder / "README.md").exists()


@pytest.mark.skipif(
    importlib.util.find_spec("grpc_tools") is None, reason="the compiler is a tool of `make test`"
)
def test_the_generated_code_is_that_of_the_contract(tmp_path: Path) -> None:
    tools = Path(sys.executable).parent
    subprocess.run(
        [sys.executable, "-P", str(ROOT / "proto" / "generate.py"), str(tmp_path)],
        check=True,
        env={"PATH": f"{tools}:/usr/bin:/bin"},
    )
    made = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*_pb2*")}
    kept = {
        path.relative_to(ROOT / "proto"): path.read_text()
        for path in (ROOT / "proto" / "dealgraph").rglob("*_pb2*")
        if path.suffix in (".py", ".pyi")
    }
    assert made
    assert made == kept, "run `make proto` and commit what it writes"
